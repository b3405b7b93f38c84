/* A connection: its state, what it wants, one read and one write at a time, and its end.
 *
 * The loop asks what a connection wants and waits for it; when it is ready, the loop calls
 * connection_read and connection_write, in its own order and as often as its policy says, and ends
 * the turn with connection_settle. Nothing here waits, and nothing here knows how the loop does. */
#ifndef COMMON_CONNECTION_H
#define COMMON_CONNECTION_H

#include "error.h"
#include "options.h"
#include "stats.h"
#include "watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

enum connection_state {
    CONNECTION_OPEN,      /* takes frames */
    CONNECTION_FLUSHING,  /* takes no more, as peer or server ended it; output is still leaving */
    CONNECTION_LINGERING, /* FIN sent; discards input until the peer closes too */
    CONNECTION_CLOSED,    /* done: to be retired, or retired already */
};

/* One buffer serves both directions, since a whole frame is sent from where it was received:
 *
 *     data        start            whole             used         capacity
 *      | sent      | whole frames   | begun frame     | room       |
 */
struct connection {
    struct watch watch; /* first, so that a pointer to it is one to the connection */
    uint8_t state;      /* enum connection_state */
    uint8_t reason;     /* enum close_reason, once the state is not OPEN */
    bool input_ended;   /* recv answered 0 */
    bool paused;        /* reached the high-water mark and not yet the low one */
    bool borrowed;      /* data is the shared scratch buffer: only within a turn */
    bool moved;         /* bytes went in or out in this turn */
    bool closing;       /* stands in connections.closing */
    uint8_t *data;      /* NULL while no byte is pending */
    uint32_t start;
    uint32_t whole;
    uint32_t used;
    uint32_t capacity;
    uint64_t since_ns;                   /* when it was opened; once closing, when that began */
    uint64_t activity_ns;                /* when a byte last moved */
    TAILQ_ENTRY(connection) by_age;      /* in connections.open, .closing or .retired */
    TAILQ_ENTRY(connection) by_activity; /* in connections.idle, unless closing */
};

/* "An idle connection holds a small struct and no buffer." Test: test_memory.py */
_Static_assert(sizeof(struct connection) <= 128, "a connection must stay small");

TAILQ_HEAD(connection_queue, connection);

/* All connections of a server. Each timeout is one constant for all of them, so a queue in order of
 * arrival is in order of expiry too: the next deadline is at its head, and expiring costs what
 * expires, not what exists. */
struct connections {
    const struct options *options;
    struct stats *stats;
    uint64_t now_ns; /* set by the loop once a wake-up */
    bool stopping;   /* set by the loop: every connection that settles is finished */
    uint8_t *scratch;
    struct connection_queue open;    /* all that are not closing, oldest first */
    struct connection_queue idle;    /* the same ones, least recently active first */
    struct connection_queue closing; /* those that the server ends, longest closing first */
    struct connection_queue retired; /* closed in this wake-up */
    size_t count;                    /* open and closing */
    size_t buffers;                  /* of them, how many own a buffer */
};

enum io_result {
    IO_MORE,  /* read: the room was filled, so there may be more; write: all was sent */
    IO_SHORT, /* less than asked for: recv found the end of what has come, send a full buffer */
    IO_WOULD_BLOCK, /* EAGAIN */
    IO_END,         /* end of file, or an error that closed the connection */
};

/* options and stats must outlive the connections. Returns 0, or -1 with error filled. */
int connections_init(struct connections *connections, const struct options *options,
                     struct stats *stats, struct error *error);

/* Closes and frees every connection that is left, and the scratch buffer. */
void connections_destroy(struct connections *connections);

/* Takes over a connected non-blocking socket. Returns NULL when memory is short: fd is still the
 * caller's. */
struct connection *connection_open(struct connections *connections, int fd);

/* Undoes connection_open, for one that the loop cannot watch: fd is the caller's again. */
void connection_discard(struct connections *connections, struct connection *connection);

/* The connection that a watch of kind WATCH_CONNECTION belongs to. */
static inline struct connection *connection_of(struct watch *watch)
{
    return (struct connection *)watch;
}

/* What to wait for: READABLE, WRITABLE, or both. Never NOTHING before the connection is closed, so
 * that an error or a hang-up, which some APIs report unasked, always meets a call that finds it. */
unsigned connection_wants(const struct connection *connection);

/* One recv(2), and the frames in what it brought. Settle before the next one. */
enum io_result connection_read(struct connections *connections, struct connection *connection);

/* One send(2) of all output that is pending. Call it only when there is some, that is, when the
 * connection wants WRITABLE. */
enum io_result connection_write(struct connections *connections, struct connection *connection);

/* Ends a turn: gives the shared buffer back, pauses or resumes, and takes the next step of a close.
 * After it the state may be CONNECTION_CLOSED: retire it then. */
void connection_settle(struct connections *connections, struct connection *connection);

/* Takes no more frames: what is pending is sent, then the connection is closed, within
 * drain-timeout from now. Follow it by connection_settle. Without effect on one that is ending
 * already. */
void connection_finish(struct connections *connections, struct connection *connection,
                       enum close_reason reason);

/* Drops what is pending: the connection is done. Its first reason stays: one that the peer ended
 * inside a frame is truncated, however its last echoes fared. */
void connection_close(struct connection *connection, enum close_reason reason);

/* Puts a connection aside, closed or given up by the loop, and counts it. Its descriptor stays open
 * and its memory stays valid until connections_reap, so that no event of the same wake-up can reach
 * a successor. */
void connection_retire(struct connections *connections, struct connection *connection);

/* Closes the descriptors and frees the memory of the retired. Returns how many there were. */
size_t connections_reap(struct connections *connections);

/* The next connection whose time is over at now_ns, or NULL. One whose lifetime is over has been
 * finished, the others are in state CONNECTION_CLOSED; settle either. */
struct connection *connections_expired(struct connections *connections);

/* When connections_expired will next have something to return: nanoseconds, or NEVER. */
uint64_t connections_deadline(const struct connections *connections);

#endif
