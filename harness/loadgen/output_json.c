#include "output.h"

#include "environment.h"

#include <inttypes.h>
#include <string.h>

void output_json_string(FILE *stream, const char *text)
{
    (void)fputc('"', stream);
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            (void)fprintf(stream, "\\%c", byte);
        else if (byte < 0x20 || byte >= 0x7f) /* not known to be UTF-8: each byte for itself */
            (void)fprintf(stream, "\\u%04x", byte);
        else
            (void)fputc(byte, stream);
    }
    (void)fputc('"', stream);
}

static void print_verdict(FILE *stream, const struct outcome *outcome)
{
    const struct judgement *judgement = &outcome->judgement;

    (void)fprintf(stream, "  \"verdict\": \"%s\",\n  \"exit_status\": %d,\n  \"reasons\": [",
                  verdict_name(judgement->verdict), verdict_status(judgement->verdict));
    for (uint32_t i = 0; i < judgement->count; i++) {
        (void)fprintf(stream, "%s\n    {\"verdict\": \"%s\", \"text\": ", i ? "," : "",
                      verdict_name(judgement->reasons[i].verdict));
        output_json_string(stream, judgement->reasons[i].text);
        (void)fputc('}', stream);
    }
    (void)fprintf(stream, "%s],\n", judgement->count ? "\n  " : "");
}

static void print_command(FILE *stream, const struct load *load)
{
    (void)fputs("\"command\": [", stream);
    for (int i = 0; i < load->argc; i++) {
        (void)fputs(i ? ", " : "", stream);
        output_json_string(stream, load->argv[i]);
    }
    (void)fputs("]", stream);
}

static void print_options(FILE *stream, const struct outcome *outcome)
{
    const struct load *load = outcome->load;

    (void)fputs("  \"options\": {", stream);
    print_command(stream, load);
    (void)fputs(", \"target\": ", stream);
    output_json_string(stream, outcome->target);
    (void)fprintf(stream,
                  ", \"connections\": %" PRIu32 ", \"active\": %" PRIu32 ", \"placement\": \"%s\""
                  ", \"idle\": \"%s\", \"payload\": \"%s\", \"pipeline\": ",
                  load->connections, load->active, load_placement_name(load->placement),
                  load_idle_name(load->idle), load->payload_text);
    (void)fprintf(stream, load->pipeline == UINT32_MAX ? "null" : "%" PRIu32, load->pipeline);
    (void)fprintf(stream,
                  ", \"loop\": \"%s\", \"rate\": %.3f, \"arrivals\": \"%s\", \"warmup\": %.9g"
                  ", \"duration\": %.9g, \"threads\": %" PRIu32 ", \"seed\": %" PRIu64
                  ", \"churn\": %" PRIu64
                  ", \"close\": \"%s\", \"fragment\": %s, \"spin_us\": %.3f",
                  load_is_open(load) ? "open" : "closed", (double)load->rate_milli / 1e3,
                  load_arrivals_name(load->arrivals), (double)load->warmup_ns / 1e9,
                  (double)load->duration_ns / 1e9, load->threads, load->seed, load->churn,
                  load_close_name(load->close_mode), load->fragment ? "true" : "false",
                  (double)load->spin_ns / 1e3);
    (void)fputs(", \"pin\": [", stream);
    for (uint32_t i = 0; i < load->pins; i++)
        (void)fprintf(stream, "%s%d", i ? ", " : "", load->pin[i]);
    (void)fputs("], \"limits\": {", stream);
    for (int i = 0; i < LIMIT_COUNT; i++)
        (void)fprintf(stream, "%s\"%s\": %.9g", i ? ", " : "", limit_name((enum limit)i),
                      load->limits.value[i]);
    (void)fputs("}},\n", stream);
}

