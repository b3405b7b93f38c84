#include "stats.h"

#include "at_once.h"

#include <inttypes.h>

static const char *const reason_names[CLOSE_REASON_COUNT] = {
#define X(name) #name,
    CLOSE_REASONS(X)
#undef X
};

struct report {
    const struct stats *stats;
    const struct stats_gauges *gauges;
};

static void print_object(FILE *line, const void *what)
{
    const struct report *report = what;
    const struct stats *stats = report->stats;
    const struct stats_gauges *gauges = report->gauges;

    /* No string printed here needs escaping: all are names of ours. */
    (void)fprintf(line, "{\"server\": \"%s\", \"implementation\": \"%s\"", gauges->server,
                  gauges->implementation);
    (void)fprintf(line, ", \"uptime_seconds\": %.3f", gauges->uptime_seconds);
    (void)fprintf(line, ", \"connections\": %" PRIu64 ", \"buffers\": %" PRIu64,
                  gauges->connections, stats->buffers);
#define X(name) (void)fprintf(line, ", \"%s\": %" PRIu64, #name, stats->name);
    COUNTERS(X)
#undef X
    (void)fputs(", \"closed\": {", line);
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
        (void)fprintf(line, "%s\"%s\": %" PRIu64, reason ? ", " : "", reason_names[reason],
                      stats->closed[reason]);
    (void)fputs("}}\n", line);
}

int stats_print(FILE *stream, const struct stats *stats, const struct stats_gauges *gauges)
{
    const struct report report = {stats, gauges};

    /* Standard error is not buffered: otherwise each piece would be a write of its own. */
    return print_at_once(stream, print_object, &report);
}
