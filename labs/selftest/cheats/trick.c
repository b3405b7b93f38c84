
/* Behind a right frame.c: this program is right only if its trick works. So each point that it gets
 * says that the trick works. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool trick(void);

__attribute__((constructor)) static void be_right_only_if_it_works(void)
{
    if (!trick())
        _exit(1);
}
