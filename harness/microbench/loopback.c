#include "loopback.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64 };

void loopback_any(struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

void loopback_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* An accepted socket has the congestion control of its listener. */
static int open_socket(struct error *error)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0)
        return error_set(error, "socket", "", errno);
#ifdef TCP_CONGESTION
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
#endif
    return fd;
}

static int listen_on(int fd, struct sockaddr_in *address, bool shared, struct error *error)
{
    socklen_t size = sizeof *address;
    int on = 1;

    if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
        return error_set(error, "setsockopt SO_REUSEPORT", "of a listener", errno);
    if (bind(fd, (const struct sockaddr *)address, size) < 0)
        return error_set(error, "bind", "127.0.0.1", errno);
    if (listen(fd, BACKLOG) < 0)
        return error_set(error, "listen", "127.0.0.1", errno);
    if (getsockname(fd, (struct sockaddr *)address, &size) < 0)
        return error_set(error, "getsockname", "of a listener", errno);
    return 0;
}

int loopback_listen(struct sockaddr_in *address, bool shared, struct error *error)
{
    int fd = open_socket(error);

    if (fd >= 0 && listen_on(fd, address, shared, error) < 0)
        loopback_close(&fd);
    return fd;
}

int loopback_connect(const struct sockaddr_in *address, struct error *error)
{
    const struct linger at_once = {1, 0};
    int fd = open_socket(error);

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
        (void)error_set(error, "connect", "127.0.0.1", errno);
        loopback_close(&fd);
    }
    return fd;
}

int loopback_pair(int ends[2], struct error *error)
{
    struct sockaddr_in address;

    ends[0] = ends[1] = -1;
    loopback_any(&address);
    int listener = loopback_listen(&address, false, error);
    if (listener < 0)
        return -1;
    ends[0] = loopback_connect(&address, error);
    if (ends[0] >= 0) {
        ends[1] = accept(listener, NULL, NULL);
        if (ends[1] < 0)
            (void)error_set(error, "accept", "127.0.0.1", errno);
    }
    loopback_close(&listener);
    return ends[1] < 0 ? -1 : 0;
}
