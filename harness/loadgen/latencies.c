#include "latencies.h"

#include <stdlib.h>

int latencies_new(struct latencies *latencies)
{
    int result = 0;

#define X(name)                                                                                    \
    latencies->name = histogram_new();                                                             \
    result |= latencies->name == NULL ? -1 : 0;
    LATENCIES(X)
#undef X
    return result;
}

void latencies_free(struct latencies *latencies)
{
#define X(name) free(latencies->name);
    LATENCIES(X)
#undef X
    *latencies = (struct latencies){0};
}

void latencies_add(struct latencies *into, const struct latencies *from)
{
#define X(name) histogram_add(into->name, from->name);
    LATENCIES(X)
#undef X
}

/* The response time counts from when the request was due. Counted from when it was sent, a server
 * that stalls would delay the next requests, and nobody would see it: coordinated omission. */
void latencies_answered(struct latencies *latencies, uint64_t scheduled_ns, uint64_t sent_ns,
                        uint64_t received_ns)
{
    histogram_record(latencies->response, received_ns - scheduled_ns);
    histogram_record(latencies->service, received_ns - sent_ns);
}

/* The true time is longer than the age. To leave the request out would make a server look better,
 * the less it answers. */
void latencies_unanswered(struct latencies *latencies, uint64_t scheduled_ns, uint64_t sent_ns,
                          uint64_t end_ns)
{
    histogram_record(latencies->censored, end_ns - scheduled_ns);
    if (sent_ns != LATENCIES_NOT_SENT)
        histogram_record(latencies->censored_service, end_ns - sent_ns);
}

struct timing latencies_timing(const struct latencies *latencies, enum timing_kind kind)
{
    switch (kind) {
    case TIMING_RESPONSE:
        return (struct timing){"response", latencies->response, latencies->censored};
    case TIMING_SERVICE:
        return (struct timing){"service", latencies->service, latencies->censored_service};
    case TIMING_LAG:
    case TIMING_KINDS:
        break;
    }
    return (struct timing){"lag", latencies->lag, NULL};
}
