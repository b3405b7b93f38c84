#include "options.h"

#include "clock.h"
#include "error.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>

/* The largest size that any option takes: twice the sum of two, the most that a buffer grows to,
 * then fits in 32 bits. */
#define MAX_SIZE (1U << 28)

/* A thousand million seconds. */
#define MOST_NS (NANOSECONDS_A_SECOND * NANOSECONDS_A_SECOND)

#define SECONDS_INTO(member) TIME_INTO(struct options, member, 0, MOST_NS, NANOSECONDS_A_SECOND)

static void print_more(FILE *stream)
{
    (void)fputs(
        "\nSeconds may have fractions. The line `listening on ADDR:PORT` on standard output says\n"
        "that the server is ready. SIGUSR1 prints a line of statistics on standard error. SIGTERM\n"
        "and SIGINT stop the server after pending output has been sent; a second one stops it at\n"
        "once. SIGUSR2 starts the program anew and hands its listening socket on: no connection\n"
        "is lost. With a socket from whoever started it (LISTEN_FDS, sd_listen_fds(3)), --bind,\n"
        "--port and --backlog are not used. Exit status: 0 after a stop, 1 when it cannot run, 2\n"
        "for a bad option.\n",
        stream);
}

static const char *const framings[] = {"length", "line", NULL};

static const struct option_row rows[] = {
    {"bind", "ADDR", "address to listen on, IPv4 or IPv6 (127.0.0.1)",
     TEXT_INTO(struct options, bind)},
    {"port", "N", "port to listen on; 0: the kernel picks (9000)",
     NUMBER_INTO(struct options, port, 0, UINT16_MAX)},
    {"max-frame", "BYTES", "largest payload (1048576)",
     NUMBER_INTO(struct options, max_frame, 0, MAX_SIZE)},
    {"max-conns", "N",
     "most connections at once; more are refused\n(what the descriptor limit allows)",
     NUMBER_INTO(struct options, max_conns, 1, INT_MAX)},
    {"high-water", "BYTES", "unsent output of a connection at which its reading stops (262144)",
     NUMBER_INTO(struct options, high_water, 0, MAX_SIZE)},
    {"low-water", "BYTES", "unsent output at which it starts again (65536)",
     NUMBER_INTO(struct options, low_water, 0, MAX_SIZE)},
    {"idle-timeout", "SECONDS", "close a connection on which no byte moves for so long (0: off)",
     SECONDS_INTO(idle_timeout_ns)},
    {"max-lifetime", "SECONDS", "close a connection of this age (0: off)",
     SECONDS_INTO(max_lifetime_ns)},
    {"drain-timeout", "SECONDS",
     "how long a close that the server begins may take to send what is\n"
     "pending and to hear the peer close too (5)",
     SECONDS_INTO(drain_timeout_ns)},
    {"restart-timeout", "SECONDS",
     "how long a restart (SIGUSR2) waits until the new program listens;\n0: for ever (10)",
     SECONDS_INTO(restart_timeout_ns)},
    {"backlog", "N", "queue of connections not yet accepted (4096)",
     NUMBER_INTO(struct options, backlog, 1, INT_MAX)},
    {"stats", "PATH", "file for the final statistics (standard error)",
     TEXT_INTO(struct options, stats_path)},
    /* The last one: see option_part. */
    {"framing", "HOW", "what ends a frame", CHOICE_INTO(struct options, framing, framings)},
};

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

enum options_result options_parse(struct options *options, const struct option_part *part, int argc,
                                  char **argv)
{
    const struct option_table table = {
        .purpose = part != NULL && part->purpose != NULL
                       ? part->purpose
                       : "Echoes length-prefixed frames over TCP: 4 bytes big-endian length, then "
                         "the payload.",
        .rows = rows,
        .count = sizeof rows / sizeof rows[0] - (part != NULL && part->frames_itself),
        .part = part,
        .more = print_more,
    };

    *options = (struct options){
        .bind = "127.0.0.1",
        .port = 9000,
        .max_frame = 1U << 20,
        .high_water = 256U << 10,
        .low_water = 64U << 10,
        .drain_timeout_ns = 5 * NANOSECONDS_A_SECOND,
        .restart_timeout_ns = 10 * NANOSECONDS_A_SECOND,
        .backlog = 4096,
    };
    enum options_result result = option_table_read(&table, options, argc, argv);
    if (result != OPTIONS_RUN)
        return result;
    if (options->idle_timeout_ns == 0)
        options->idle_timeout_ns = NEVER;
    if (options->max_lifetime_ns == 0)
        options->max_lifetime_ns = NEVER;
    if (options->restart_timeout_ns == 0)
        options->restart_timeout_ns = NEVER;
    return consistent(options) ? OPTIONS_RUN : OPTIONS_BAD;
}
