/* An echo over epoll(7) under five policies. Every system call is counted. */
#ifndef MICRO_POLICY_H
#define MICRO_POLICY_H

#include "../../common/error.h"

#include <stdbool.h>
#include <stdint.h>

enum policy {
    POLICY_LEVEL,            /* wait, read, write */
    POLICY_EDGE_WOULD_BLOCK, /* edge-triggered: wait, read until it would block, write */
    POLICY_EDGE_SHORT_READ,  /* edge-triggered: wait, read until a read comes back short, write */
    POLICY_ONE_SHOT,         /* EPOLLONESHOT: wait, read, write, arm again */
    POLICY_ADD_DELETE,       /* add, wait, delete, read, write */
};

extern const char *const policy_names[]; /* in that order; end with NULL */

/* The calls made while messages were exchanged. Registering the connections is not included, except
 * under POLICY_ADD_DELETE, where it is part of each message. */
struct policy_counts {
    uint64_t waits;
    uint64_t reads;
    uint64_t writes;
    uint64_t changes; /* epoll_ctl */
    uint64_t messages;
};

struct policy_server;

/* Serves the connections fds[0 … count - 1]. They are non-blocking and stay the caller's. Returns a
 * server, which policy_close closes; or NULL with error filled, ENOSYS on a system without
 * epoll. */
struct policy_server *policy_open(enum policy policy, const int *fds, uint32_t count,
                                  struct error *error);
void policy_close(struct policy_server *server);

/* Echoes until `messages` frames of PEERS_FRAME_BYTES have been echoed. No connection has more than
 * one frame under way. Returns 0, or -1 with error filled. */
int policy_serve(struct policy_server *server, uint64_t messages, struct policy_counts *counts,
                 struct error *error);

/* Whether policy_serve failed because the other end has gone. Then the other end knows the
 * reason. */
bool policy_deserted(const struct policy_server *server);

#endif
