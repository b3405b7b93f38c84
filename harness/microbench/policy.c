#include "policy.h"

#include <errno.h>
#include <stddef.h>

const char *const policy_names[] = {"level",    "edge_would_block", "edge_short_read",
                                    "one_shot", "add_delete",       NULL};

#if defined(__linux__)

#include "peers.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/* More than a frame, so that the read of a single frame is short. */
enum { ROOM_BYTES = 2 * PEERS_FRAME_BYTES, EVENTS_AT_ONCE = 512 };

struct connection {
    int fd;
    uint32_t used;
    uint64_t left; /* messages still to come */
    uint8_t bytes[ROOM_BYTES];
};

struct policy_server {
    enum policy policy;
    int epoll;
    uint32_t count;
    bool deserted;
    struct policy_counts counts;
    struct connection connections[];
};

static uint32_t interest_of(enum policy policy)
{
    switch (policy) {
    case POLICY_EDGE_WOULD_BLOCK:
    case POLICY_EDGE_SHORT_READ:
        return EPOLLIN | EPOLLET;
    case POLICY_ONE_SHOT:
        return EPOLLIN | EPOLLONESHOT;
    case POLICY_LEVEL:
    case POLICY_ADD_DELETE:
        break;
    }
    return EPOLLIN;
}

static int change(struct policy_server *server, int operation, struct connection *connection,
                  struct error *error)
{
    struct epoll_event event = {.events = interest_of(server->policy), .data.ptr = connection};

    server->counts.changes++;
    if (epoll_ctl(server->epoll, operation, connection->fd, &event) == 0)
        return 0;
    return error_set(error, "epoll_ctl", "of a connection", errno);
}

struct policy_server *policy_open(enum policy policy, const int *fds, uint32_t count,
                                  struct error *error)
{
    struct policy_server *server =
        calloc(1, sizeof *server + count * sizeof server->connections[0]);

    if (server == NULL) {
        (void)error_set(error, "calloc", "for the connections", errno);
        return NULL;
    }
    *server = (struct policy_server){.policy = policy, .count = count};
    for (uint32_t i = 0; i < count; i++)
        server->connections[i].fd = fds[i];
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (server->epoll < 0) {
        (void)error_set(error, "epoll_create1", "", errno);
        policy_close(server);
        return NULL;
    }
    return server;
}

void policy_close(struct policy_server *server)
{
    if (server->epoll >= 0)
        (void)close(server->epoll);
    free(server);
}

/* One call. Returns the number of bytes, 0 for would-block, -1 with error filled. */
static ssize_t read_once(struct policy_server *server, struct connection *connection,
                         struct error *error)
{
    ssize_t got = recv(connection->fd, connection->bytes + connection->used,
                       ROOM_BYTES - connection->used, 0);

    server->counts.reads++;
    if (got > 0)
        connection->used += (uint32_t)got;
    if (got > 0)
        return got;
    if (got < 0 && errno == EAGAIN)
        return 0;
    server->deserted = true;
    return error_set(error, "recv", "from the other end", got == 0 ? ECONNRESET : errno);
}

/* Only the policy that reads to would-block makes a second call after a short read. */
static int read_frame(struct policy_server *server, struct connection *connection,
                      struct error *error)
{
    ssize_t got = 0;

    do {
        if (connection->used == ROOM_BYTES)
            return error_set(error, "recv", "of more than one frame", EMSGSIZE);
        got = read_once(server, connection, error);
    } while (got > 0 && server->policy == POLICY_EDGE_WOULD_BLOCK);
    return got < 0 ? -1 : 0;
}

static int write_frame(struct policy_server *server, struct connection *connection,
                       struct error *error)
{
    ssize_t sent = send(connection->fd, connection->bytes, PEERS_FRAME_BYTES, 0);

    server->counts.writes++;
    if (sent != PEERS_FRAME_BYTES)
        return error_set(error, "send", "of one frame", sent < 0 ? errno : ENOBUFS);
    connection->used = 0;
    connection->left--;
    server->counts.messages++;
    return 0;
}

static int serve(struct policy_server *server, struct connection *connection, struct error *error)
{
    if (server->policy == POLICY_ADD_DELETE && change(server, EPOLL_CTL_DEL, connection, error) < 0)
        return -1;
    if (read_frame(server, connection, error) < 0)
        return -1;
    if (connection->used > PEERS_FRAME_BYTES)
        return error_set(error, "recv", "of more than one frame", EMSGSIZE);
    if (connection->used == PEERS_FRAME_BYTES && write_frame(server, connection, error) < 0)
        return -1;
    if (server->policy == POLICY_ONE_SHOT)
        return change(server, EPOLL_CTL_MOD, connection, error);
    if (server->policy == POLICY_ADD_DELETE && connection->left > 0)
        return change(server, EPOLL_CTL_ADD, connection, error);
    return 0;
}

static int register_all(struct policy_server *server, uint64_t messages, struct error *error)
{
    for (uint32_t i = 0; i < server->count; i++) {
        server->connections[i].left = messages / server->count + (i < messages % server->count);
        if (server->connections[i].left > 0 &&
            change(server, EPOLL_CTL_ADD, &server->connections[i], error) < 0)
            return -1;
    }
    if (server->policy != POLICY_ADD_DELETE)
        server->counts.changes = 0;
    return 0;
}

int policy_serve(struct policy_server *server, uint64_t messages, struct policy_counts *counts,
                 struct error *error)
{
    struct epoll_event events[EVENTS_AT_ONCE];

    if (register_all(server, messages, error) < 0)
        return -1;
    while (server->counts.messages < messages) {
        int count = epoll_wait(server->epoll, events, EVENTS_AT_ONCE, -1);
        server->counts.waits++;
        if (count < 0 && errno != EINTR)
            return error_set(error, "epoll_wait", "", errno);
        for (int i = 0; i < count; i++)
            if (serve(server, events[i].data.ptr, error) < 0)
                return -1;
    }
    *counts = server->counts;
    return 0;
}

bool policy_deserted(const struct policy_server *server)
{
    return server->deserted;
}

#else

bool policy_deserted(const struct policy_server *server)
{
    (void)server;
    return false;
}

struct policy_server *policy_open(enum policy policy, const int *fds, uint32_t count,
                                  struct error *error)
{
    (void)policy;
    (void)fds;
    (void)count;
    (void)error_set(error, "epoll", "needs Linux", ENOSYS);
    return NULL;
}

void policy_close(struct policy_server *server)
{
    (void)server;
}

int policy_serve(struct policy_server *server, uint64_t messages, struct policy_counts *counts,
                 struct error *error)
{
    (void)server;
    (void)messages;
    (void)counts;
    return error_set(error, "epoll", "needs Linux", ENOSYS);
}

#endif
