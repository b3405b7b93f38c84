/* The other ends of TCP connections over loopback, in a child process. So each process needs one
 * descriptor per connection, and the measured process does not do the work of the other ends.
 *
 * The child ends with its parent, however the parent ends, because its pipe of commands is then
 * closed. It closes its ends by a reset, which leaves no TIME_WAIT behind. */
#ifndef MICRO_PEERS_H
#define MICRO_PEERS_H

#include "../../common/error.h"

#include <stdint.h>
#include <sys/types.h>

enum { PEERS_PAYLOAD_BYTES = 64, PEERS_FRAME_BYTES = 4 + PEERS_PAYLOAD_BYTES };

/* What the child has to know. It stays the caller's, and must not change before peers_close. */
struct peers_plan {
    uint32_t count;          /* number of connections */
    const uint32_t *writers; /* the connections to which peers_write writes, in its order */
    uint32_t writer_count;
    uint64_t messages; /* number of messages that peers_converse exchanges, over all connections */
};

struct peers {
    pid_t process;
    int commands;
    int answers;
    int listener;
};

/* Starts the child and fills ends with plan->count connected, non-blocking sockets. The caller
 * closes them. The number of a connection is its place in ends. Call descriptors_reserve(count)
 * before it. Ignores SIGPIPE. Returns 0, or -1 with error filled. Call peers_close in both
 * cases. */
int peers_open(struct peers *peers, const struct peers_plan *plan, int *ends, struct error *error);

/* Lets the child write one byte to each writer, and returns when it has: 0, or -1 with error
 * filled. From the second call on, the child first waits for one byte from each, which the caller
 * must have sent. It does not sleep meanwhile, so the caller's caches and clock rate stay as they
 * are. */
int peers_write(struct peers *peers, struct error *error);

/* Lets the child send frames (docs/protocol.md) and check their echoes, in rounds: one frame on
 * each connection, then the echo of each. Connection i takes part in the first rounds until all
 * messages are sent. peers_converse returns at once; peers_conversed returns when the child has the
 * last echo. Both return 0, or -1 with error filled. */
int peers_converse(struct peers *peers, struct error *error);
int peers_conversed(struct peers *peers, struct error *error);

/* Ends the child and waits until it is gone. */
void peers_close(struct peers *peers);

#endif
