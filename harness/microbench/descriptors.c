#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>

/* The standard streams, pipes, listener, epoll set or kqueue, and what the shell left open. */
enum { DESCRIPTORS_BESIDE = 32 };

int descriptors_reserve(uint64_t count, const char *what, struct error *error)
{
    struct rlimit limit;
    uint64_t needed = count + DESCRIPTORS_BESIDE;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return error_set(error, "getrlimit", "RLIMIT_NOFILE", errno);
    rlim_t soft = limit.rlim_cur;
    if ((uint64_t)soft < needed) {
        limit.rlim_cur = needed < (uint64_t)limit.rlim_max ? (rlim_t)needed : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            limit.rlim_cur = soft; /* some systems enforce a lower limit than they report */
    }
    if ((uint64_t)limit.rlim_cur >= needed)
        return 0;
    (void)snprintf(error->text, sizeof error->text,
                   "%s: needs %" PRIu64 " descriptors, and the limit is %" PRIu64 " (ulimit -Hn)",
                   what, needed, (uint64_t)limit.rlim_cur);
    return -1;
}

int descriptors_unblock(int fd, const char *what, struct error *error)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return error_set(error, "fcntl O_NONBLOCK", what, errno);
    return 0;
}
