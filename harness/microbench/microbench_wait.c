/* What it costs to ask which of many sockets are readable: the call alone, with --cycle the whole
 * work of a loop, with --block a call that sleeps. */
#include "../loadgen/mix.h"
#include "cycle.h"
#include "one_wait.h"
#include "preempted.h"
#include "request.h"
#include "sleeping_wait.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const place_names[] = {"last", "first", "spread", NULL};

struct request {
    unsigned api;
    uint64_t watched;
    uint64_t ready;
    enum place place;
    uint64_t from;
    bool same;
    uint64_t seed;
    uint64_t span_ns;
    bool cycle;
    uint64_t block; /* milliseconds; 0: calls do not sleep */
};

static const struct option_row rows[] = {
    {"api", "NAME", "what is measured", CHOICE_INTO(struct request, api, mechanism_names),
     .required = true},
    {"watched", "N", "TCP sockets that are watched (1000)",
     NUMBER_INTO(struct request, watched, 1, 1U << 20)},
    {"ready", "K", "of them, how many are readable (1)",
     NUMBER_INTO(struct request, ready, 0, 1U << 20)},
    {"place", "HOW", "where these stand", CHOICE_INTO(struct request, place, place_names)},
    {"from", "NUMBER", "the least number of their descriptors (0: as they come)",
     NUMBER_INTO(struct request, from, 0, 1U << 20)},
    {"same", NULL, "watch N duplicates of one socket (dup(2)); needs --ready 0",
     FLAG_INTO(struct request, same)},
    {"seed", "S", "of the order in which they become readable (1)",
     NUMBER_INTO(struct request, seed, 0, UINT64_MAX)},
    {"seconds", "T", "how long to measure (0.5)", SPAN_INTO(struct request, span_ns)},
    {"cycle", NULL, "time the wait, the search for what is ready, and the reading",
     FLAG_INTO(struct request, cycle)},
    {"block", "MS", "the CPU time of a call that sleeps so long (milliseconds); needs --ready 0",
     NUMBER_INTO(struct request, block, 1, 999)},
};

static enum options_result read_request(struct request *request, int argc, char **argv)
{
    enum options_result result =
        request_read("What one wait for readiness costs, without a server.", rows,
                     sizeof rows / sizeof rows[0], request, argc, argv);
    if (result != OPTIONS_RUN)
        return result;
    if (request->ready > request->watched) {
        error_print("--ready: %" PRIu64 " is more than --watched, which is %" PRIu64,
                    request->ready, request->watched);
        return OPTIONS_BAD;
    }
    if (request->cycle && request->ready == 0) {
        error_print("--ready: a cycle needs something to read");
        return OPTIONS_BAD;
    }
    if ((request->same || request->block > 0) && request->ready > 0) {
        error_print("--ready: must be 0 with --%s", request->same ? "same" : "block");
        return OPTIONS_BAD;
    }
    return OPTIONS_RUN;
}

/* A hash over what was asked for; the API and the length of the measurement are not part of it. */
static uint64_t hash_of(const struct request *request)
{
    const uint64_t asked[] = {request->watched, request->ready, request->place, request->cycle,
                              request->from,    request->same,  request->block};
    uint64_t hash = mix_into(request->seed, 'w');

    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        hash = mix_into(hash, asked[i]);
    return hash;
}

static void print_request(struct json *json, const struct request *request)
{
    const struct mechanism_kind *kind = mechanism_at(request->api);

    request_begin_json(json, "microbench_wait", kind->name, kind->implementation);
    json_unsigned(json, "watched", request->watched);
    json_unsigned(json, "ready", request->ready);
    json_string(json, "place", place_names[request->place]);
    json_unsigned(json, "from", request->from);
    json_bool(json, "same", request->same);
    json_unsigned(json, "seed", request->seed);
    json_double(json, "seconds", (double)request->span_ns / 1e9, 6);
    json_bool(json, "cycle", request->cycle);
    json_unsigned(json, "block", request->block);
    json_hash(json, "schedule_hash", hash_of(request));
    json_object(json, "figures");
}

static int measure_wait(const struct request *request, struct watched *watched, struct json *json,
                        struct error *error)
{
    struct one_wait result;
    struct preempted begun;

    preempted_begin(&begun);
    if (one_wait_measure(watched, request->span_ns, &result, error) < 0)
        return -1;
    double preempted = preempted_since(&begun);
    print_request(json, request);
    json_fixed(json, "preempted", preempted, 2);
    json_fixed(json, "wait_us", result.median_us, 4);
    json_fixed(json, "wait_us_least", result.least_us, 4);
    json_unsigned(json, "events", request->ready);
    json_unsigned(json, "calls", result.calls);
    json_unsigned(json, "batches", result.batches);
    return 0;
}

/* Not told here: the process with the other ends writes on the same core between two rounds. */
static int measure_cycle(const struct request *request, struct watched *watched, struct json *json,
                         struct error *error)
{
    struct cycle result;

    if (cycle_measure(watched, request->span_ns, &result, error) < 0)
        return -1;
    print_request(json, request);
    json_fixed(json, "cycle_us", result.median_us, 4);
    json_fixed(json, "cycle_us_least", result.least_us, 4);
    json_fixed(json, "wait_us", result.wait_us, 4);
    json_fixed(json, "waits", result.waits, 3);
    json_unsigned(json, "received", request->ready);
    json_unsigned(json, "rounds", result.rounds);
    return 0;
}

static int measure_block(const struct request *request, struct watched *watched, struct json *json,
                         struct error *error)
{
    struct sleeping_wait result;
    struct preempted begun;

    preempted_begin(&begun);
    if (sleeping_wait_measure(watched, request->span_ns, (int)request->block, &result, error) < 0)
        return -1;
    double preempted = preempted_since(&begun);
    print_request(json, request);
    json_fixed(json, "preempted", preempted, 2);
    json_fixed(json, "cpu_us", result.cpu_us, 4);
    json_fixed(json, "sleeps", result.sleeps, 3);
    json_unsigned(json, "calls", result.calls);
    return 0;
}

static int measure(const struct request *request, struct watched *watched, struct json *json,
                   struct error *error)
{
    if (request->cycle)
        return measure_cycle(request, watched, json, error);
    return request->block > 0 ? measure_block(request, watched, json, error)
                              : measure_wait(request, watched, json, error);
}

int main(int argc, char **argv)
{
    struct request request = {.watched = 1000, .ready = 1, .seed = 1, .span_ns = 500000000};
    struct watched watched;
    struct json json;
    struct error error;

    error_set_program("microbench_wait");
    enum options_result options = read_request(&request, argc, argv);
    if (options != OPTIONS_RUN)
        return options == OPTIONS_HELP_SHOWN ? 0 : 2;
    const struct watched_plan wanted = {.count = (uint32_t)request.watched,
                                        .ready_count = (uint32_t)request.ready,
                                        .place = request.place,
                                        .from = (uint32_t)request.from,
                                        .seed = request.seed,
                                        .same = request.same};
    int status = watched_open(&watched, mechanism_at(request.api), &wanted, &error);
    if (status == 0)
        status = measure(&request, &watched, &json, &error);
    watched_close(&watched);
    if (status < 0) {
        error_print("%s", error.text);
    } else {
        json_end(&json);
        status = request_end_json(&json);
    }
    return status < 0 ? 1 : 0;
}
