/* The times of requests. What was never answered is in none of the first three: it is kept beside
 * them at the age that it had at the end, which is a lower bound of its time. Whoever prints a time
 * prints both (struct timing). */
#ifndef LOADGEN_LATENCIES_H
#define LOADGEN_LATENCIES_H

#include "histogram.h"

#define LATENCIES(X)                                                                               \
    X(response)         /* from scheduled to received */                                           \
    X(service)          /* from sent to received */                                                \
    X(lag)              /* from scheduled, or from when the server allowed it, to sent */          \
    X(censored)         /* of the unanswered: from scheduled to the end */                         \
    X(censored_service) /* of the unanswered that were sent (in part): from sent to the end */

struct latencies {
#define X(name) struct histogram *name;
    LATENCIES(X)
#undef X
};

/* Empty ones. Returns 0, or -1 when memory is short. Call latencies_free in both cases. */
int latencies_new(struct latencies *latencies);
void latencies_free(struct latencies *latencies);
void latencies_add(struct latencies *into, const struct latencies *from);

/* A request was answered. The response time counts from when it was due, the service time from when
 * it was sent. All three are readings of one clock, in nanoseconds. */
void latencies_answered(struct latencies *latencies, uint64_t scheduled_ns, uint64_t sent_ns,
                        uint64_t received_ns);

/* For sent_ns: not a byte of the request had left at the end. */
#define LATENCIES_NOT_SENT UINT64_MAX

/* A request was not answered until end_ns. Its age goes to the censored times. */
void latencies_unanswered(struct latencies *latencies, uint64_t scheduled_ns, uint64_t sent_ns,
                          uint64_t end_ns);

/* One time, as it is printed: of the answered requests, and of the unanswered. */
struct timing {
    const char *name;
    const struct histogram *done;
    const struct histogram *censored; /* NULL: the time ends before the answer */
};

enum timing_kind { TIMING_RESPONSE, TIMING_SERVICE, TIMING_LAG, TIMING_KINDS };

struct timing latencies_timing(const struct latencies *latencies, enum timing_kind kind);

#endif
