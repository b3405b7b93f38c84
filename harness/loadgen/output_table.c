#include "output.h"

#include <inttypes.h>
#include <stdbool.h>

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

static void print_cell(FILE *stream, bool known, bool at_least, double nanoseconds)
{
    char text[32] = "-";

    if (known)
        (void)snprintf(text, sizeof text, "%s%.1f", at_least ? ">" : "", nanoseconds / 1e3);
    (void)fprintf(stream, " %11s", text);
}

static void print_row(FILE *stream, struct timing timing)
{
    struct percentile most = outcome_most(timing);

    (void)fprintf(stream, "%-10s", timing.name);
    for (int i = 0; i < OUTCOME_PERCENTILES; i++) {
        struct percentile one = outcome_percentile(timing, outcome_columns[i].thousandths);
        print_cell(stream, one.known, one.at_least, (double)one.ns);
    }
    print_cell(stream, most.known, most.at_least, (double)most.ns);
    print_cell(stream, most.known, most.at_least, outcome_mean(timing));
    (void)fputc('\n', stream);
}

static void print_latencies(FILE *stream, const struct outcome *outcome)
{
    int first = outcome->figures.open_loop > 0 ? TIMING_RESPONSE : TIMING_SERVICE;

    (void)fprintf(stream, "%-10s", "us");
    for (int i = 0; i < OUTCOME_PERCENTILES; i++)
        (void)fprintf(stream, " %11s", outcome_columns[i].name);
    (void)fprintf(stream, " %11s %11s\n", "max", "mean");
    for (int kind = first; kind < TIMING_KINDS; kind++)
        print_row(stream, latencies_timing(&outcome->latencies, (enum timing_kind)kind));
}

enum { SHARE_BYTES = 32 };

/* How much of the total each message had, in units of `unit`; "-" without messages. */
static const char *each(uint64_t total, const struct tally *tally, double unit,
                        char text[SHARE_BYTES])
{
    if (tally->achieved == 0)
        (void)snprintf(text, SHARE_BYTES, "-");
    else
        (void)snprintf(text, SHARE_BYTES, "%.2f", (double)total / (double)tally->achieved / unit);
    return text;
}

/* The CPU time that went to work; below the resolution of what is subtracted, only that it is
 * small is known. */
static const char *work_of(const struct outcome *outcome, char text[SHARE_BYTES])
{
    const struct usage *client = &outcome->client;

    if (client->cpu_ns > client->spun_ns)
        return each(client->cpu_ns - client->spun_ns, &outcome->tally, 1e3, text);
    return "-";
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : 100 * (double)part / (double)whole;
}

static void print_server(FILE *stream, const struct outcome *outcome)
{
    const struct server_sample *server = &outcome->server;
    const struct tally *tally = &outcome->tally;
    char cpu[SHARE_BYTES];
    char user[SHARE_BYTES];
    char system[SHARE_BYTES];
    char switches[SHARE_BYTES];

    if (!server->known)
        return;
    (void)fprintf(stream,
                  "server     %s us CPU a message (user %s, system %s), %s switches a message, "
                  "%.1f MB\n",
                  each(server->cpu_ns, tally, 1e3, cpu), each(server->user_ns, tally, 1e3, user),
                  each(server->system_ns, tally, 1e3, system),
                  each(server->switches, tally, 1, switches), (double)server->resident_bytes / 1e6);
    if (outcome->server_bytes_a_connection >= 0)
        (void)fprintf(stream, "           %.0f bytes of its memory a connection\n",
                      outcome->server_bytes_a_connection);
}

static void print_sides(FILE *stream, const struct outcome *outcome)
{
    const struct machine_sample *machine = &outcome->machine;
    char cpu[SHARE_BYTES];
    char switches[SHARE_BYTES];

    (void)fprintf(stream,
                  "client     %s us CPU a message, %s switches a message, busiest thread %.0f%%, "
                  "%.1f MB\n",
                  work_of(outcome, cpu),
                  each(outcome->client.switches, &outcome->tally, 1, switches),
                  outcome->figures.busy, (double)outcome->client_resident / 1e6);
    print_server(stream, outcome);
    if (machine->known)
        (void)fprintf(stream,
                      "machine    softirq %.2f%%, steal %.2f%% of all CPUs' time; worst stall that "
                      "the witness saw %.2f ms\n",
                      percent(machine->softirq_ticks, machine->ticks),
                      percent(machine->steal_ticks, machine->ticks),
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
    if (outcome->partial[0] != '\0')
        (void)fprintf(stream, "partial    %s\n", outcome->partial);
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
