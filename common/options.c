#include "options.h"

#include "clock.h"
#include "error.h"
#include "parse.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The largest size that any option takes: twice the sum of two, the most that a buffer grows to,
 * then fits in 32 bits. */
#define MAX_SIZE (1U << 28)

enum option_key {
    OPTION_BIND = 256, /* above any character: there are no short options */
    OPTION_PORT,
    OPTION_MAX_FRAME,
    OPTION_MAX_CONNS,
    OPTION_HIGH_WATER,
    OPTION_LOW_WATER,
    OPTION_IDLE_TIMEOUT,
    OPTION_MAX_LIFETIME,
    OPTION_DRAIN_TIMEOUT,
    OPTION_BACKLOG,
    OPTION_STATS,
    OPTION_HELP,
};

static const struct option option_table[] = {
    {"bind", required_argument, NULL, OPTION_BIND},
    {"port", required_argument, NULL, OPTION_PORT},
    {"max-frame", required_argument, NULL, OPTION_MAX_FRAME},
    {"max-conns", required_argument, NULL, OPTION_MAX_CONNS},
    {"high-water", required_argument, NULL, OPTION_HIGH_WATER},
    {"low-water", required_argument, NULL, OPTION_LOW_WATER},
    {"idle-timeout", required_argument, NULL, OPTION_IDLE_TIMEOUT},
    {"max-lifetime", required_argument, NULL, OPTION_MAX_LIFETIME},
    {"drain-timeout", required_argument, NULL, OPTION_DRAIN_TIMEOUT},
    {"backlog", required_argument, NULL, OPTION_BACKLOG},
    {"stats", required_argument, NULL, OPTION_STATS},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

static const char help_text[] =
    "Echoes length-prefixed frames over TCP: 4 bytes big-endian length, then the payload.\n"
    "\n"
    "  --bind ADDR              address to listen on, IPv4 or IPv6 (127.0.0.1)\n"
    "  --port N                 port to listen on; 0: the kernel picks (9000)\n"
    "  --max-frame BYTES        largest payload (1048576)\n"
    "  --max-conns N            most connections at once; more are refused\n"
    "                           (what the descriptor limit allows)\n"
    "  --high-water BYTES       unsent output of a connection at which its reading stops (262144)\n"
    "  --low-water BYTES        … and at which it starts again (65536)\n"
    "  --idle-timeout SECONDS   close a connection on which no byte moves for so long (0: off)\n"
    "  --max-lifetime SECONDS   close a connection of this age (0: off)\n"
    "  --drain-timeout SECONDS  how long a close that the server begins may take to send what is\n"
    "                           pending and to hear the peer close too (5)\n"
    "  --backlog N              queue of connections not yet accepted (4096)\n"
    "  --stats PATH             file for the final statistics (standard error)\n"
    "  --help                   this text\n"
    "\n"
    "Seconds may have fractions. The line `listening on ADDR:PORT` on standard output says that\n"
    "the server is ready. SIGUSR1 prints a line of statistics on standard error. SIGTERM and\n"
    "SIGINT stop the server after pending output has been sent; a second one stops it at once.\n"
    "Exit status: 0 after a stop, 1 when it cannot run, 2 for a bad option.\n";

/* Seconds with an optional fraction to nanoseconds; 0 becomes `zero`. */
static bool parse_seconds(const char *name, const char *text, uint64_t zero, uint64_t *nanoseconds)
{
    static const char expected[] = "a number of seconds from 0 to 1000000000";
    char *end = NULL;

    if (!isdigit((unsigned char)text[0]) && text[0] != '.')
        return parse_bad_value(name, text, expected);
    double seconds = strtod(text, &end);
    if (strpbrk(text, "xX") != NULL || end == text || *end != '\0' || !isfinite(seconds) ||
        seconds > 1e9)
        return parse_bad_value(name, text, expected);
    if (seconds <= 0.0)
        *nanoseconds = zero;
    else /* up, so that a tiny timeout never becomes none */
        *nanoseconds = (uint64_t)ceil(seconds * (double)NANOSECONDS_A_SECOND);
    return true;
}

static bool parse_size(const char *name, const char *text, uint32_t *size)
{
    uint64_t value = 0;

    if (!parse_number(name, text, 0, MAX_SIZE, &value))
        return false;
    *size = (uint32_t)value;
    return true;
}

static bool parse_option(struct options *options, int key, const char *name, const char *text)
{
    uint64_t number = 0;

    switch (key) {
    case OPTION_BIND:
        options->bind = text;
        return true;
    case OPTION_PORT:
        if (!parse_number(name, text, 0, UINT16_MAX, &number))
            return false;
        options->port = (uint16_t)number;
        return true;
    case OPTION_MAX_FRAME:
        return parse_size(name, text, &options->max_frame);
    case OPTION_MAX_CONNS:
        if (!parse_number(name, text, 1, INT_MAX, &number))
            return false;
        options->max_conns = (size_t)number;
        return true;
    case OPTION_HIGH_WATER:
        return parse_size(name, text, &options->high_water);
    case OPTION_LOW_WATER:
        return parse_size(name, text, &options->low_water);
    case OPTION_IDLE_TIMEOUT:
        return parse_seconds(name, text, NEVER, &options->idle_timeout_ns);
    case OPTION_MAX_LIFETIME:
        return parse_seconds(name, text, NEVER, &options->max_lifetime_ns);
    case OPTION_DRAIN_TIMEOUT:
        return parse_seconds(name, text, 0, &options->drain_timeout_ns);
    case OPTION_BACKLOG:
        if (!parse_number(name, text, 1, INT_MAX, &number))
            return false;
        options->backlog = (int)number;
        return true;
    default:
        options->stats_path = text;
        return true;
    }
}

static bool consistent(const struct options *options)
{
    if (options->high_water == 0) {
        error_print("--high-water: must be at least 1, or nothing would ever be read");
        return false;
    }
    if (options->low_water >= options->high_water) {
        error_print("--low-water: %" PRIu32 " is not below --high-water, which is %" PRIu32,
                    options->low_water, options->high_water);
        return false;
    }
    return true;
}

static enum options_result show_help(const char *program)
{
    if (printf("Usage: %s [OPTION]...\n%s", program, help_text) >= 0 && fflush(stdout) == 0)
        return OPTIONS_HELP_SHOWN;
    error_print("--help: write standard output: %s", strerror(errno));
    return OPTIONS_BAD;
}

enum options_result options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){
        .bind = "127.0.0.1",
        .port = 9000,
        .max_frame = 1U << 20,
        .high_water = 256U << 10,
        .low_water = 64U << 10,
        .idle_timeout_ns = NEVER,
        .max_lifetime_ns = NEVER,
        .drain_timeout_ns = 5 * NANOSECONDS_A_SECOND,
        .backlog = 4096,
    };
    opterr = 0; /* the lines about bad options are ours, like all others */
    for (;;) {
        int index = 0;
        int key = getopt_long(argc, argv, ":", option_table, &index);
        if (key == -1)
            break;
        if (key == ':' || key == '?') {
            error_print("'%s': %s; see --help", argv[optind - 1],
                        key == ':' ? "needs a value" : "no such option");
            return OPTIONS_BAD;
        }
        if (key == OPTION_HELP)
            return show_help(argv[0]);
        if (!parse_option(options, key, option_table[index].name, optarg))
            return OPTIONS_BAD;
    }
    if (optind < argc) {
        error_print("'%s': unexpected argument; see --help", argv[optind]);
        return OPTIONS_BAD;
    }
    return consistent(options) ? OPTIONS_RUN : OPTIONS_BAD;
}
