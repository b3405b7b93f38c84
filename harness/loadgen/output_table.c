#include "output.h"

#include <inttypes.h>
#include <string.h>

static void print_load(FILE *stream, const struct outcome *outcome)
{
    const struct load *load = outcome->load;

    (void)fprintf(stream, "%s, %" PRIu32 " connections, %" PRIu32 " active (%s), payload %s\n",
                  outcome->target, load->connections, load->active,
                  load_placement_name(load->placement), load->payload_text);
    if (load_is_open(load))
        (void)fprintf(stream, "open loop, %.3f a second, %s", (double)load->rate_milli / 1e3,
                      load_arrivals_name(load->arrivals));
    else
        (void)fprintf(stream, "closed loop, pipeline %" PRIu32, load->pipeline);
    (void)fprintf(stream, ", %" PRIu32 " thread%s, seed %" PRIu64 "\n", load->threads,
                  load->threads == 1 ? "" : "s", load->seed);
}

static void print_errors(FILE *stream, const struct outcome *outcome)
{
    const struct tally *tally = &outcome->tally;

    for (int kind = 0; kind < ERROR_KIND_COUNT; kind++)
        if (tally->errors[kind] > 0)
            (void)fprintf(stream, "%-10s %10" PRIu64 "   first: %s\n",
                          tally_error_name((enum error_kind)kind), tally->errors[kind],
                          tally->examples[kind]);
}

static void print_row(FILE *stream, const char *name, const struct histogram *done,
                      const struct histogram *censored)
{
    const struct histogram *longest = done;

    (void)fprintf(stream, "%-10s", name);
    for (int i = 0; i < OUTCOME_PERCENTILES; i++) {
        struct percentile percentile =
            outcome_percentile(done, censored, outcome_columns[i].thousandths);
        char text[32] = "-";
        if (percentile.known)
            (void)snprintf(text, sizeof text, "%s%.1f", percentile.at_least ? ">" : "",
                           (double)percentile.ns / 1e3);
        (void)fprintf(stream, " %11s", text);
    }
    const char *more = "";
    if (censored != NULL && histogram_load(&censored->count) > 0) {
        more = ">";
        if (histogram_load(&censored->most_ns) > histogram_load(&done->most_ns))
            longest = censored;
    }
    char most[32];
    (void)snprintf(most, sizeof most, "%s%.1f", more,
                   (double)histogram_load(&longest->most_ns) / 1e3);
    (void)fprintf(stream, " %11s %11.1f\n", most, histogram_mean(done) / 1e3);
}

static void print_latencies(FILE *stream, const struct outcome *outcome)
{
    const struct latencies *latencies = &outcome->latencies;

    (void)fprintf(stream, "%-10s", "us");
    for (int i = 0; i < OUTCOME_PERCENTILES; i++)
        (void)fprintf(stream, " %11s", outcome_columns[i].name);
    (void)fprintf(stream, " %11s %11s\n", "max", "mean");
    if (outcome->figures.open_loop > 0)
        print_row(stream, "response", latencies->response, latencies->censored);
    print_row(stream, "service", latencies->service, NULL);
    print_row(stream, "lag", latencies->lag, NULL);
}

static double each(uint64_t total, uint64_t count)
{
    return count == 0 ? 0 : (double)total / (double)count;
}

static void print_sides(FILE *stream, const struct outcome *outcome)
{
    const struct tally *tally = &outcome->tally;
    const struct usage *client = &outcome->client;
    uint64_t work_ns = client->cpu_ns > client->spun_ns ? client->cpu_ns - client->spun_ns : 0;

    (void)fprintf(stream,
                  "client     %.2f us CPU a message, %.2f switches a message, busiest thread "
                  "%.0f%%, %.1f MB\n",
                  each(work_ns, tally->achieved) / 1e3, each(client->switches, tally->achieved),
                  outcome->figures.busy, (double)outcome->client_resident / 1e6);
    if (outcome->server.known)
        (void)fprintf(stream,
                      "server     %.2f us CPU a message (user %.2f, system %.2f), %.2f switches a "
                      "message, %.1f MB\n",
                      each(outcome->server.cpu_ns, tally->achieved) / 1e3,
                      each(outcome->server.user_ns, tally->achieved) / 1e3,
                      each(outcome->server.system_ns, tally->achieved) / 1e3,
                      each(outcome->server.switches, tally->achieved),
                      (double)outcome->server.resident_bytes / 1e6);
    if (outcome->server.known && outcome->server_bytes_a_connection >= 0)
        (void)fprintf(stream, "           %.0f bytes of its memory a connection\n",
                      outcome->server_bytes_a_connection);
    if (outcome->machine.known)
        (void)fprintf(stream,
                      "machine    softirq %.2f%%, steal %.2f%% of all CPUs' time; worst stall that "
                      "the witness saw %.2f ms\n",
                      100 * each(outcome->machine.softirq_ticks, outcome->machine.ticks),
                      100 * each(outcome->machine.steal_ticks, outcome->machine.ticks),
                      outcome->figures.witness_most / 1e6);
}

static void print_figures(FILE *stream, const struct outcome *outcome)
{
    const struct figures *figures = &outcome->figures;
    const struct tally *tally = &outcome->tally;

    print_latencies(stream, outcome);
    if (outcome->seconds > 0 && figures->open_loop > 0)
        (void)fprintf(stream, "offered    %.1f a second (%" PRIu64 " requests)\n",
                      (double)tally->issued / outcome->seconds, tally->issued);
    if (outcome->seconds > 0)
        (void)fprintf(stream,
                      "achieved   %.1f a second (%" PRIu64 " replies in %.3f s; set-up %.3f s)\n",
                      (double)tally->achieved / outcome->seconds, tally->achieved, outcome->seconds,
                      outcome->setup_seconds);
    if (tally->reconnects > 0)
        (void)fprintf(stream, "replaced   %" PRIu64 " connections\n", tally->reconnects);
    print_sides(stream, outcome);
}

int output_table(FILE *stream, const struct outcome *outcome)
{
    const struct judgement *judgement = &outcome->judgement;

    print_load(stream, outcome);
    if (outcome_has_figures(outcome))
        print_figures(stream, outcome);
    print_errors(stream, outcome);
    (void)fprintf(stream, "verdict    %s\n", verdict_name(judgement->verdict));
    for (uint32_t i = 0; i < judgement->count; i++)
        (void)fprintf(stream, "           %s%s%s\n",
                      judgement->reasons[i].verdict == VERDICT_VALID
                          ? "(remark) "
                          : verdict_name(judgement->reasons[i].verdict),
                      judgement->reasons[i].verdict == VERDICT_VALID ? "" : ", ",
                      judgement->reasons[i].text);
    return fflush(stream) == 0 && !ferror(stream) ? 0 : -1;
}
