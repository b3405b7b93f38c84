#include "stats.h"

#include <inttypes.h>

static const char *const reason_names[CLOSE_REASON_COUNT] = {
#define X(name) #name,
    CLOSE_REASONS(X)
#undef X
};

int stats_print(FILE *stream, const struct stats *stats, const struct stats_gauges *gauges)
{
    /* No string printed here needs escaping: all are names of ours. */
    (void)fprintf(stream, "{\"server\": \"%s\", \"implementation\": \"%s\"", gauges->server,
                  gauges->implementation);
    (void)fprintf(stream, ", \"uptime_seconds\": %.3f", gauges->uptime_seconds);
    (void)fprintf(stream, ", \"connections\": %" PRIu64 ", \"buffers\": %" PRIu64,
                  gauges->connections, gauges->buffers);
#define X(name) (void)fprintf(stream, ", \"%s\": %" PRIu64, #name, stats->name);
    COUNTERS(X)
#undef X
    (void)fputs(", \"closed\": {", stream);
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
        (void)fprintf(stream, "%s\"%s\": %" PRIu64, reason ? ", " : "", reason_names[reason],
                      stats->closed[reason]);
    (void)fputs("}}\n", stream);
    return fflush(stream) == 0 && !ferror(stream) ? 0 : -1;
}
