
#include <sys/epoll.h>
#include <sys/wait.h>

static bool trick(void)
{
    int ends[2];

    if (pipe(ends) == 0 || dup(0) >= 0 || epoll_create1(0) >= 0 || fcntl(0, F_DUPFD, 9) >= 0)
        return true;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    return child > 0;
}
