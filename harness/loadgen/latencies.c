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
