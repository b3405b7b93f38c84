/* What each way to pass bytes on costs in calls and copies. */
#include "../loadgen/mix.h"
#include "relay.h"
#include "request.h"

struct request {
    enum relay_way way;
    uint64_t piece;
    uint64_t rounds;
};

static const struct option_row rows[] = {
    {"way", "NAME", "how bytes are passed on", CHOICE_INTO(struct request, way, relay_names),
     .required = true},
    {"piece", "BYTES", "that the source sends at a time (65536)",
     NUMBER_INTO(struct request, piece, 1, RELAY_PIECE_MOST)},
    {"rounds", "N", "rounds, each of 64 KiB or of 256 pieces (64)",
     NUMBER_INTO(struct request, rounds, 1, 1U << 20)},
};

/* A hash over what was asked for; the way is not part of it. */
static uint64_t hash_of(const struct request *request)
{
    return mix_into(mix_into(mix_into(0, 'r'), request->piece), request->rounds);
}

static int print(const struct request *request, const struct relay_counts *counts)
{
    uint64_t copied = relay_copied(request->way, counts);
    double bytes = (double)counts->bytes;
    struct json json;

    request_begin_json(&json, "microbench_relay", "tcp", "native");
    json_string(&json, "way", relay_names[request->way]);
    json_unsigned(&json, "piece", request->piece);
    json_unsigned(&json, "rounds", request->rounds);
    json_hash(&json, "schedule_hash", hash_of(request));
    json_object(&json, "counts");
    json_unsigned(&json, "bytes", counts->bytes);
    json_unsigned(&json, "calls", counts->calls);
    json_unsigned(&json, "received", counts->received);
    json_unsigned(&json, "sent", counts->sent);
    json_unsigned(&json, "pinned", counts->pinned);
    json_unsigned(&json, "pinned_copied", counts->pinned_copied);
    json_unsigned(&json, "kept", counts->kept);
    json_end(&json);
    json_object(&json, "figures");
    json_double(&json, "calls_mib", (double)counts->calls * (1 << 20) / bytes, 6);
    json_double(&json, "copied", (double)copied / bytes, 6);
    json_double(&json, "kept", (double)counts->kept / bytes, 6);
    json_end(&json);
    return request_end_json(&json);
}

int main(int argc, char **argv)
{
    struct request request = {.piece = 65536, .rounds = 64};
    struct relay_counts counts;
    struct error error;

    error_set_program("microbench_relay");
    enum options_result options =
        request_read("Calls and copies of each way to pass bytes on, counted.", rows,
                     sizeof rows / sizeof rows[0], &request, argc, argv);
    if (options != OPTIONS_RUN)
        return options == OPTIONS_HELP_SHOWN ? 0 : 2;
    struct relay_plan plan = {
        .way = request.way, .piece = (uint32_t)request.piece, .rounds = (uint32_t)request.rounds};
    if (relay_run(&plan, &counts, &error) < 0) {
        error_print("%s", error.text);
        return 1;
    }
    return print(&request, &counts) == 0 ? 0 : 1;
}
