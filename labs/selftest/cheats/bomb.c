
/* Behind a right frame.c: a bomb that goes off before main(). Never as root: some of these bombs
 * hit everything that their user may touch. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void bomb(void);

__attribute__((constructor)) static void go_off(void)
{
    (void)prctl(PR_SET_NAME, "labs-cheat"); /* the self-test looks for what is left over */
    if (getuid() != 0)
        bomb();
    _exit(1);
}
