#include "merge.h"

#include "json.h"
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* From when to when a run measured, on the clock that machines share. */
struct span {
    uint64_t from_ns;
    double seconds;
};

static int refuse(struct error *error, const char *path, const char *why)
{
    (void)snprintf(error->text, sizeof error->text, "%s: %s", path, why);
    return -1;
}

static int read_histogram(struct histogram *into, const struct json *value)
{
    struct histogram *one = histogram_new();
    const struct json *slots = json_member(value, "slots");
    int result = one == NULL || slots == NULL ? -1 : 0;

    for (const struct json *pair = slots == NULL ? NULL : slots->first; pair && result == 0;
         pair = pair->next)
        if (pair->type != JSON_ARRAY || pair->first == NULL || pair->first->next == NULL ||
            histogram_fill(one, json_whole(pair->first), json_whole(pair->first->next)) < 0)
            result = -1;
    if (result == 0 && histogram_load(&one->count) != json_whole(json_member(value, "count")))
        result = -1;
    if (result == 0 && histogram_load(&one->count) > 0) {
        histogram_set(&one->sum_ns, json_whole(json_member(value, "sum_ns")));
        histogram_set(&one->least_ns, json_whole(json_member(value, "least_ns")));
        histogram_set(&one->most_ns, json_whole(json_member(value, "most_ns")));
        histogram_set(&one->clamped, json_whole(json_member(value, "clamped")));
        histogram_add(into, one);
    }
    free(one);
    return result;
}

static int read_latencies(struct outcome *outcome, const struct json *root, const char *path,
                          struct error *error)
{
    const struct latencies *latencies = &outcome->latencies;
    const struct json *histograms = json_member(root, "histograms");

    if (histograms == NULL)
        return refuse(error, path, "holds no histograms");
    if (histograms->type == JSON_NULL) /* a run with errors: it has no figures, nor has the sum */
        return 0;
    if (json_whole(json_member(histograms, "step_bits")) != HISTOGRAM_STEP_BITS ||
        json_whole(json_member(histograms, "value_bits")) != HISTOGRAM_VALUE_BITS)
        return refuse(error, path, "its histograms have another shape");
    if (read_histogram(latencies->response, json_member(histograms, "response")) < 0 ||
        read_histogram(latencies->service, json_member(histograms, "service")) < 0 ||
        read_histogram(latencies->lag, json_member(histograms, "lag")) < 0 ||
        read_histogram(latencies->censored, json_member(histograms, "censored")) < 0)
        return refuse(error, path, "a histogram in it is damaged");
    return 0;
}

static void read_tally(struct tally *tally, const struct json *root)
{
    const struct json *counts = json_member(root, "counts");
    const struct json *errors = json_member(root, "errors");
    const struct json *examples = json_member(root, "error_examples");

#define X(name) tally->name += json_whole(json_member(counts, #name));
    TALLIES(X)
#undef X
    for (int kind = 0; kind < ERROR_KIND_COUNT; kind++) {
        const char *name = tally_error_name((enum error_kind)kind);
        const struct json *example = json_member(examples, name);
        if (tally->errors[kind] == 0 && example != NULL)
            (void)snprintf(tally->examples[kind], TALLY_EXAMPLE_BYTES, "%.*s", (int)example->size,
                           example->text);
        tally->errors[kind] += json_whole(json_member(errors, name));
    }
}

static void read_reasons(struct judgement *judgement, const struct json *root, const char *path)
{
    const struct json *reasons = json_member(root, "reasons");

    for (const struct json *reason = reasons == NULL ? NULL : reasons->first; reason != NULL;
         reason = reason->next) {
        const struct json *text = json_member(reason, "text");
        int verdict = 0;
        while (verdict < VERDICT_COUNT &&
               !json_equals(json_member(reason, "verdict"), verdict_name((enum verdict)verdict)))
            verdict++;
        if (verdict < VERDICT_COUNT && text != NULL)
            judgement_add(judgement, (enum verdict)verdict, "%s: %.*s", path, (int)text->size,
                          text->text);
    }
}

static double larger(double one, double other)
{
    return one > other ? one : other;
}

/* Counts add up, and what a verdict looks for is the worst of all. */
static void read_basis(struct figures *figures, const struct json *root)
{
    const struct json *basis = json_member(root, "verdict_basis");
    struct figures one;

#define X(name) one.name = json_number(json_member(basis, #name));
    FIGURES(X)
#undef X
    figures->open_loop = one.open_loop;
    figures->errors += one.errors;
    figures->offered += one.offered;
    figures->achieved += one.achieved;
    figures->unanswered += one.unanswered;
    figures->quarter_before += one.quarter_before;
    figures->quarter_after += one.quarter_after;
    figures->listen_overflows += one.listen_overflows;
    figures->listen_drops += one.listen_drops;
    figures->retransmits += one.retransmits;
    figures->outstanding = larger(figures->outstanding, one.outstanding);
    figures->oldest_unanswered = larger(figures->oldest_unanswered, one.oldest_unanswered);
    figures->capped = larger(figures->capped, one.capped);
    figures->interrupted = larger(figures->interrupted, one.interrupted);
    figures->busy = larger(figures->busy, one.busy);
    figures->batches = larger(figures->batches, one.batches);
    figures->preempted = larger(figures->preempted, one.preempted);
    figures->saturation = larger(figures->saturation, one.saturation);
    figures->silence = larger(figures->silence, one.silence);
    figures->steal = larger(figures->steal, one.steal);
    figures->witness = larger(figures->witness, one.witness);
    figures->witness_most = larger(figures->witness_most, one.witness_most);
    figures->churn = larger(figures->churn, one.churn);
}

