#include "output.h"

#include "../../common/json.h"
#include "environment.h"

static void print_verdict(struct json *json, const struct judgement *judgement)
{
    json_string(json, "verdict", verdict_name(judgement->verdict));
    json_signed(json, "exit_status", verdict_status(judgement->verdict));
    json_array(json, "reasons");
    for (uint32_t i = 0; i < judgement->count; i++) {
        json_object(json, NULL);
        json_string(json, "verdict", verdict_name(judgement->reasons[i].verdict));
        json_string(json, "text", judgement->reasons[i].text);
        json_end(json);
    }
    json_end(json);
}

static void print_text(struct json *json, const char *name, const char *text)
{
    if (text == NULL)
        json_null(json, name);
    else
        json_string(json, name, text);
}

static void print_seconds(struct json *json, const char *name, uint64_t nanoseconds)
{
    json_double(json, name, (double)nanoseconds / 1e9, 9);
}

/* Where the server is, and what load it gets. */
static void print_wanted(struct json *json, const struct load *load)
{
    json_string(json, "host", load->host);
    json_unsigned(json, "port", load->port);
    json_bool(json, "tls", load->tls);
    print_text(json, "tls_ca", load->tls_ca);
    json_unsigned(json, "connections", load->connections);
    json_unsigned(json, "active", load->active);
    json_string(json, "placement", load_placement_name(load->placement));
    json_string(json, "idle", load_idle_name(load->idle));
    json_string(json, "payload", load->payload_text);
    if (load->pipeline == UINT32_MAX)
        json_null(json, "pipeline");
    else
        json_unsigned(json, "pipeline", load->pipeline);
    json_string(json, "loop", load_is_open(load) ? "open" : "closed");
    json_fixed(json, "rate", (double)load->rate_milli / 1e3, 3);
    json_string(json, "arrivals", load_arrivals_name(load->arrivals));
    print_seconds(json, "warmup", load->warmup_ns);
    print_seconds(json, "duration", load->duration_ns);
    print_seconds(json, "drain", load->drain_ns);
    print_seconds(json, "timeout", load->timeout_ns);
}

static void print_making(struct json *json, const struct load *load)
{
    json_unsigned(json, "threads", load->threads);
    json_unsigned(json, "seed", load->seed);
    json_unsigned(json, "churn", load->churn);
    json_string(json, "close", load_close_name(load->close_mode));
    json_bool(json, "fragment", load->fragment);
    json_unsigned(json, "connects", load->connects);
    print_seconds(json, "connect_timeout", load->connect_timeout_ns);
    json_unsigned(json, "max_outstanding", load->max_outstanding);
    json_fixed(json, "spin_us", (double)load->spin_ns / 1e3, 3);
    json_array(json, "pin");
    for (uint32_t i = 0; i < load->pins; i++)
        json_signed(json, NULL, load->pin[i]);
    json_end(json);
    json_array(json, "source");
    for (uint32_t i = 0; i < load->sources; i++)
        json_string(json, NULL, load->source[i]);
    json_end(json);
    json_unsigned(json, "ports_per_source", load->ports_per_source);
}

/* What is found out, and where it goes. */
static void print_finding(struct json *json, const struct load *load)
{
    if (load->server_pid == 0)
        json_null(json, "server_pid");
    else
        json_signed(json, "server_pid", load->server_pid);
    json_fixed(json, "ceiling", (double)load->ceiling_milli / 1e3, 3);
    json_object(json, "limits");
    for (int i = 0; i < LIMIT_COUNT; i++)
        json_double(json, limit_name((enum limit)i), load->limits.value[i], 9);
    json_end(json);
    print_text(json, "json", load->json_path);
    print_text(json, "hgrm", load->hgrm_path);
    print_text(json, "csv", load->csv_path);
    json_bool(json, "quiet", load->quiet);
}

/* All that load.h has. harness/loadgen/merge.py says of each what a difference in it means. */
static void print_options(struct json *json, const struct outcome *outcome)
{
    const struct load *load = outcome->load;

    json_object(json, "options");
    json_array(json, "command");
    for (int i = 0; i < load->argc; i++)
        json_string(json, NULL, load->argv[i]);
    json_end(json);
    json_string(json, "target", outcome->target);
    print_wanted(json, load);
    print_making(json, load);
    print_finding(json, load);
    json_end(json);
}

