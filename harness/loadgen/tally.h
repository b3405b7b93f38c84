/* Exact counts of what happened. One thread writes a tally. The tallies are added up after the
 * threads have ended. */
#ifndef LOADGEN_TALLY_H
#define LOADGEN_TALLY_H

#include "../../common/error.h"

#include <stdint.h>

/* The kinds of error. */
#define ERROR_KINDS(X)                                                                             \
    X(corrupted)  /* a reply with bytes that no message of ours has */                             \
    X(reordered)  /* a reply that came after a later one */                                        \
    X(lost)       /* a reply that never came though a later one did */                             \
    X(duplicated) /* a reply that came twice, or that nobody asked for */                          \
    X(crossed)    /* a message of another connection */                                            \
    X(late)       /* a reply older than --timeout */                                               \
    X(closed)     /* the server ended a connection that was in use */                              \
    X(reset)      /* the same, by a reset */                                                       \
    X(refused)    /* a connection that could not be made */                                        \
    X(unproven)   /* a connection without an echo of its first message */                          \
    X(failed)     /* a system call of our own, or no memory */

enum error_kind {
#define X(name) ERROR_##name,
    ERROR_KINDS(X)
#undef X
        ERROR_KIND_COUNT
};

#define TALLIES(X)                                                                                 \
    X(established)   /* connections proven by an echo before the clock started */                  \
    X(issued)        /* requests that fell due in the measured time */                             \
    X(answered)      /* those of them that were answered, also after it */                         \
    X(unanswered)    /* requests of any phase that had no answer after the drain */                \
    X(achieved)      /* replies that came in the measured time, whenever they were due */          \
    X(bytes_out)     /* sent, all phases */                                                        \
    X(bytes_in)      /* received, all phases */                                                    \
    X(sends)         /* calls */                                                                   \
    X(receives)      /* calls */                                                                   \
    X(waits)         /* calls of the readiness interface */                                        \
    X(full_waits)    /* those of them that filled the batch */                                     \
    X(blocked_sends) /* took less than was offered: the server was not reading */                  \
    X(reconnects)    /* for --churn */                                                             \
    X(trickled)      /* replies to idle connections with trickle */

enum { TALLY_QUARTERS = 9, TALLY_EXAMPLE_BYTES = 256 };

struct tally {
#define X(name) uint64_t name;
    TALLIES(X)
#undef X
    uint64_t errors[ERROR_KIND_COUNT];
    _Atomic uint64_t errors_seen; /* their sum, which another thread may read during the run */
    char examples[ERROR_KIND_COUNT][TALLY_EXAMPLE_BYTES]; /* the first of each kind */
    uint64_t quarters[TALLY_QUARTERS]; /* replies: in the warm-up, in the rest, in the drain */
};

void tally_add(struct tally *into, const struct tally *from);

/* Counts an error and keeps the text of the first of its kind. */
__attribute__((format(printf, 3, 4))) void tally_error(struct tally *tally, enum error_kind kind,
                                                       const char *format, ...);

uint64_t tally_errors(const struct tally *tally);
const char *tally_error_name(enum error_kind kind);

#endif
