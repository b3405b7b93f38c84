/* Many watched descriptors, one of them ready: what one wait costs. With epoll they belong to many
 * processes, so that no limit of a process bounds their number. */
#include "../loadgen/mix.h"
#include "../microbench/request.h"
#include "alone.h"
#include "fleet.h"
#include "room.h"
#include "stop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

static const char *const api_names[] = {"epoll_lt", "poll", "select", NULL};
static const struct mechanism_kind *const alone_kinds[] = {NULL, &mechanism_poll,
                                                           &mechanism_select};

struct request {
    unsigned api;
    enum entry_kind kind;
    uint64_t watched;
    uint64_t descriptors;
    uint64_t rounds;
    uint64_t seed;
    bool stages;
    bool check;
    const char *root;
};

static const struct option_row rows[] = {
    {"api", "NAME", "what waits", CHOICE_INTO(struct request, api, api_names)},
    {"watched", "N", "descriptors that are watched (1000000)",
     NUMBER_INTO(struct request, watched, 1, 1U << 27)},
    {"kind", "KIND", "what they are; tcp has both ends here",
     CHOICE_INTO(struct request, kind, entry_kind_names)},
    {"descriptors", "N", "that a process has at most (20000)",
     NUMBER_INTO(struct request, descriptors, 1, 1U << 30)},
    {"rounds", "R", "how often another one is made ready (25)",
     NUMBER_INTO(struct request, rounds, 1, 10000)},
    {"seed", "S", "of which one that is (1)", NUMBER_INTO(struct request, seed, 0, UINT64_MAX)},
    {"stages", NULL, "wait for a line of input when all are made, and before the end",
     FLAG_INTO(struct request, stages)},
    {"check", NULL, "only say whether there is room", FLAG_INTO(struct request, check)},
    {"root", "DIR", "where proc and sys are (/)", TEXT_INTO(struct request, root)},
};

/* A hash over what was asked for; who waits, and in how many processes, is not part of it. */
static uint64_t hash_of(const struct request *request)
{
    const uint64_t asked[] = {request->watched, request->kind, request->rounds};
    uint64_t hash = mix_into(request->seed, 'm');

    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        hash = mix_into(hash, asked[i]);
    return hash;
}

/* Lets whoever started this look at the machine. The end of the input is as good as a line. */
static int pause_here(const struct request *request, struct error *error)
{
    char byte = 0;
    ssize_t got = 0;

    if (!request->stages)
        return 0;
    do {
        if (stop_await(STDIN_FILENO, error) < 0)
            return -1;
        got = read(STDIN_FILENO, &byte, 1);
    } while (got == 1 && byte != '\n');
    return got < 0 ? error_set(error, "read", "standard input", errno) : 0;
}

static int pause_when_made(const struct request *request, struct error *error)
{
    if (request->stages && (puts("made") < 0 || fflush(stdout) != 0))
        return error_set(error, "write", "standard output", errno);
    return pause_here(request, error);
}

static int print(const struct request *request, const struct one_ready *result, uint32_t processes,
                 double register_us, struct error *error)
{
    struct json json;

    request_begin_json(&json, "million", api_names[request->api], "native");
    json_unsigned(&json, "watched", request->watched);
    json_string(&json, "kind", entry_kind_names[request->kind]);
    json_unsigned(&json, "descriptors", request->descriptors);
    json_unsigned(&json, "rounds", request->rounds);
    json_unsigned(&json, "seed", request->seed);
    json_unsigned(&json, "processes", processes);
    json_hash(&json, "schedule_hash", hash_of(request));
    json_object(&json, "figures");
    json_fixed(&json, "wait_us", result->median_us, 4);
    json_fixed(&json, "wait_us_least", result->least_us, 4);
    if (alone_kinds[request->api] == NULL)
        json_fixed(&json, "register_us", register_us, 4);
    json_unsigned(&json, "calls", result->calls);
    json_unsigned(&json, "events", result->calls); /* each call had one, or there are no figures */
    json_end(&json);
    if (json_finish(&json) < 0)
        return error_set(error, "write", "standard output", errno);
    return pause_here(request, error);
}

static int measure_together(const struct request *request, struct fleet *fleet, struct error *error)
{
    struct one_ready result;
    uint64_t span_ns = 0;
    struct crowd crowd = fleet_crowd(fleet, request->watched);

    if (pause_when_made(request, error) < 0 || fleet_watch(fleet, &span_ns, error) < 0 ||
        one_ready_measure(&crowd, (uint32_t)request->rounds, request->seed, &result, error) < 0 ||
        fleet_check(fleet, error) < 0)
        return -1;
    double register_us = (double)span_ns / (double)request->watched / 1e3;
    if (print(request, &result, fleet->size, register_us, error) < 0)
        return -1;
    return fleet_check(fleet, error); /* what was looked at during the pause was all there */
}

static int run_together(const struct request *request, struct error *error)
{
    struct room_request room = {request->kind, request->watched,
                                room_descriptors(request->descriptors, request->root),
                                request->root};
    struct fleet fleet;

    if (room_check(&room, error) < 0)
        return -1;
    if (request->check)
        return 0;
    stop_begin();
    int status = fleet_open(&fleet, request->kind, request->watched,
                            entries_most(request->kind, room.descriptors), error);
    if (status == 0)
        status = measure_together(request, &fleet, error);
    fleet_close(&fleet);
    return status;
}

static int measure_alone(const struct request *request, struct alone *alone, struct error *error)
{
    struct one_ready result;
    struct crowd crowd = alone_crowd(alone);

    if (pause_when_made(request, error) < 0 ||
        one_ready_measure(&crowd, (uint32_t)request->rounds, request->seed, &result, error) < 0)
        return -1;
    return print(request, &result, 1, 0, error);
}

static int run_alone(const struct request *request, struct error *error)
{
    const struct mechanism_kind *kind = alone_kinds[request->api];
    struct alone alone;

    if (alone_check(kind, request->kind, request->watched, error) < 0)
        return -1;
    if (request->check)
        return 0;
    stop_begin();
    int status = alone_open(&alone, kind, request->kind, (uint32_t)request->watched, error);
    if (status == 0)
        status = measure_alone(request, &alone, error);
    alone_close(&alone);
    return status;
}

int main(int argc, char **argv)
{
    struct request request = {
        .watched = 1000000, .descriptors = 20000, .rounds = 25, .seed = 1, .root = ""};
    struct error error;

    error_set_program("million");
    enum options_result options =
        request_read("What one wait costs when up to millions of descriptors are watched.", rows,
                     sizeof rows / sizeof rows[0], &request, argc, argv);
    if (options != OPTIONS_RUN)
        return options == OPTIONS_HELP_SHOWN ? 0 : 2;
    int status = alone_kinds[request.api] != NULL ? run_alone(&request, &error)
                                                  : run_together(&request, &error);
    if (status == 0)
        return 0;
    stop_end();
    error_print("%" PRIu64 " watched: %s", request.watched, error.text);
    return 1;
}