static void print_counts(FILE *stream, const struct outcome *outcome)
{
    const struct tally *tally = &outcome->tally;
    const char *comma = "";

    (void)fputs("  \"counts\": {", stream);
#define X(name)                                                                                    \
    (void)fprintf(stream, "%s\"%s\": %" PRIu64, comma, #name, tally->name);                        \
    comma = ", ";
    TALLIES(X)
#undef X
    (void)fputs("},\n  \"errors\": {", stream);
    for (int kind = 0; kind < ERROR_KIND_COUNT; kind++)
        (void)fprintf(stream, "%s\"%s\": %" PRIu64, kind ? ", " : "",
                      tally_error_name((enum error_kind)kind), tally->errors[kind]);
    (void)fputs("},\n  \"error_examples\": {", stream);
    comma = "";
    for (int kind = 0; kind < ERROR_KIND_COUNT; kind++)
        if (tally->errors[kind] > 0) {
            (void)fprintf(stream, "%s\"%s\": ", comma, tally_error_name((enum error_kind)kind));
            output_json_string(stream, tally->examples[kind]);
            comma = ", ";
        }
    (void)fputs("},\n", stream);
}

static void print_basis(FILE *stream, const struct outcome *outcome)
{
    const char *comma = "";

    (void)fputs("  \"verdict_basis\": {", stream);
#define X(name)                                                                                    \
    (void)fprintf(stream, "%s\"%s\": %.17g", comma, #name, outcome->figures.name);                 \
    comma = ", ";
    FIGURES(X)
#undef X
    (void)fputs("},\n", stream);
}

static void print_sides(FILE *stream, const struct outcome *outcome)
{
    const struct usage *client = &outcome->client;
    const struct server_sample *server = &outcome->server;
    const struct machine_sample *machine = &outcome->machine;

    (void)fprintf(stream,
                  "  \"client\": {\"cpu_ns\": %" PRIu64 ", \"user_ns\": %" PRIu64
                  ", \"system_ns\": %" PRIu64 ", \"spun_ns\": %" PRIu64 ", \"waited_ns\": %" PRIu64
                  ", \"switches\": %" PRIu64 ", \"wall_ns\": %" PRIu64
                  ", \"most_resident_bytes\": %" PRIu64 "},\n",
                  client->cpu_ns, client->user_ns, client->system_ns, client->spun_ns,
                  client->waited_ns, client->switches, client->wall_ns, outcome->client_resident);
    if (server->known)
        (void)fprintf(stream,
                      "  \"server\": {\"cpu_ns\": %" PRIu64 ", \"user_ns\": %" PRIu64
                      ", \"system_ns\": %" PRIu64 ", \"switches\": %" PRIu64
                      ", \"resident_bytes\": %" PRIu64 ", \"bytes_a_connection\": %.1f},\n",
                      server->cpu_ns, server->user_ns, server->system_ns, server->switches,
                      server->resident_bytes, outcome->server_bytes_a_connection);
    else
        (void)fputs("  \"server\": null,\n", stream);
    if (machine->known)
        (void)fprintf(stream,
                      "  \"machine\": {\"ticks\": %" PRIu64 ", \"softirq_ticks\": %" PRIu64
                      ", \"steal_ticks\": %" PRIu64 ", \"listen_overflows\": %" PRIu64
                      ", \"listen_drops\": %" PRIu64 ", \"retransmits\": %" PRIu64 "},\n",
                      machine->ticks, machine->softirq_ticks, machine->steal_ticks,
                      machine->listen_overflows, machine->listen_drops, machine->retransmits);
    else
        (void)fputs("  \"machine\": null,\n", stream);
    (void)fprintf(stream,
                  "  \"witness\": {\"privileged\": %s, \"looks\": %.0f, \"lost_percent\": %.6g"
                  ", \"most_ns\": %.0f},\n",
                  outcome->witness_privileged ? "true" : "false", outcome->witness_looks,
                  outcome->figures.witness, outcome->figures.witness_most);
}

static void print_percentiles(FILE *stream, const char *name, const struct histogram *done,
                              const struct histogram *censored)
{
    (void)fprintf(stream, "    \"%s\": {", name);
    for (int i = 0; i < OUTCOME_PERCENTILES; i++) {
        struct percentile percentile =
            outcome_percentile(done, censored, outcome_columns[i].thousandths);
        (void)fprintf(stream, "%s\"%s\": ", i ? ", " : "", outcome_columns[i].name);
        if (percentile.known)
            (void)fprintf(stream, "{\"ns\": %" PRIu64 ", \"at_least\": %s}", percentile.ns,
                          percentile.at_least ? "true" : "false");
        else
            (void)fputs("null", stream);
    }
    (void)fprintf(stream, ", \"mean_ns\": %.3f}", histogram_mean(done));
}

static void print_histogram(FILE *stream, const char *name, const struct histogram *histogram)
{
    const char *comma = "";
    uint64_t count = histogram_load(&histogram->count);

    (void)fprintf(stream,
                  "    \"%s\": {\"count\": %" PRIu64 ", \"sum_ns\": %" PRIu64
                  ", \"least_ns\": %" PRIu64 ", \"most_ns\": %" PRIu64 ", \"clamped\": %" PRIu64
                  ", \"slots\": [",
                  name, count, histogram_load(&histogram->sum_ns),
                  count > 0 ? histogram_load(&histogram->least_ns) : 0,
                  histogram_load(&histogram->most_ns), histogram_load(&histogram->clamped));
    for (uint32_t slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        uint64_t number = histogram_load(&histogram->slots[slot]);
        if (number == 0)
            continue;
        (void)fprintf(stream, "%s[%" PRIu32 ",%" PRIu64 "]", comma, slot, number);
        comma = ",";
    }
    (void)fputs("]}", stream);
}

static void print_latencies(FILE *stream, const struct outcome *outcome)
{
    const struct latencies *latencies = &outcome->latencies;

    if (!outcome_has_figures(outcome)) {
        (void)fputs("  \"percentiles\": null,\n  \"histograms\": null\n", stream);
        return;
    }
    (void)fputs("  \"percentiles\": {\n", stream);
    print_percentiles(stream, "response", latencies->response, latencies->censored);
    (void)fputs(",\n", stream);
    print_percentiles(stream, "service", latencies->service, NULL);
    (void)fputs(",\n", stream);
    print_percentiles(stream, "lag", latencies->lag, NULL);
    (void)fprintf(stream,
                  "\n  },\n  \"histograms\": {\n    \"step_bits\": %d,\n    \"value_bits\": %d,\n",
                  HISTOGRAM_STEP_BITS, HISTOGRAM_VALUE_BITS);
    print_histogram(stream, "response", latencies->response);
    (void)fputs(",\n", stream);
    print_histogram(stream, "service", latencies->service);
    (void)fputs(",\n", stream);
    print_histogram(stream, "lag", latencies->lag);
    (void)fputs(",\n", stream);
    print_histogram(stream, "censored", latencies->censored);
    (void)fputs("\n  }\n", stream);
}

int output_json(FILE *stream, const struct outcome *outcome)
{
    double seconds = outcome->seconds;

    (void)fputs("{\n  \"schema\": \"" OUTPUT_SCHEMA "\",\n", stream);
    print_verdict(stream, outcome);
    print_options(stream, outcome);
    environment_print_json(stream);
    (void)fprintf(stream,
                  "  \"runs\": 1,\n  \"in_turn\": false,\n"
                  "  \"schedule_hash\": \"%016" PRIx64 "\",\n"
                  "  \"started_unix_ns\": %" PRIu64 ",\n  \"setup_seconds\": %.6f,\n"
                  "  \"seconds\": %.9f,\n",
                  outcome->schedule_hash, outcome->started_unix_ns, outcome->setup_seconds,
                  seconds);
    (void)fprintf(stream, "  \"offered\": %.6f,\n  \"achieved\": %.6f,\n",
                  seconds > 0 ? (double)outcome->tally.issued / seconds : 0.0,
                  seconds > 0 ? (double)outcome->tally.achieved / seconds : 0.0);
    print_counts(stream, outcome);
    print_basis(stream, outcome);
    print_sides(stream, outcome);
    print_latencies(stream, outcome);
    (void)fputs("}\n", stream);
    return fflush(stream) == 0 && !ferror(stream) ? 0 : -1;
}
