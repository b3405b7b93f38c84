#include "load.h"

#include "../../common/clock.h"
#include "../../common/error.h"
#include "../../common/option_table.h"

#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to 1,000,000 seconds, in nanoseconds. */
#define SECONDS_INTO(member, low)                                                                  \
    TIME_INTO(struct load, member, low, UINT64_C(1000000000000000), NANOSECONDS_A_SECOND)

/* From 0.001 to 4,000,000 a second; above it, products of schedule_offset would leave 64 bits. */
#define MESSAGES_INTO(member) RATE_INTO(struct load, member, 1, UINT64_C(4000000000), 1e3)

/* A default that follows from other options, until all are read. */
#define NOT_GIVEN UINT64_MAX

static const char *const placement_names[] = {"first", "last", "spread", "random", NULL};
static const char *const idle_names[] = {"silent", "trickle", "half-frame", "not-reading", NULL};
static const char *const arrivals_names[] = {"constant", "poisson", NULL};
static const char *const close_names[] = {"reset", "fin", NULL};

const char *load_placement_name(enum placement placement)
{
    return placement_names[placement];
}

const char *load_idle_name(enum idle idle)
{
    return idle_names[idle];
}

const char *load_arrivals_name(enum arrivals arrivals)
{
    return arrivals_names[arrivals];
}

const char *load_close_name(enum close_mode mode)
{
    return close_names[mode];
}

/* The readers of values: each returns whether it is a good one. */

static bool take_payload(void *target, const char *text)
{
    struct load *load = target;

    load->payload_text = text;
    return payload_parse(&load->payload, text);
}

static bool take_pins(void *target, const char *text)
{
    struct load *load = target;
    const char *rest = text;

    load->pins = 0;
    do {
        char *end = NULL;
        if (!isdigit((unsigned char)*rest) || load->pins == LOAD_PINS)
            return false;
        unsigned long cpu = strtoul(rest, &end, 10);
        if (cpu >= 1024)
            return false;
        load->pin[load->pins++] = (int)cpu;
        rest = end;
    } while (*rest++ == ',');
    return rest[-1] == '\0';
}

static bool take_source(void *target, const char *text)
{
    struct load *load = target;

    if (load->sources == LOAD_SOURCES)
        return false;
    load->source[load->sources++] = text;
    return true;
}

static bool take_limit(void *target, const char *text)
{
    struct load *load = target;

    return limits_parse(&load->limits, text);
}

static void print_more(FILE *stream)
{
    struct limits limits;

    limits_default(&limits);
    (void)fprintf(stream, "\nLimits (--limit NAME=VALUE), beyond which figures are not VALID:\n");
    for (int i = 0; i < LIMIT_COUNT; i++)
        (void)fprintf(stream, "  %-10s %6g  %s\n", limit_name((enum limit)i), limits.value[i],
                      limit_text((enum limit)i));
    (void)fprintf(stream, "\nSeconds may have fractions. Exit status: the verdict's\n(");
    for (int i = 0; i < VERDICT_COUNT; i++)
        (void)fprintf(stream, "%s%s %d", i ? ", " : "", verdict_name((enum verdict)i),
                      verdict_status((enum verdict)i));
    (void)fprintf(stream, "),\n1 when it cannot run, 2 for a bad option.\n"
                          "\nharness/loadgen/merge adds up runs that were made with --json.\n");
}

