#include "load.h"

#include "../../common/clock.h"
#include "../../common/error.h"
#include "../../common/parse.h"

#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Above it, products of schedule_offset would leave 64 bits. */
static const double most_rate = 4e6;

static const struct {
    const char *name;
    const char *value; /* what it is called in the help; NULL: there is none */
    const char *text;
} option_list[] = {
    {"host", "NAME", "server's name or address, IPv4 or IPv6 (127.0.0.1)"},
    {"port", "N", "server's port (9000)"},
    {"connections", "N", "connections, all established before the clock starts (1)"},
    {"active", "K", "of them, how many carry requests (all)"},
    {"placement", "HOW", "where the active ones stand: first, last, spread, random (spread)"},
    {"idle", "HOW", "the others: silent, trickle, half-frame, not-reading (silent)"},
    {"payload", "SIZES", "bytes: 64, 16-1024, or by weight 64*9,4096-8192*1 (64)"},
    {"pipeline", "D", "most requests on a connection's wire (1; open loop: no limit)"},
    {"rate", "R", "open loop: requests a second, over all connections (closed loop)"},
    {"arrivals", "HOW", "open loop: constant, poisson (constant)"},
    {"duration", "SECONDS", "measured time (10)"},
    {"warmup", "SECONDS", "same load before it, not measured (1)"},
    {"drain", "SECONDS", "how long to wait for the last replies (5)"},
    {"timeout", "SECONDS", "a reply later than this is an error (60)"},
    {"threads", "T", "threads; connections are dealt out to them (1)"},
    {"seed", "N", "of payloads, placement, order, arrivals, fragments (1)"},
    {"churn", "M", "replace a connection after M messages (never)"},
    {"close", "HOW", "how connections end: reset leaves no TIME_WAIT; fin (reset)"},
    {"fragment", NULL, "write in pieces of random size, across frame boundaries"},
    {"connects", "N", "most connections not yet proven at once (64)"},
    {"connect-timeout", "SECONDS", "longest wait while no connection proves itself (5)"},
    {"max-outstanding", "N", "open loop: unanswered requests that end the run (1000000)"},
    {"spin", "MICROSECONDS", "poll instead of sleeping so long before a due time (50)"},
    {"pin", "CPU[,CPU...]", "threads' CPUs, in turn (not pinned)"},
    {"source", "ADDR", "source address; may be given again, taken in turn"},
    {"ports-per-source", "N", "connections from one source address (10000)"},
    {"server-pid", "PID", "local server: show its CPU, switches, memory too"},
    {"ceiling", "R", "messages a second that --selftest found; see --limit ceiling"},
    {"limit", "NAME=VALUE", "what the verdict takes for too much; may be given again"},
    {"json", "PATH", "everything, as JSON; - for standard output"},
    {"hgrm", "PATH", "percentiles as HdrHistogram's plotters read them"},
    {"csv", "PATH", "percentiles as columns"},
    {"quiet", NULL, "no progress and no table"},
    {"selftest", NULL, "measure this client itself, and prove its arithmetic"},
    {"help", NULL, "this text"},
};

enum { OPTION_COUNT = sizeof option_list / sizeof option_list[0], FIRST_KEY = 256 };

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

static bool parse_count(const char *name, const char *text, uint32_t least, uint32_t most,
                        uint32_t *count)
{
    uint64_t value = 0;

    if (!parse_number(name, text, least, most, &value))
        return false;
    *count = (uint32_t)value;
    return true;
}

/* A number with an optional fraction, times `scale`, rounded up. */
static bool parse_scaled(const char *name, const char *text, double most, double scale,
                         uint64_t *value)
{
    char expected[64];
    char *end = NULL;

    (void)snprintf(expected, sizeof expected, "a number from 0 to %.0f", most);
    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return parse_bad_value(name, text, expected);
    double number = strtod(text, &end);
    if (strpbrk(text, "xX") != NULL || end == text || *end != '\0' || !isfinite(number) ||
        number > most)
        return parse_bad_value(name, text, expected);
    *value = (uint64_t)ceil(number * scale);
    return true;
}

static bool parse_seconds(const char *name, const char *text, uint64_t *nanoseconds)
{
    return parse_scaled(name, text, 1e6, 1e9, nanoseconds);
}

static bool parse_rate(const char *name, const char *text, uint64_t *rate_milli)
{
    if (!parse_scaled(name, text, most_rate, 1e3, rate_milli))
        return false;
    return *rate_milli > 0 || parse_bad_value(name, text, "above 0");
}

/* The index of text among names. */
static bool parse_choice(const char *name, const char *text, const char *const *names, int *index)
{
    char expected[80] = "one of";

    for (*index = 0; names[*index] != NULL; ++*index)
        if (strcmp(text, names[*index]) == 0)
            return true;
    for (int i = 0; names[i] != NULL; i++) {
        size_t used = strlen(expected);
        (void)snprintf(expected + used, sizeof expected - used, " %s", names[i]);
    }
    return parse_bad_value(name, text, expected);
}

