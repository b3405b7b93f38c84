/* libevent's benchmark, without libevent: bytes are passed on from pair to pair. */
#include "../../common/clock.h"
#include "../loadgen/mix.h"
#include "chain.h"
#include "preempted.h"
#include "request.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const kind_names[] = {"socketpair", "pipe", NULL};

enum { MOST_ROUNDS = 1000, LEAST_ROUNDS = 3 };

struct request {
    unsigned api;
    uint64_t pairs;
    uint64_t active;
    uint64_t writes;
    enum chain_kind kind;
    uint64_t seed;
    uint64_t rounds;
    uint64_t span_ns;
};

static const struct option_row rows[] = {
    {"api", "NAME", "what waits for the bytes", CHOICE_INTO(struct request, api, mechanism_names),
     .required = true},
    {"pairs", "N", "pairs of descriptors (100)", NUMBER_INTO(struct request, pairs, 1, 1U << 20)},
    {"active", "A", "of them, how many get a byte at the start (1)",
     NUMBER_INTO(struct request, active, 1, 1U << 20)},
    {"writes", "W", "how often a byte is handed on in a round (as many as pairs)",
     NUMBER_INTO(struct request, writes, 0, 1U << 30)},
    {"kind", "KIND", "what a pair is", CHOICE_INTO(struct request, kind, kind_names)},
    {"seed", "S", "part of the hash; there is nothing random in a chain (1)",
     NUMBER_INTO(struct request, seed, 0, UINT64_MAX)},
    {"rounds", "R", "how often all of it is done (25)",
     NUMBER_INTO(struct request, rounds, 1, MOST_ROUNDS)},
    {"seconds", "T", "after which no round beyond the third begins (20)",
     SPAN_INTO(struct request, span_ns)},
};

static enum options_result read_request(struct request *request, int argc, char **argv)
{
    request->writes = UINT64_MAX;
    enum options_result result = request_read("The chain of libevent's test/bench.c.", rows,
                                              sizeof rows / sizeof rows[0], request, argc, argv);
    if (result != OPTIONS_RUN)
        return result;
    if (request->writes == UINT64_MAX) /* not given */
        request->writes = request->pairs;
    if (request->active > request->pairs) {
        error_print("--active: %" PRIu64 " is more than --pairs, which is %" PRIu64,
                    request->active, request->pairs);
        return OPTIONS_BAD;
    }
    return OPTIONS_RUN;
}

/* A hash over what was asked for; the API and the number of rounds are not part of it. */
static uint64_t hash_of(const struct request *request)
{
    const uint64_t asked[] = {request->pairs, request->active, request->writes, request->kind};
    uint64_t hash = mix_into(request->seed, 'c');

    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        hash = mix_into(hash, asked[i]);
    return hash;
}

static void print_request(struct json *json, const struct request *request)
{
    const struct mechanism_kind *kind = mechanism_at(request->api);

    request_begin_json(json, "microbench_chain", kind->name, kind->implementation);
    json_unsigned(json, "pairs", request->pairs);
    json_unsigned(json, "active", request->active);
    json_unsigned(json, "writes", request->writes);
    json_string(json, "kind", kind_names[request->kind]);
    json_unsigned(json, "seed", request->seed);
    json_unsigned(json, "rounds", request->rounds);
    json_double(json, "seconds", (double)request->span_ns / 1e9, 6);
    json_hash(json, "schedule_hash", hash_of(request));
}

static void print_figures(struct json *json, const struct chain *chain, struct samples *samples,
                          double preempted)
{
    json_object(json, "figures");
    json_array(json, "rounds_us");
    for (size_t i = 0; i < samples->count; i++)
        json_fixed(json, NULL, samples->values[i] / 1e3, 3);
    json_end(json);
    json_fixed(json, "chain_us_least", samples_least(samples) / 1e3, 3);
    json_fixed(json, "chain_us", samples_median(samples) / 1e3, 3);
    json_unsigned(json, "written", chain->written);
    json_unsigned(json, "received", chain->received);
    json_unsigned(json, "waits", chain->waits);
    json_fixed(json, "preempted", preempted, 2);
    json_end(json);
}

static int run_rounds(const struct request *request, struct chain *chain, struct samples *samples,
                      double *preempted, struct error *error)
{
    struct preempted begun;

    preempted_begin(&begun);
    uint64_t deadline_ns = clock_after(clock_now(), request->span_ns);

    for (uint64_t round = 0; round < request->rounds; round++) {
        uint64_t span_ns = 0;
        if (round >= LEAST_ROUNDS && clock_now() >= deadline_ns)
            break;
        if (chain_run(chain, (uint32_t)request->active, request->writes, &span_ns, error) < 0)
            return -1;
        samples_add(samples, (double)span_ns);
    }
    *preempted = preempted_since(&begun);
    return 0;
}

int main(int argc, char **argv)
{
    struct request request = {
        .pairs = 100, .active = 1, .seed = 1, .rounds = 25, .span_ns = 20 * NANOSECONDS_A_SECOND};
    struct chain chain;
    struct json json;
    struct error error;

    error_set_program("microbench_chain");
    enum options_result options = read_request(&request, argc, argv);
    if (options != OPTIONS_RUN)
        return options == OPTIONS_HELP_SHOWN ? 0 : 2;
    struct samples *samples = NULL;
    double preempted = 0;
    int status = chain_open(&chain, mechanism_at(request.api), (uint32_t)request.pairs,
                            request.kind, &error);
    if (status == 0)
        samples = samples_new(&error);
    status = samples == NULL ? -1 : run_rounds(&request, &chain, samples, &preempted, &error);
    chain_close(&chain);
    if (status < 0) {
        error_print("%s", error.text);
    } else {
        print_request(&json, &request);
        print_figures(&json, &chain, samples, preempted);
        status = request_end_json(&json);
    }
    free(samples);
    return status == 0 ? 0 : 1;
}
