/* Preloaded: right before the main thread writes a letter to a loop, a peer connects, sends one
 * frame and ends its stream. The loop finds both in one wait. For that the main thread goes first
 * whenever it is ready (SCHED_FIFO, sched(7)), if it may; all threads have to share one CPU. */
#include <dlfcn.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS = 64 };

static bool listens(int fd, struct sockaddr_in *address)
{
    int yes = 0;
    socklen_t size = sizeof yes;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) < 0 || !yes)
        return false;
    size = sizeof *address;
    return getsockname(fd, (struct sockaddr *)address, &size) == 0;
}

static void one_peer(void)
{
    static const char frame[] = {0, 0, 0, 1, 'x'};
    struct sockaddr_in address;

    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (!listens(fd, &address))
            continue;
        int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(peer, (struct sockaddr *)&address, sizeof address) == 0) {
            (void)send(peer, frame, sizeof frame, MSG_NOSIGNAL);
            (void)shutdown(peer, SHUT_WR);
        }
        return;
    }
}

ssize_t write(int fd, const void *bytes, size_t size)
{
    static ssize_t (*real)(int, const void *, size_t);
    const struct sched_param first = {.sched_priority = 1};

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "write");
    if (size == sizeof(int)) {
        (void)sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &first);
        one_peer();
    }
    return real(fd, bytes, size);
}