static const struct option_row rows[] = {
    /* Where the server is, and what load it gets. */
    {"host", "NAME", "server's name or address, IPv4 or IPv6 (127.0.0.1)",
     TEXT_INTO(struct load, host)},
    {"port", "N", "server's port (9000)", NUMBER_INTO(struct load, port, 1, UINT16_MAX)},
    {"tls", NULL, "speak TLS; the server's certificate is not looked at",
     FLAG_INTO(struct load, tls)},
    {"tls-ca", "FILE",
     "with --tls: certificates to trust, in PEM; one of them must have signed\nthat of the server",
     TEXT_INTO(struct load, tls_ca)},
    {"connections", "N", "connections, all established before the clock starts (1)",
     NUMBER_INTO(struct load, connections, 1, 1U << 24)},
    {"active", "K", "of them, how many carry requests (all)",
     NUMBER_INTO(struct load, active, 0, 1U << 24)},
    {"placement", "HOW", "where the active ones stand",
     CHOICE_INTO(struct load, placement, placement_names)},
    {"idle", "HOW", "the others", CHOICE_INTO(struct load, idle, idle_names)},
    {"payload", "SIZES", "bytes: 64, 16-1024, or by weight 64*9,4096-8192*1 (64)",
     TAKEN_BY(take_payload, "a size, a range, or a list of them with weights")},
    {"pipeline", "D", "most requests on a connection's wire (1; open loop: no limit)",
     NUMBER_INTO(struct load, pipeline, 1, 1U << 20)},
    {"rate", "R", "open loop: requests a second, over all connections (closed loop)",
     MESSAGES_INTO(rate_milli)},
    {"arrivals", "HOW", "open loop, when requests are due",
     CHOICE_INTO(struct load, arrivals, arrivals_names)},
    /* How long. */
    {"duration", "SECONDS", "measured time (10)", SECONDS_INTO(duration_ns, 1)},
    {"warmup", "SECONDS", "same load before it, not measured (1)", SECONDS_INTO(warmup_ns, 0)},
    {"drain", "SECONDS", "how long to wait for the last replies (5)", SECONDS_INTO(drain_ns, 0)},
    {"timeout", "SECONDS", "a reply later than this is an error (60)", SECONDS_INTO(timeout_ns, 0)},
    /* How it is made. */
    {"threads", "T", "threads; connections are dealt out to them (1)",
     NUMBER_INTO(struct load, threads, 1, 256)},
    {"seed", "N", "of payloads, placement, order, arrivals, fragments (1)",
     NUMBER_INTO(struct load, seed, 0, UINT64_MAX)},
    {"churn", "M", "replace a connection after M messages (never)",
     NUMBER_INTO(struct load, churn, 1, UINT32_MAX)},
    {"close", "HOW", "reset leaves no TIME_WAIT; how connections end",
     CHOICE_INTO(struct load, close_mode, close_names)},
    {"fragment", NULL, "write in pieces of random size, across frame boundaries",
     FLAG_INTO(struct load, fragment)},
    {"connects", "N", "most connections not yet proven at once (64)",
     NUMBER_INTO(struct load, connects, 1, 1U << 20)},
    {"connect-timeout", "SECONDS", "longest wait while no connection proves itself (5)",
     SECONDS_INTO(connect_timeout_ns, 0)},
    {"max-outstanding", "N",
     "open loop: unanswered requests that end the run; each thread has an\nequal share of them "
     "(1000000)",
     NUMBER_INTO(struct load, max_outstanding, 1, UINT32_MAX)},
    {"spin", "MICROSECONDS", "poll instead of sleeping so long before a due time (50)",
     TIME_INTO(struct load, spin_ns, 0, 1000000000, 1e3)},
    {"pin", "CPU[,CPU...]", "threads' CPUs, in turn (not pinned)",
     TAKEN_BY(take_pins, "a list of CPU numbers")},
    {"source", "ADDR", "source address; may be given again, taken in turn",
     TAKEN_BY(take_source, "among the first 64 source addresses")},
    {"ports-per-source", "N", "connections from one source address (10000)",
     NUMBER_INTO(struct load, ports_per_source, 1, 64000)},
    /* What is found out, and where it goes. */
    {"server-pid", "PID", "local server: show its CPU, switches, memory too",
     NUMBER_INTO(struct load, server_pid, 1, INT_MAX)},
    {"ceiling", "R", "messages a second that --selftest found; see --limit ceiling",
     MESSAGES_INTO(ceiling_milli)},
    {"limit", "NAME=VALUE", "what the verdict takes for too much; may be given again",
     TAKEN_BY(take_limit, "the name of a limit, =, and a number; see --help")},
    {"json", "PATH", "everything, as JSON; - for standard output",
     TEXT_INTO(struct load, json_path)},
    {"hgrm", "PATH", "percentiles as HdrHistogram's plotters read them",
     TEXT_INTO(struct load, hgrm_path)},
    {"csv", "PATH", "percentiles as columns", TEXT_INTO(struct load, csv_path)},
    {"quiet", NULL, "no progress and no table", FLAG_INTO(struct load, quiet)},
    {"selftest", NULL, "measure this client itself, and prove its arithmetic",
     FLAG_INTO(struct load, selftest)},
};

static const struct option_table table = {
    "Puts a known load on a server that echoes length-prefixed "
    "frames, checks every echo, and says\n"
    "how long they took and whether the figures can be trusted.",
    rows, sizeof rows / sizeof rows[0], print_more, NULL};

static bool is_standard_output(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

/* Two formats cannot share standard output. */
static bool outputs_are_apart(const struct load *load)
{
    const char *paths[] = {load->json_path, load->hgrm_path, load->csv_path};
    const char *names[] = {"json", "hgrm", "csv"};
    const char *taken_by = NULL;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (!is_standard_output(paths[i]))
            continue;
        if (taken_by != NULL) {
            error_print("--%s: standard output is taken by --%s", names[i], taken_by);
            return false;
        }
        taken_by = names[i];
    }
    return true;
}