static void read_sides(struct outcome *outcome, const struct json *root)
{
    const struct json *client = json_member(root, "client");
    const struct json *server = json_member(root, "server");
    uint64_t resident = json_whole(json_member(client, "most_resident_bytes"));

    outcome->client.cpu_ns += json_whole(json_member(client, "cpu_ns"));
    outcome->client.user_ns += json_whole(json_member(client, "user_ns"));
    outcome->client.system_ns += json_whole(json_member(client, "system_ns"));
    outcome->client.spun_ns += json_whole(json_member(client, "spun_ns"));
    outcome->client.waited_ns += json_whole(json_member(client, "waited_ns"));
    outcome->client.switches += json_whole(json_member(client, "switches"));
    outcome->client.wall_ns += json_whole(json_member(client, "wall_ns"));
    if (resident > outcome->client_resident)
        outcome->client_resident = resident;
    if (server == NULL || server->type != JSON_OBJECT)
        return;
    outcome->server.known = true;
    outcome->server.cpu_ns += json_whole(json_member(server, "cpu_ns"));
    outcome->server.user_ns += json_whole(json_member(server, "user_ns"));
    outcome->server.system_ns += json_whole(json_member(server, "system_ns"));
    outcome->server.switches += json_whole(json_member(server, "switches"));
    outcome->server.resident_bytes = json_whole(json_member(server, "resident_bytes"));
}

/* What must be equal in all, or adding them up says nothing. */
static int read_settings(struct outcome *outcome, const struct json *root, const char *path,
                         struct error *error)
{
    const struct json *options = json_member(root, "options");
    const struct json *loop = json_member(options, "loop");
    bool open = json_equals(loop, "open");

    if (loop == NULL)
        return refuse(error, path, "holds no options");
    if (outcome->settings != NULL) {
        if (open != (outcome->figures.open_loop > 0))
            return refuse(error, path, "open loop and closed loop do not add up");
        return 0;
    }
    outcome->settings = strndup(options->text, options->size);
    outcome->schedule_hash = strtoull(
        json_member(root, "schedule_hash") != NULL ? json_member(root, "schedule_hash")->text : "0",
        NULL, 16);
    return outcome->settings != NULL ? 0 : error_set(error, "malloc", path, ENOMEM);
}

static int read_one(struct outcome *outcome, const char *path, struct span *span,
                    struct error *error)
{
    struct json_file file;
    int result = json_read(&file, path, error);

    if (result == 0 && !json_equals(json_member(file.root, "schema"), OUTPUT_SCHEMA))
        result = refuse(error, path, "not of schema " OUTPUT_SCHEMA);
    if (result == 0)
        result = read_settings(outcome, file.root, path, error);
    if (result == 0)
        result = read_latencies(outcome, file.root, path, error);
    if (result == 0) {
        read_tally(&outcome->tally, file.root);
        read_basis(&outcome->figures, file.root);
        read_sides(outcome, file.root);
        read_reasons(&outcome->judgement, file.root, path);
        outcome->runs += (uint32_t)json_whole(json_member(file.root, "runs"));
        outcome->setup_seconds =
            larger(outcome->setup_seconds, json_number(json_member(file.root, "setup_seconds")));
        span->from_ns = json_whole(json_member(file.root, "started_unix_ns"));
        span->seconds = json_number(json_member(file.root, "seconds"));
    }
    json_close(&file);
    return result;
}

/* Overlapping runs were one load: the longest is its time. Otherwise their times add up. */
static void add_times(struct outcome *outcome, const struct span *spans, int count)
{
    double sum = 0;
    double longest = 0;
    bool apart = true;

    for (int i = 0; i < count; i++) {
        sum += spans[i].seconds;
        longest = larger(longest, spans[i].seconds);
        if (spans[i].from_ns != 0 &&
            (outcome->started_unix_ns == 0 || spans[i].from_ns < outcome->started_unix_ns))
            outcome->started_unix_ns = spans[i].from_ns;
        for (int j = 0; j < count; j++) {
            double gap = ((double)spans[j].from_ns - (double)spans[i].from_ns) / 1e9;
            if (i != j && gap >= 0 && gap < spans[i].seconds)
                apart = false;
        }
    }
    outcome->in_turn = apart;
    outcome->seconds = apart ? sum : longest;
    outcome->figures.seconds = outcome->seconds;
}

int merge_files(struct outcome *outcome, struct error *error)
{
    const struct load *load = outcome->load;
    int count = load->files;
    struct span *spans = calloc((size_t)count, sizeof *spans);
    int result = 0;

    if (spans == NULL)
        return error_set(error, "malloc", "", ENOMEM);
    outcome->runs = 0;
    outcome->server_bytes_a_connection = -1;
    for (int i = 0; i < count && result == 0; i++)
        result = read_one(outcome, load->argv[load->first_file + i], &spans[i], error);
    if (result == 0) {
        add_times(outcome, spans, count);
        outcome->figures.mean_service = histogram_mean(outcome->latencies.service);
        outcome->figures.response_p99 =
            (double)outcome_percentile(outcome->latencies.response, outcome->latencies.censored,
                                       99000)
                .ns;
        outcome->figures.lag_p99 =
            (double)outcome_percentile(outcome->latencies.lag, NULL, 99000).ns;
    }
    free(spans);
    return result;
}
