/* A connection as a state machine over bytes. It makes no system call.
 *
 * Whoever drives it says what happened: bytes came, bytes left, the input ended, a call failed. The
 * connection answers what it wants next. So the same code serves a loop that waits for readiness, a
 * loop that is told of completion, a TLS library, and a fuzzer. transport.c drives it by recv(2)
 * and send(2).
 *
 *              oversize, stop, lifetime, or the input ends        output sent, FIN sent
 *     OPEN ----------------------------------------> FLUSHING ----------------------> LINGERING
 *       |                                               |  output sent, input ended       |
 *       | a call fails                                  v                                 v
 *       +------------------------------------------> CLOSED <------------- the input ends or time
 */
#ifndef COMMON_CONNECTION_H
#define COMMON_CONNECTION_H

#include "buffer.h"
#include "context.h"
#include "stats.h"
#include "watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum connection_state {
    CONNECTION_OPEN,      /* takes frames */
    CONNECTION_FLUSHING,  /* takes no more frames; output is still leaving */
    CONNECTION_LINGERING, /* FIN is sent; input is discarded until the peer closes too */
    CONNECTION_CLOSED,    /* done: its descriptor will be closed at the end of the wake-up */
};

enum connection_input {
    INPUT_WANTED,
    INPUT_PAUSED, /* output reached the high-water mark, and is not down at the low one yet */
    INPUT_OVER,   /* FIN and all bytes before it have come; or the connection is closed */
};

/* The buffer serves both directions, since a whole frame is sent from where it was received. Its
 * first `output` bytes are whole frames, to be echoed. A frame that has begun follows them. */
struct connection {
    struct watch watch;
    uint8_t state;  /* enum connection_state */
    uint8_t reason; /* enum close_reason, once the state is not OPEN */
    uint8_t input;  /* enum connection_input */
    bool ending;    /* the server ends it: drain-timeout bounds what is left to do */
    uint32_t output;
    struct buffer buffer;
    uint64_t activity_ns;                /* when a byte last came or left */
    uint64_t opened_ns;                  /* this and what follows is kept by connections.c */
    uint64_t draining_ns;                /* when the server began to end it; 0: it has not */
    TAILQ_ENTRY(connection) by_age;      /* in connections.open, .draining or .retired */
    TAILQ_ENTRY(connection) by_activity; /* in connections.idle, unless draining */
};

/* Invariant 9: an idle connection holds a small struct and no buffer. glibc adds 8 bytes, and hands
 * out memory in steps of 16: 120 bytes cost 128. Test: test_memory.py */
_Static_assert(sizeof(struct connection) <= 120, "a connection must stay small");
_Static_assert(offsetof(struct connection, watch) == 0, "connection_of() is a cast");

static inline struct connection *connection_of(struct watch *watch)
{
    return (struct connection *)watch;
}

/* What to wait for: READABLE, WRITABLE or both; NOTHING only when it is closed. So an error or a
 * hang-up, which some APIs report unasked, always meets a call that finds it. */
static inline unsigned connection_wants(const struct connection *connection)
{
    return (connection->output > 0 ? WRITABLE : NOTHING) |
           (connection->input == INPUT_WANTED ? READABLE : NOTHING);
}

/* Where the next bytes go. Sets *size to the room there, never 0. Returns NULL when memory is
 * short. Call connection_settle before the next room: the scratch buffer is lent once. */
static inline uint8_t *connection_room(struct connection *connection, struct context *context,
                                       size_t *size)
{
    if (connection->state == CONNECTION_OPEN)
        return buffer_room(&connection->buffer, context, size);
    *size = SCRATCH_BYTES; /* these bytes will be discarded: no memory for them */
    return context->scratch;
}

/* count bytes came into that room. Counts the frames that are whole now. */
void connection_received(struct connection *connection, struct context *context, size_t count);

/* What is to be sent. Sets *size to its length, 0 when there is nothing. */
static inline const uint8_t *connection_output(const struct connection *connection, size_t *size)
{
    *size = connection->output;
    return connection->buffer.data + connection->buffer.start;
}

/* The first count bytes of the output have left. */
static inline void connection_sent(struct connection *connection, const struct context *context,
                                   size_t count)
{
    connection->activity_ns = context->now_ns;
    connection->buffer.start += (uint32_t)count;
    connection->output -= (uint32_t)count;
}

/* The peer has sent FIN: recv(2) returned 0. */
void connection_ended(struct connection *connection);

/* A call on the connection failed with this errno. Pending output is dropped. */
void connection_failed(struct connection *connection, int number);

/* The server ends it: it takes no more frames, and closes once the output has left. Without effect
 * on one that is ending already, or closed. */
void connection_finish(struct connection *connection, enum close_reason reason);

/* Ends the connection now. Pending output is dropped. Its first reason stays: a peer that stopped
 * inside a frame counts as truncated, even if its last echoes then fail. */
void connection_close(struct connection *connection, enum close_reason reason);

/* Ends a turn: gives the scratch buffer back, pauses or resumes reading, and closes the connection
 * if nothing is left to do. */
void connection_settle(struct connection *connection, struct context *context);

/* All output has left, and the peer has not sent FIN yet: send ours (shutdown(2)) and say so. */
static inline bool connection_owes_fin(const struct connection *connection)
{
    return connection->state == CONNECTION_FLUSHING && connection->output == 0;
}
void connection_fin_sent(struct connection *connection, const struct context *context);

#endif
