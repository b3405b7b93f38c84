/* Statistics: exact counts of what a server did and of what its API cost, as one line of JSON. */
#ifndef COMMON_STATS_H
#define COMMON_STATS_H

#include <stdint.h>
#include <stdio.h>

/* Why a connection was closed. docs/protocol.md says what a peer does to get each of them. */
#define CLOSE_REASONS(X)                                                                           \
    X(end)       /* the peer ended its stream after a whole frame */                               \
    X(truncated) /* the peer ended its stream inside a frame */                                    \
    X(oversize)  /* a payload above max-frame */                                                   \
    X(reset)     /* ECONNRESET or EPIPE */                                                         \
    X(idle)      /* no byte moved in either direction for idle-timeout */                          \
    X(lifetime)  /* max-lifetime was over */                                                       \
    X(stop)      /* the server stopped */                                                          \
    X(error)     /* any other failed call, or no memory */

enum close_reason {
#define X(name) CLOSE_##name,
    CLOSE_REASONS(X)
#undef X
        CLOSE_REASON_COUNT
};

#define COUNTERS(X)                                                                                \
    X(accepted)         /* connections that were served */                                         \
    X(refused)          /* peers closed at once: max-conns, no descriptor, FD_SETSIZE */           \
    X(frames)           /* whole frames received, each to be echoed once */                        \
    X(bytes_in)         /* bytes received, bytes discarded after an oversize header included */    \
    X(bytes_out)        /* bytes sent */                                                           \
    X(copied_bytes)     /* bytes moved from one buffer to another, or within one */                \
    X(waits)            /* calls that waited for readiness */                                      \
    X(events)           /* the sum of what they returned; in some APIs with signals and timers */  \
    X(reads)            /* recv(2) calls on connections */                                         \
    X(writes)           /* send(2) calls on connections */                                         \
    X(accepts)          /* accept(2) calls */                                                      \
    X(interest_changes) /* changes of what a registered descriptor is watched for */               \
    X(would_block)      /* recv, send and accept calls that answered EAGAIN */                     \
    X(partial_writes)   /* send calls that took less than was offered */                           \
    X(pauses)           /* times that reading stopped at the high-water mark */                    \
    X(log_lines_left_out) /* too many of their kind, or nobody reads the log */

struct stats {
#define X(name) uint64_t name;
    COUNTERS(X)
#undef X
    uint64_t closed[CLOSE_REASON_COUNT];
    uint64_t buffers; /* how many connections hold a buffer now */
};

/* Of one of several loops, beside the sum. */
struct stats_of_loop {
    const struct stats *stats;
    size_t connections; /* open now */
};

/* What else is true at the moment of printing. */
struct stats_gauges {
    const char *server;         /* its name */
    const char *implementation; /* "native", "libkqueue" or "emulation" */
    uint64_t connections;       /* open now */
    double uptime_seconds;
    const struct stats_of_loop *loops; /* of a server with several */
    unsigned loop_count;               /* 0: the server has one loop, and prints nothing of it */
};

/* sum += more, each counter. */
void stats_add(struct stats *sum, const struct stats *more);

/* Writes one JSON object and a newline, and flushes it. Returns 0, or -1 with errno set. */
int stats_print(FILE *stream, const struct stats *stats, const struct stats_gauges *gauges);

#endif