static bool parse_pins(struct load *load, const char *name, const char *text)
{
    const char *rest = text;

    load->pins = 0;
    do {
        char *end = NULL;
        if (!isdigit((unsigned char)*rest) || load->pins == LOAD_PINS)
            return parse_bad_value(name, text, "a list of CPU numbers");
        unsigned long cpu = strtoul(rest, &end, 10);
        if (cpu >= 1024)
            return parse_bad_value(name, text, "a list of CPU numbers");
        load->pin[load->pins++] = (int)cpu;
        rest = end;
    } while (*rest++ == ',');
    return rest[-1] == '\0' || parse_bad_value(name, text, "a list of CPU numbers");
}

static bool parse_source(struct load *load, const char *name, const char *text)
{
    if (load->sources == LOAD_SOURCES)
        return parse_bad_value(name, text, "among the first 64 source addresses");
    load->source[load->sources++] = text;
    return true;
}

static bool parse_limit(struct load *load, const char *name, const char *text)
{
    return limits_parse(&load->limits, text) ||
           parse_bad_value(name, text, "the name of a limit, =, and a number; see --help");
}

static bool is(const char *name, const char *other)
{
    return strcmp(name, other) == 0;
}

/* What the load looks like. Sets *known to false when the option is none of these. */
static bool parse_shape(struct load *load, const char *name, const char *text, bool *known)
{
    int choice = 0;
    bool good = true;

    if (is(name, "connections"))
        return parse_count(name, text, 1, 1U << 24, &load->connections);
    if (is(name, "active"))
        return parse_count(name, text, 0, 1U << 24, &load->active);
    if (is(name, "pipeline"))
        return parse_count(name, text, 1, 1U << 20, &load->pipeline);
    if (is(name, "rate"))
        return parse_rate(name, text, &load->rate_milli);
    if (is(name, "churn"))
        return parse_number(name, text, 1, UINT32_MAX, &load->churn);
    if (is(name, "payload")) {
        load->payload_text = text;
        return payload_parse(&load->payload, text) ||
               parse_bad_value(name, text, "a size, a range, or a list of them with weights");
    }
    if (is(name, "placement") && (good = parse_choice(name, text, placement_names, &choice)))
        load->placement = (enum placement)choice;
    else if (is(name, "idle") && (good = parse_choice(name, text, idle_names, &choice)))
        load->idle = (enum idle)choice;
    else if (is(name, "arrivals") && (good = parse_choice(name, text, arrivals_names, &choice)))
        load->arrivals = (enum arrivals)choice;
    else if (is(name, "close") && (good = parse_choice(name, text, close_names, &choice)))
        load->close_mode = (enum close_mode)choice;
    else
        *known = !good;
    return good;
}

/* How long, how often, where from. */
static bool parse_manner(struct load *load, const char *name, const char *text, bool *known)
{
    if (is(name, "duration"))
        return parse_seconds(name, text, &load->duration_ns);
    if (is(name, "warmup"))
        return parse_seconds(name, text, &load->warmup_ns);
    if (is(name, "drain"))
        return parse_seconds(name, text, &load->drain_ns);
    if (is(name, "timeout"))
        return parse_seconds(name, text, &load->timeout_ns);
    if (is(name, "connect-timeout"))
        return parse_seconds(name, text, &load->connect_timeout_ns);
    if (is(name, "spin"))
        return parse_scaled(name, text, 1e6, 1e3, &load->spin_ns);
    if (is(name, "threads"))
        return parse_count(name, text, 1, 256, &load->threads);
    if (is(name, "seed"))
        return parse_number(name, text, 0, UINT64_MAX, &load->seed);
    if (is(name, "connects"))
        return parse_count(name, text, 1, 1U << 20, &load->connects);
    if (is(name, "max-outstanding"))
        return parse_number(name, text, 1, UINT32_MAX, &load->max_outstanding);
    if (is(name, "pin"))
        return parse_pins(load, name, text);
    if (is(name, "source"))
        return parse_source(load, name, text);
    if (is(name, "ports-per-source"))
        return parse_count(name, text, 1, 64000, &load->ports_per_source);
    *known = false;
    return true;
}

static bool parse_option(struct load *load, const char *name, const char *text)
{
    uint32_t number = 0;
    bool known = true;

    if (!parse_shape(load, name, text, &known))
        return false;
    if (known)
        return true;
    known = true;
    if (!parse_manner(load, name, text, &known))
        return false;
    if (known)
        return true;
    if (is(name, "host"))
        load->host = text;
    else if (is(name, "port") && parse_count(name, text, 1, UINT16_MAX, &number))
        load->port = (uint16_t)number;
    else if (is(name, "server-pid") && parse_count(name, text, 1, INT_MAX, &number))
        load->server_pid = (int)number;
    else if (is(name, "limit"))
        return parse_limit(load, name, text);
    else if (is(name, "ceiling"))
        return parse_rate(name, text, &load->ceiling_milli);
    else if (is(name, "json"))
        load->json_path = text;
    else if (is(name, "hgrm"))
        load->hgrm_path = text;
    else if (is(name, "csv"))
        load->csv_path = text;
    else
        return false; /* a bad port or process id: said already */
    return true;
}

