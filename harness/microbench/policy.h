/* An echo over epoll(7), by five ways to go about it, every system call of which is counted. */
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

/* Calls made while messages were exchanged; registering the connections is not among them, except
 * under POLICY_ADD_DELETE, where it belongs to each message. */
struct policy_counts {
    uint64_t waits;
    uint64_t reads;
    uint64_t writes;
    uint64_t changes; /* epoll_ctl */
    uint64_t messages;
};

struct policy_server;

/* Serves the connections fds[0 … count - 1], which stay the caller's and do not block. Returns NULL
 * with error filled, ENOSYS where there is no epoll; else to be closed. */
struct policy_server *policy_open(enum policy policy, const int *fds, uint32_t count,
                                  struct error *error);
void policy_close(struct policy_server *server);

/* Echoes until `messages` frames of PEERS_FRAME_BYTES have been echoed, of which no connection has
 * more than one under way. Returns 0, or -1 with error filled. */
int policy_serve(struct policy_server *server, uint64_t messages, struct policy_counts *counts,
                 struct error *error);

/* Whether that failed because the other end went away, which then knows why. */
bool policy_deserted(const struct policy_server *server);

#endif
