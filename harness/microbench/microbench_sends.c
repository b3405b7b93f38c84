/* What each way to send small frames costs in calls and segments, and whether it stalls. */
#include "../loadgen/mix.h"
#include "request.h"
#include "samples.h"
#include "sends.h"

static const char *const nodelay_names[] = {"no", "yes", NULL};

struct request {
    enum sends_way way;
    unsigned nodelay;
    uint64_t frames;
    uint64_t payload;
    uint64_t batches;
};

static const struct option_row rows[] = {
    {"way", "NAME", "how a batch is sent", CHOICE_INTO(struct request, way, sends_names),
     .required = true},
    {"nodelay", "HOW", "whether TCP_NODELAY is set",
     CHOICE_INTO(struct request, nodelay, nodelay_names)},
    {"frames", "N", "frames of a batch (1)",
     NUMBER_INTO(struct request, frames, 1, SENDS_FRAMES_MOST)},
    {"payload", "BYTES", "of a frame (64)",
     NUMBER_INTO(struct request, payload, 1, SENDS_PAYLOAD_MOST)},
    {"batches", "N", "batches, each after the answer to the one before it (50)",
     NUMBER_INTO(struct request, batches, 1, SAMPLES_MOST)},
};

/* A hash over what was asked for; the way is not part of it. */
static uint64_t hash_of(const struct request *request)
{
    const uint64_t asked[] = {request->nodelay, request->frames, request->payload,
                              request->batches};
    uint64_t hash = mix_into(0, 's');

    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++)
        hash = mix_into(hash, asked[i]);
    return hash;
}

static void print_figures(struct json *json, const struct request *request,
                          const struct sends_counts *counts)
{
    double batches = (double)request->batches;
    double frames = (double)request->frames * batches;
    double bytes = (double)counts->bytes;

    json_object(json, "figures");
    json_double(json, "calls", (double)counts->calls / frames, 6);
    json_double(json, "segments", (double)counts->segments / frames, 6);
    json_double(json, "late", (double)counts->late / batches, 6);
    json_double(json, "copied", ((double)counts->joined + bytes) / bytes, 6);
    json_fixed(json, "batch_us", counts->median_us, 3);
    json_end(json);
}

static int print(const struct request *request, const struct sends_counts *counts)
{
    struct json json;

    request_begin_json(&json, "microbench_sends", "tcp", "native");
    json_string(&json, "way", sends_names[request->way]);
    json_string(&json, "nodelay", nodelay_names[request->nodelay]);
    json_unsigned(&json, "frames", request->frames);
    json_unsigned(&json, "payload", request->payload);
    json_unsigned(&json, "batches", request->batches);
    json_hash(&json, "schedule_hash", hash_of(request));
    json_object(&json, "counts");
    json_unsigned(&json, "calls", counts->calls);
    json_unsigned(&json, "joined", counts->joined);
    json_unsigned(&json, "bytes", counts->bytes);
    json_unsigned(&json, "segments", counts->segments);
    json_unsigned(&json, "retransmitted", counts->retransmitted);
    json_unsigned(&json, "late", counts->late);
    json_unsigned(&json, "first_late", counts->first_late);
    json_end(&json);
    print_figures(&json, request, counts);
    return request_end_json(&json);
}

int main(int argc, char **argv)
{
    struct request request = {.frames = 1, .payload = 64, .batches = 50};
    struct sends_counts counts;
    struct error error;

    error_set_program("microbench_sends");
    enum options_result options =
        request_read("Calls and segments of each way to send small frames, counted.", rows,
                     sizeof rows / sizeof rows[0], &request, argc, argv);
    if (options != OPTIONS_RUN)
        return options == OPTIONS_HELP_SHOWN ? 0 : 2;
    struct sends_plan plan = {.way = request.way,
                              .frames = (uint32_t)request.frames,
                              .payload = (uint32_t)request.payload,
                              .batches = (uint32_t)request.batches,
                              .nodelay = request.nodelay != 0};
    if (sends_run(&plan, &counts, &error) < 0) {
        error_print("%s", error.text);
        return 1;
    }
    return print(&request, &counts) == 0 ? 0 : 1;
}