static void print_times(struct json *json, const struct outcome *outcome)
{
    double seconds = outcome->seconds;

    json_bool(json, "partial", outcome->partial[0] != '\0');
    if (outcome->partial[0] != '\0')
        json_string(json, "partial_reason", outcome->partial);
    json_unsigned(json, "runs", 1);
    json_bool(json, "in_turn", false);
    json_hash(json, "schedule_hash", outcome->schedule_hash);
    json_unsigned(json, "started_unix_ns", outcome->started_unix_ns);
    json_fixed(json, "setup_seconds", outcome->setup_seconds, 6);
    json_fixed(json, "seconds", seconds, 9);
    json_fixed(json, "offered", seconds > 0 ? (double)outcome->tally.issued / seconds : 0, 6);
    json_fixed(json, "achieved", seconds > 0 ? (double)outcome->tally.achieved / seconds : 0, 6);
}

static void print_counts(struct json *json, const struct tally *tally)
{
    json_object(json, "counts");
#define X(name) json_unsigned(json, #name, tally->name);
    TALLIES(X)
#undef X
    json_end(json);
    json_object(json, "errors");
    for (int kind = 0; kind < ERROR_KIND_COUNT; kind++)
        json_unsigned(json, tally_error_name((enum error_kind)kind), tally->errors[kind]);
    json_end(json);
    json_object(json, "error_examples");
    for (int kind = 0; kind < ERROR_KIND_COUNT; kind++)
        if (tally->errors[kind] > 0)
            json_string(json, tally_error_name((enum error_kind)kind), tally->examples[kind]);
    json_end(json);
}

static void print_basis(struct json *json, const struct figures *figures)
{
    json_object(json, "verdict_basis");
#define X(name) json_double(json, #name, figures->name, 17);
    FIGURES(X)
#undef X
    json_end(json);
}

static void print_client(struct json *json, const struct outcome *outcome)
{
    const struct usage *client = &outcome->client;

    json_object(json, "client");
    json_unsigned(json, "cpu_ns", client->cpu_ns);
    json_unsigned(json, "user_ns", client->user_ns);
    json_unsigned(json, "system_ns", client->system_ns);
    json_unsigned(json, "spun_ns", client->spun_ns);
    json_unsigned(json, "waited_ns", client->waited_ns);
    json_unsigned(json, "switches", client->switches);
    json_unsigned(json, "wall_ns", client->wall_ns);
    json_unsigned(json, "most_resident_bytes", outcome->client_resident);
    json_end(json);
}

static void print_server(struct json *json, const struct outcome *outcome)
{
    const struct server_sample *server = &outcome->server;

    if (!server->known) {
        json_null(json, "server");
        return;
    }
    json_object(json, "server");
    json_unsigned(json, "cpu_ns", server->cpu_ns);
    json_unsigned(json, "user_ns", server->user_ns);
    json_unsigned(json, "system_ns", server->system_ns);
    json_unsigned(json, "switches", server->switches);
    json_unsigned(json, "resident_bytes", server->resident_bytes);
    json_fixed(json, "bytes_a_connection", outcome->server_bytes_a_connection, 1);
    json_end(json);
}

static void print_machine(struct json *json, const struct machine_sample *machine)
{
    if (!machine->known) {
        json_null(json, "machine");
        return;
    }
    json_object(json, "machine");
    json_unsigned(json, "ticks", machine->ticks);
    json_unsigned(json, "softirq_ticks", machine->softirq_ticks);
    json_unsigned(json, "steal_ticks", machine->steal_ticks);
    json_unsigned(json, "listen_overflows", machine->listen_overflows);
    json_unsigned(json, "listen_drops", machine->listen_drops);
    json_unsigned(json, "retransmits", machine->retransmits);
    json_end(json);
}

static void print_witness(struct json *json, const struct outcome *outcome)
{
    json_object(json, "witness");
    json_bool(json, "privileged", outcome->witness_privileged);
    json_fixed(json, "looks", outcome->witness_looks, 0);
    json_double(json, "lost_percent", outcome->figures.witness, 6);
    json_fixed(json, "most_ns", outcome->figures.witness_most, 0);
    json_end(json);
}