static void print_help(const char *program)
{
    (void)printf("Usage: %s [OPTION]...\n"
                 "       %s merge A.json B.json... [OPTION]...\n"
                 "Puts a known load on a server that echoes length-prefixed frames, checks every\n"
                 "echo, and says how long they took and whether the figures can be trusted.\n\n",
                 program, program);
    for (int i = 0; i < OPTION_COUNT; i++) {
        const char *value = option_list[i].value;
        char left[48];
        (void)snprintf(left, sizeof left, "--%s%s%s", option_list[i].name, value ? " " : "",
                       value ? value : "");
        (void)printf("  %-25s %s\n", left, option_list[i].text);
    }
    (void)printf("\nLimits (--limit NAME=VALUE), beyond which figures are not VALID:\n");
    struct limits limits;
    limits_default(&limits);
    for (int i = 0; i < LIMIT_COUNT; i++)
        (void)printf("  %-10s %6g  %s\n", limit_name((enum limit)i), limits.value[i],
                     limit_text((enum limit)i));
    (void)printf("\nSeconds may have fractions. Exit status: the verdict's (");
    for (int i = 0; i < VERDICT_COUNT; i++)
        (void)printf("%s%s %d", i ? ", " : "", verdict_name((enum verdict)i),
                     verdict_status((enum verdict)i));
    (void)printf("),\n1 when it cannot run, 2 for a bad option.\n");
}

static bool consistent(struct load *load)
{
    if (load->active == UINT32_MAX)
        load->active = load->connections;
    if (load->active > load->connections) {
        error_print("--active: %" PRIu32 " is more than --connections, which is %" PRIu32,
                    load->active, load->connections);
        return false;
    }
    if (load->active > 0 && load->threads > load->active) {
        error_print("--threads: %" PRIu32 " is more than there are active connections, %" PRIu32,
                    load->threads, load->active);
        return false;
    }
    if (load->active == 0 && load->rate_milli != 0) {
        error_print("--rate: there is no active connection to send on");
        return false;
    }
    if (load->duration_ns == 0) {
        error_print("--duration: must be above 0");
        return false;
    }
    if (load->idle == IDLE_HALF_FRAME && load->payload.most == 0) {
        error_print("--idle: half a frame needs a --payload above 0");
        return false;
    }
    if (load->pipeline == 0) /* not given */
        load->pipeline = load_is_open(load) ? UINT32_MAX : 1;
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
        .max_outstanding = 1000000,
        .spin_ns = 50000,
        .ports_per_source = 10000,
        .argc = argc,
        .argv = argv,
    };
    (void)payload_parse(&load->payload, load->payload_text);
    limits_default(&load->limits);
}

static bool take_files(struct load *load, int argc, char **argv)
{
    if (optind < argc && strcmp(argv[optind], "merge") == 0) {
        load->merge = true;
        load->first_file = optind + 1;
        if (load->first_file < argc)
            return true;
        error_print("merge: needs the JSON files of one run or more");
        return false;
    }
    if (optind == argc)
        return true;
    error_print("'%s': unexpected argument; see --help", argv[optind]);
    return false;
}

enum load_result load_parse(struct load *load, int argc, char **argv)
{
    struct option table[OPTION_COUNT + 1] = {{0}};

    for (int i = 0; i < OPTION_COUNT; i++)
        table[i] = (struct option){option_list[i].name,
                                   option_list[i].value ? required_argument : no_argument, NULL,
                                   FIRST_KEY + i};
    set_defaults(load, argc, argv);
    for (;;) {
        int key = getopt_long(argc, argv, "", table, NULL);
        if (key == -1)
            break;
        if (key == '?')
            return LOAD_BAD; /* getopt_long has said why */
        const char *name = option_list[key - FIRST_KEY].name;
        if (is(name, "help")) {
            print_help(argv[0]);
            return fflush(stdout) == 0 ? LOAD_HELP_SHOWN : LOAD_BAD;
        }
        if (is(name, "fragment"))
            load->fragment = true;
        else if (is(name, "quiet"))
            load->quiet = true;
        else if (is(name, "selftest"))
            load->selftest = true;
        else if (!parse_option(load, name, optarg))
            return LOAD_BAD;
    }
    if (!take_files(load, argc, argv))
        return LOAD_BAD;
    return consistent(load) ? LOAD_RUN : LOAD_BAD;
}
