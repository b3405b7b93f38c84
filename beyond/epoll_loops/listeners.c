#include "listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first listener was bound without SO_REUSEPORT, so a port that another program listens on was
 * an error. (With the option the kernel would have let this program in beside another one of the
 * same user, and spread the peers over both.) It is set now, and the first listener joins the group
 * when the second one listens. Each has a queue of its own: what is queued on one is lost when that
 * one is closed, so none is closed before the stop. */
static int one_each(struct team *team, struct error *error)
{
    struct listener *first = &team->members[0].loop.service.listener;
    struct options options = team->service.options;
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;
    int on = 1;

    if (setsockopt(first->watch.fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0)
        return error_set(error, "setsockopt SO_REUSEPORT", first->address, errno);
    if (getsockname(first->watch.fd, (struct sockaddr *)&address, &size) < 0)
        return error_set(error, "getsockname", first->address, errno);
    options.reuse_port = true;
    struct sockaddr_in named = {0}; /* a port stands at the same place in both families */
    memcpy(&named, &address, sizeof named);
    options.port = ntohs(named.sin_port);
    for (uint32_t i = 1; i < team->count; i++)
        if (listener_open(&team->members[i].loop.service.listener, &options, -1, error) < 0)
            return -1;
    return 0;
}

/* A listener that was passed on stays open elsewhere, so that no peer in its queue is lost. But
 * most peers would be in the queues of the other listeners of one_each(), and lost at the end. */
static int refuse_inherited(struct error *error)
{
    (void)snprintf(
        error->text, sizeof error->text,
        "LISTEN_FDS: --listen reuseport needs a listener for each loop, and this is one");
    return -1;
}

/* Each loop has a number of its own for the one open listener. If all used the same number, the
 * first loop that stops would close it for the others; and when they close it too, the number may
 * belong to a peer by then. The price: close(2) of one number no longer takes the listener out of
 * that loop's epoll set (see mux_remove in server.c). */
static int one_for_all(struct team *team, struct error *error)
{
    const struct listener *first = &team->members[0].loop.service.listener;

    for (uint32_t i = 1; i < team->count; i++) {
        struct listener *listener = &team->members[i].loop.service.listener;
        listener->watch.fd = fcntl(first->watch.fd, F_DUPFD_CLOEXEC, 0);
        if (listener->watch.fd < 0)
            return error_set(error, "fcntl F_DUPFD_CLOEXEC", first->address, errno);
        listener->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (listener->spare < 0)
            return error_set(error, "open", "/dev/null", errno);
    }
    return 0;
}

int listeners_open(struct team *team, struct error *error)
{
    if (chosen.listen == LISTEN_HANDED)
        return 0;
    if (chosen.listen == LISTEN_REUSEPORT && team->count > 1 &&
        team->service.inherited.listener >= 0)
        return refuse_inherited(error);
    team->members[0].loop.service.listener = team->service.listener;
    team->service.listener.watch.fd = team->service.listener.spare = -1;
    return chosen.listen == LISTEN_REUSEPORT ? one_each(team, error) : one_for_all(team, error);
}