static bool connections_are_enough(struct load *load)
{
    if (load->active == UINT32_MAX)
        load->active = load->connections;
    load->ports_given = load->ports_per_source != 0;
    if (!load->ports_given)
        load->ports_per_source = 10000;
    if (load->active > load->connections)
        error_print("--active: %" PRIu32 " is more than --connections, which is %" PRIu32,
                    load->active, load->connections);
    else if (load->active > 0 && load->threads > load->active)
        error_print("--threads: %" PRIu32 " is more than there are active connections, %" PRIu32,
                    load->threads, load->active);
    else if (load->active == 0 && load->rate_milli != 0)
        error_print("--rate: there is no active connection to send on");
    else if (load->idle != IDLE_SILENT && load->active == load->connections)
        error_print("--idle: there is no idle connection; see --active");
    else if (load->idle == IDLE_HALF_FRAME && load->payload.most == 0)
        error_print("--idle: half a frame needs a --payload above 0");
    else if (load->pins > load->threads)
        error_print("--pin: names %" PRIu32 " CPUs, and --threads is %" PRIu32, load->pins,
                    load->threads);
    else if (load->sources > 0 && (load->connections - 1) / load->ports_per_source >= load->sources)
        error_print("--source: %" PRIu32 " with %" PRIu32
                    " --ports-per-source are not enough for %" PRIu32 " --connections",
                    load->sources, load->ports_per_source, load->connections);
    else
        return true;
    return false;
}

/* What only one of the two loops has. The self-test has an open loop of its own. */
static bool loop_has_options(struct load *load)
{
    const char *name = load->arrivals != ARRIVALS_CONSTANT  ? "arrivals"
                       : load->max_outstanding != NOT_GIVEN ? "max-outstanding"
                       : load->spin_ns != NOT_GIVEN         ? "spin"
                                                            : NULL;

    if (name != NULL && !load_is_open(load) && !load->selftest) {
        error_print("--%s: only an open loop has it; see --rate", name);
        return false;
    }
    if (load->max_outstanding == NOT_GIVEN)
        load->max_outstanding = 1000000;
    if (load->spin_ns == NOT_GIVEN)
        load->spin_ns = 50000;
    if (load->pipeline == 0) /* not given */
        load->pipeline = load_is_open(load) ? UINT32_MAX : 1;
    if (load->max_outstanding >= load->threads)
        return true;
    error_print("--max-outstanding: %" PRIu64 " is less than one for each of --threads, %" PRIu32,
                load->max_outstanding, load->threads);
    return false;
}

/* The self-test has its own server, times and rates. */
static bool selftest_takes(const struct load *load, const struct load *defaults)
{
    const struct {
        const char *name;
        bool given;
    } refused[] = {
        {"host", load->host != defaults->host},
        {"port", load->port != defaults->port},
        {"tls", load->tls},
        {"rate", load_is_open(load)},
        {"arrivals", load->arrivals != defaults->arrivals},
        {"duration", load->duration_ns != defaults->duration_ns},
        {"warmup", load->warmup_ns != defaults->warmup_ns},
        {"max-outstanding", load->max_outstanding != defaults->max_outstanding},
        {"source", load->sources > 0},
        {"server-pid", load->server_pid != 0},
        {"ceiling", load->ceiling_milli != 0},
        {"hgrm", load->hgrm_path != NULL},
    };

    for (size_t i = 0; load->selftest && i < sizeof refused / sizeof refused[0]; i++)
        if (refused[i].given) {
            error_print("--%s: --selftest does not take it", refused[i].name);
            return false;
        }
    return true;
}

static void set_defaults(struct load *load, int argc, char **argv)
{
    *load = (struct load){
        .host = "127.0.0.1",
        .port = 9000,
        .connections = 1,
        .active = UINT32_MAX,
        .placement = PLACEMENT_SPREAD,
        .payload_text = "64",
        .warmup_ns = NANOSECONDS_A_SECOND,
        .duration_ns = 10 * NANOSECONDS_A_SECOND,
        .drain_ns = 5 * NANOSECONDS_A_SECOND,
        .timeout_ns = 60 * NANOSECONDS_A_SECOND,
        .connect_timeout_ns = 5 * NANOSECONDS_A_SECOND,
        .threads = 1,
        .seed = 1,
        .connects = 64,
        .max_outstanding = NOT_GIVEN,
        .spin_ns = NOT_GIVEN,
        .argc = argc,
        .argv = argv,
    };
    (void)payload_parse(&load->payload, load->payload_text);
    limits_default(&load->limits);
}

static bool tls_has_options(const struct load *load)
{
    if (load->tls_ca != NULL && !load->tls)
        error_print("--tls-ca: has no effect without --tls");
    return load->tls_ca == NULL || load->tls;
}

enum options_result load_parse(struct load *load, int argc, char **argv)
{
    struct load defaults;

    set_defaults(&defaults, argc, argv);
    *load = defaults;
    enum options_result result = option_table_read(&table, load, argc, argv);
    if (result != OPTIONS_RUN)
        return result;
    bool good = selftest_takes(load, &defaults) && connections_are_enough(load) &&
                loop_has_options(load) && tls_has_options(load) && outputs_are_apart(load);
    return good ? OPTIONS_RUN : OPTIONS_BAD;
}
