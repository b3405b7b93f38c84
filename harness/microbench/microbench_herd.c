/* How many workers wake up for one connection, and which of them gets it. */
#include "../loadgen/mix.h"
#include "descriptors.h"
#include "herd.h"
#include "request.h"

#include <inttypes.h>

struct request {
    enum herd_way way;
    uint64_t workers;
    uint64_t connections;
    uint64_t busy;
};

static const struct option_row rows[] = {
    {"way", "NAME", "how the workers wait", CHOICE_INTO(struct request, way, herd_names),
     .required = true},
    {"workers", "N", "processes that wait (8)",
     NUMBER_INTO(struct request, workers, 1, HERD_WORKERS_MOST)},
    {"connections", "N", "connections, one after the other (400)",
     NUMBER_INTO(struct request, connections, 1, 1U << 20)},
    {"busy", "N", "connections that are open at a time and keep their workers busy (0: none)",
     NUMBER_INTO(struct request, busy, 0, HERD_WORKERS_MOST - 1)},
};

static enum options_result read_request(struct request *request, int argc, char **argv)
{
    enum options_result result =
        request_read("Workers that one connection wakes up, counted.", rows,
                     sizeof rows / sizeof rows[0], request, argc, argv);
    if (result == OPTIONS_RUN && request->busy >= request->workers) {
        error_print("--busy: %" PRIu64 " busy workers leave none of %" PRIu64 " idle",
                    request->busy, request->workers);
        return OPTIONS_BAD;
    }
    return result;
}

/* A hash over what was asked for; the way is not part of it. */
static uint64_t hash_of(const struct request *request)
{
    uint64_t hash = mix_into(mix_into(mix_into(0, 'h'), request->workers), request->connections);

    return mix_into(hash, request->busy);
}

static struct herd_worker sum_of(const struct herd_worker *found, uint64_t workers)
{
    struct herd_worker sum = {0};

    for (uint64_t i = 0; i < workers; i++) {
        sum.accepted += found[i].accepted;
        sum.would_block += found[i].would_block;
        sum.waits += found[i].waits;
        sum.switches += found[i].switches;
    }
    return sum;
}

static void print_shares(struct json *json, const struct request *request,
                         const struct herd_worker *found)
{
    uint64_t most = 0;
    uint64_t least = UINT64_MAX;

    for (uint64_t i = 0; i < request->workers; i++) {
        most = found[i].accepted > most ? found[i].accepted : most;
        least = found[i].accepted < least ? found[i].accepted : least;
    }
    json_double(json, "most_share", (double)most / (double)request->connections, 6);
    json_double(json, "least_share", (double)least / (double)request->connections, 6);
}

static int print(const struct request *request, const struct herd_counts *counts)
{
    const struct herd_worker *found = counts->workers;
    struct herd_worker sum = sum_of(found, request->workers);
    double connections = (double)request->connections;
    struct json json;

    request_begin_json(&json, "microbench_herd", "epoll", "native");
    json_string(&json, "way", herd_names[request->way]);
    json_unsigned(&json, "workers", request->workers);
    json_unsigned(&json, "connections", request->connections);
    json_unsigned(&json, "busy", request->busy);
    json_hash(&json, "schedule_hash", hash_of(request));
    json_object(&json, "counts");
    json_unsigned(&json, "accepted", sum.accepted);
    json_unsigned(&json, "would_block", sum.would_block);
    json_unsigned(&json, "waits", sum.waits);
    json_unsigned(&json, "switches", sum.switches);
    json_unsigned(&json, "waited", counts->waited);
    json_array(&json, "accepted_by");
    for (uint64_t i = 0; i < request->workers; i++)
        json_unsigned(&json, NULL, found[i].accepted);
    json_end(&json);
    json_end(&json);
    json_object(&json, "figures");
    json_double(&json, "switches", (double)sum.switches / connections, 6);
    json_double(&json, "would_block", (double)sum.would_block / connections, 6);
    json_double(&json, "waits", (double)sum.waits / connections, 6);
    json_double(&json, "waited", (double)counts->waited / connections, 6);
    print_shares(&json, request, found);
    json_end(&json);
    return request_end_json(&json);
}

int main(int argc, char **argv)
{
    struct request request = {.workers = 8, .connections = 400};
    struct herd_counts counts;
    struct error error;

    error_set_program("microbench_herd");
    enum options_result options = read_request(&request, argc, argv);
    if (options != OPTIONS_RUN)
        return options == OPTIONS_HELP_SHOWN ? 0 : 2;
    struct herd_plan plan = {.way = request.way,
                             .workers = (uint32_t)request.workers,
                             .connections = (uint32_t)request.connections,
                             .busy = (uint32_t)request.busy};
    uint64_t needed = 2 * request.workers + request.busy; /* a listener and a file of /proc each */
    if (descriptors_reserve(needed, "that many workers", &error) < 0 ||
        herd_run(&plan, &counts, &error) < 0) {
        error_print("%s", error.text);
        return 1;
    }
    return print(&request, &counts) == 0 ? 0 : 1;
}
