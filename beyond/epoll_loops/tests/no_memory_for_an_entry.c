/* Preloaded: the kernel has no memory for the second entry with EPOLLEXCLUSIVE. */
#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

int epoll_ctl(int set, int operation, int fd, struct epoll_event *event)
{
    static int (*real)(int, int, int, struct epoll_event *);
    static int exclusive;

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "epoll_ctl");
    if (operation == EPOLL_CTL_ADD && (event->events & EPOLLEXCLUSIVE) && ++exclusive == 2) {
        errno = ENOMEM;
        return -1;
    }
    return real(set, operation, fd, event);
}
