/* The other ends of TCP connections over loopback, in a child process: so each process needs one
 * descriptor a connection, and what the other ends do is not done by the process that is measured.
 *
 * The child ends with its parent, however that ends: its pipe of commands is closed then. Its ends
 * are closed by a reset, which leaves no TIME_WAIT behind. */
#ifndef MICRO_PEERS_H
#define MICRO_PEERS_H

#include "../../common/error.h"

#include <stdint.h>
#include <sys/types.h>

enum { PEERS_PAYLOAD_BYTES = 64, PEERS_FRAME_BYTES = 4 + PEERS_PAYLOAD_BYTES };

/* What the child is to know; it stays the caller's, and must not change before peers_close. */
struct peers_plan {
    uint32_t count;          /* of connections */
    const uint32_t *writers; /* numbers of those that peers_write writes to, in its order */
    uint32_t writer_count;
    uint64_t messages; /* that peers_converse exchanges, over all connections */
};

struct peers {
    pid_t process;
    int commands;
    int answers;
    int listener;
};

/* Starts the child and fills ends with plan->count connected sockets, not blocking, the caller's to
 * close. Numbers of connections are places in ends. Needs descriptors_reserve(count) before it.
 * Ignores SIGPIPE. Returns 0, or -1 with error filled; close it all the same. */
int peers_open(struct peers *peers, const struct peers_plan *plan, int *ends, struct error *error);

/* Has the child write one byte to each writer, and returns when it has: 0, or -1 with error filled.
 * From the second time on the child first awaits one byte from each, which the caller must have
 * sent. Does not sleep meanwhile, so that the caller's caches and clock rate stay as they are. */
int peers_write(struct peers *peers, struct error *error);

/* Has the child begin to send frames (docs/protocol.md) and to check their echoes: in rounds, one
 * on each connection, then the echo of each. Connection i takes part in the first rounds until all
 * messages are sent. peers_converse returns at once, peers_conversed when the child has the last
 * echo. Both 0, or -1 with error filled. */
int peers_converse(struct peers *peers, struct error *error);
int peers_conversed(struct peers *peers, struct error *error);

/* Ends the child and waits until it is gone. */
void peers_close(struct peers *peers);

#endif