static void print_bound(struct json *json, const char *name, struct percentile figure)
{
    if (!figure.known) {
        json_null(json, name);
        return;
    }
    json_object(json, name);
    json_unsigned(json, "ns", figure.ns);
    json_bool(json, "at_least", figure.at_least);
    json_end(json);
}

static void print_percentiles(struct json *json, struct timing timing)
{
    struct percentile most = outcome_most(timing);

    json_object(json, timing.name);
    for (int i = 0; i < OUTCOME_PERCENTILES; i++)
        print_bound(json, outcome_columns[i].name,
                    outcome_percentile(timing, outcome_columns[i].thousandths));
    print_bound(json, "max", most);
    json_fixed(json, "mean_ns", outcome_mean(timing), 3);
    json_bool(json, "mean_at_least", most.at_least);
    json_end(json);
}

static void print_histogram(struct json *json, const char *name, const struct histogram *histogram)
{
    uint64_t count = histogram_load(&histogram->count);

    json_object(json, name);
    json_unsigned(json, "count", count);
    json_unsigned(json, "sum_ns", histogram_load(&histogram->sum_ns));
    json_unsigned(json, "least_ns", count > 0 ? histogram_load(&histogram->least_ns) : 0);
    json_unsigned(json, "most_ns", histogram_load(&histogram->most_ns));
    json_unsigned(json, "clamped", histogram_load(&histogram->clamped));
    json_array(json, "slots");
    for (uint32_t slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        uint64_t number = histogram_load(&histogram->slots[slot]);
        if (number == 0)
            continue;
        json_array(json, NULL);
        json_unsigned(json, NULL, slot);
        json_unsigned(json, NULL, number);
        json_end(json);
    }
    json_end(json);
    json_end(json);
}

static void print_latencies(struct json *json, const struct outcome *outcome)
{
    const struct latencies *latencies = &outcome->latencies;

    if (!outcome_has_figures(outcome)) {
        json_null(json, "percentiles");
        json_null(json, "histograms");
        return;
    }
    json_object(json, "percentiles");
    for (int kind = 0; kind < TIMING_KINDS; kind++)
        print_percentiles(json, latencies_timing(latencies, (enum timing_kind)kind));
    json_end(json);
    json_object(json, "histograms");
    json_signed(json, "step_bits", HISTOGRAM_STEP_BITS);
    json_signed(json, "value_bits", HISTOGRAM_VALUE_BITS);
#define X(name) print_histogram(json, #name, latencies->name);
    LATENCIES(X)
#undef X
    json_end(json);
}

/* Only the cells that hold something. */
static void print_cells(struct json *json, const char *name, const timeline_counts counts)
{
    json_array(json, name);
    for (int interval = 0; interval < TIMELINE_INTERVALS; interval++)
        for (int row = 0; row < TIMELINE_ROWS; row++) {
            if (counts[interval][row] == 0)
                continue;
            json_array(json, NULL);
            json_signed(json, NULL, interval);
            json_signed(json, NULL, row);
            json_unsigned(json, NULL, counts[interval][row]);
            json_end(json);
        }
    json_end(json);
}

static void print_timeline(struct json *json, const struct outcome *outcome)
{
    const struct timeline *timeline = outcome->timeline;

    if (!outcome_has_figures(outcome)) {
        json_null(json, "timeline");
        return;
    }
    json_object(json, "timeline");
    json_unsigned(json, "interval_ns", timeline->interval_ns);
    json_signed(json, "intervals", TIMELINE_INTERVALS);
    json_signed(json, "step_bits", TIMELINE_STEP_BITS);
    print_cells(json, "answered", timeline->answered);
    print_cells(json, "unanswered", timeline->unanswered);
    json_end(json);
}

int output_json(FILE *stream, const struct outcome *outcome)
{
    struct json json;

    json_start(&json, stream, true);
    json_string(&json, "schema", OUTPUT_SCHEMA);
    print_verdict(&json, &outcome->judgement);
    print_options(&json, outcome);
    environment_print_json(&json);
    print_times(&json, outcome);
    print_counts(&json, &outcome->tally);
    print_basis(&json, &outcome->figures);
    print_client(&json, outcome);
    print_server(&json, outcome);
    print_machine(&json, &outcome->machine);
    print_witness(&json, outcome);
    print_latencies(&json, outcome);
    print_timeline(&json, outcome);
    return json_finish(&json);
}
