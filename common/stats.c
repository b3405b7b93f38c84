#include "stats.h"

#include "json.h"

static const char *const reason_names[CLOSE_REASON_COUNT] = {
#define X(name) #name,
    CLOSE_REASONS(X)
#undef X
};

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
    return json_finish(&json);
}
