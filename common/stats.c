#include "stats.h"

#include "json.h"

static const char *const reason_names[CLOSE_REASON_COUNT] = {
#define X(name) #name,
    CLOSE_REASONS(X)
#undef X
};

void stats_add(struct stats *sum, const struct stats *more)
{
#define X(name) sum->name += more->name;
    COUNTERS(X)
#undef X
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
        sum->closed[reason] += more->closed[reason];
    sum->buffers += more->buffers;
}

/* A few numbers a loop, in columns: with 64 loops the line is still shorter than a page, and so a
 * pipe takes it whole or not at all (see log.c). */
static void print_loops(struct json *json, const struct stats_gauges *gauges)
{
    json_object(json, "loops");
    json_array(json, "connections");
    for (unsigned i = 0; i < gauges->loop_count; i++)
        json_unsigned(json, NULL, gauges->loops[i].connections);
    json_end(json);
#define X(name)                                                                                    \
    json_array(json, #name);                                                                       \
    for (unsigned i = 0; i < gauges->loop_count; i++)                                              \
        json_unsigned(json, NULL, gauges->loops[i].stats->name);                                   \
    json_end(json);
    X(accepted)
    X(frames)
    X(waits)
#undef X
    json_end(json);
}

int stats_print(FILE *stream, const struct stats *stats, const struct stats_gauges *gauges)
{
    struct json json;

    json_start(&json, stream, false);
    json_string(&json, "server", gauges->server);
    json_string(&json, "implementation", gauges->implementation);
    json_fixed(&json, "uptime_seconds", gauges->uptime_seconds, 3);
    json_unsigned(&json, "connections", gauges->connections);
    json_unsigned(&json, "buffers", stats->buffers);
#define X(name) json_unsigned(&json, #name, stats->name);
    COUNTERS(X)
#undef X
    json_object(&json, "closed");
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
        json_unsigned(&json, reason_names[reason], stats->closed[reason]);
    json_end(&json);
    if (gauges->loop_count > 0)
        print_loops(&json, gauges);
    return json_finish(&json);
}
