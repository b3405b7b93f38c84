#include "stats.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>

static const char *const reason_names[CLOSE_REASON_COUNT] = {
#define X(name) #name,
    CLOSE_REASONS(X)
#undef X
};

static void print_object(FILE *line, const struct stats *stats, const struct stats_gauges *gauges)
{
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
    char *text = NULL;
    size_t size = 0;
    /* Standard error is not buffered: without this, each piece would be a write of its own. */
    FILE *line = open_memstream(&text, &size);

    if (line == NULL)
        return -1;
    print_object(line, stats, gauges);
    bool whole = fclose(line) == 0;
    if (whole && text == NULL) { /* glibc: no memory to end the stream with, and yet 0 */
        errno = ENOMEM;
        whole = false;
    }
    whole = whole && fwrite(text, 1, size, stream) == size && fflush(stream) == 0;
    free(text);
    return whole ? 0 : -1;
}
