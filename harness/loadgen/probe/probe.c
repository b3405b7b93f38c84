/* Lets the tests reach single parts of the load generator: numbers in, numbers out. The tests, in
 * Python, know which results are right. This program does not. */
#include "../histogram.h"
#include "../outcome.h"
#include "../payload.h"
#include "../schedule.h"
#include "../verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

/* percentiles PARTS: reads lines "d NS" (answered) and "c NS" (unanswered). It distributes each
 * kind over PARTS histograms and adds these up. Prints count, sum, least, greatest, then each
 * percentile. */
static int probe_percentiles(char **arguments)
{
    enum { MOST_PARTS = 8 };
    uint64_t parts = number(arguments[0]);
    struct histogram *done[MOST_PARTS];
    struct histogram *censored = histogram_new();
    uint64_t line = 0;
    uint64_t value_ns;
    char kind;

    if (parts < 1 || parts > MOST_PARTS)
        return 2;
    for (uint64_t i = 0; i < parts; i++)
        done[i] = histogram_new();
    while (scanf(" %c %" SCNu64, &kind, &value_ns) == 2)
        histogram_record(kind == 'c' ? censored : done[line++ % parts], value_ns);
    for (uint64_t i = 1; i < parts; i++)
        histogram_add(done[0], done[i]);
    (void)printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
                 histogram_load(&done[0]->count), histogram_load(&done[0]->sum_ns),
                 histogram_load(&done[0]->least_ns), histogram_load(&done[0]->most_ns));
    for (int i = 0; i < OUTCOME_PERCENTILES; i++) {
        struct percentile percentile = outcome_percentile((struct timing){"", done[0], censored},
                                                          outcome_columns[i].thousandths);
        (void)printf("%s %" PRIu64 " %d %d\n", outcome_columns[i].name, percentile.ns,
                     percentile.known, percentile.at_least);
    }
    for (uint64_t i = 0; i < parts; i++)
        free(done[i]);
    free(censored);
    return 0;
}

/* schedule RATE_MILLI constant|poisson SEED THREAD THREADS COUNT: when the first COUNT requests are
 * due, from a start at 0. */
static int probe_schedule(char **arguments)
{
    struct schedule schedule;
    enum arrivals arrivals =
        strcmp(arguments[1], "poisson") == 0 ? ARRIVALS_POISSON : ARRIVALS_CONSTANT;

    schedule_init(&schedule, number(arguments[0]), arrivals, number(arguments[2]),
                  (uint32_t)number(arguments[3]), (uint32_t)number(arguments[4]));
    schedule_start(&schedule, 0);
    for (uint64_t count = number(arguments[5]); count > 0; count--) {
        (void)printf("%" PRIu64 "\n", schedule.next_ns);
        schedule_advance(&schedule);
    }
    return 0;
}

/* order SEED COUNT: which connection has which turn. */
static int probe_order(char **arguments)
{
    uint32_t count = (uint32_t)number(arguments[1]);
    uint32_t *order = calloc(count, sizeof *order);

    if (order == NULL)
        return 1;
    schedule_order(number(arguments[0]), count, order);
    for (uint32_t i = 0; i < count; i++)
        (void)printf("%" PRIu32 "\n", order[i]);
    free(order);
    return 0;
}

/* verdict NAME=VALUE...: figures, and limits as limit:NAME=VALUE. Prints the verdict, its exit
 * status, and the reasons. */
static int probe_verdict(char **arguments)
{
    struct figures figures = {0};
    struct limits limits;
    struct judgement judgement;

    limits_default(&limits);
    for (; *arguments != NULL; arguments++) {
        char *equals = strchr(*arguments, '=');
        bool known = strncmp(*arguments, "limit:", 6) == 0 && limits_parse(&limits, *arguments + 6);
        if (equals == NULL)
            return 2;
#define X(name)                                                                                    \
    if (strncmp(*arguments, #name "=", sizeof #name) == 0) {                                       \
        figures.name = strtod(equals + 1, NULL);                                                   \
        known = true;                                                                              \
    }
        FIGURES(X)
#undef X
        if (!known)
            return 2;
    }
    verdict_decide(&figures, &limits, &judgement);
    (void)printf("%s %d\n", verdict_name(judgement.verdict), verdict_status(judgement.verdict));
    for (uint32_t i = 0; i < judgement.count; i++)
        (void)printf("%s %s\n", verdict_name(judgement.reasons[i].verdict),
                     judgement.reasons[i].text);
    return 0;
}

/* payload SEED CONNECTION NUMBER SIZES: prints the frame in hexadecimal, made in pieces of 1, 2, 3
 * and more bytes; "matches" or "differs" for the check of the same pieces; and whose frame it
 * is. */
static int probe_payload(char **arguments)
{
    struct payload_sizes sizes;
    uint64_t key = payload_key(number(arguments[0]));
    uint64_t identity = payload_identity(key, (uint32_t)number(arguments[1]), number(arguments[2]));
    uint32_t connection;
    uint64_t message;

    if (!payload_parse(&sizes, arguments[3]))
        return 2;
    uint32_t size = payload_size(&sizes, identity);
    size_t whole = payload_frame_size(size);
    uint8_t *bytes = malloc(whole);
    bool matches = true;
    if (bytes == NULL)
        return 1;
    for (size_t at = 0, piece = 1; at < whole; at += piece, piece++) {
        if (piece > whole - at)
            piece = whole - at;
        payload_frame(identity, size, at, bytes + at, piece);
        matches &= payload_matches(identity, size, at, bytes + at, piece);
    }
    matches &= payload_matches(identity, size, 0, bytes, whole);
    for (size_t i = 0; i < whole; i++)
        (void)printf("%02x", bytes[i]);
    payload_owner(key, identity, &connection, &message);
    (void)printf("\n%s\n%" PRIu32 " %" PRIu64 "\n", matches ? "matches" : "differs", connection,
                 message);
    for (size_t i = 0; i < whole; i++) { /* the check must notice each wrong byte */
        bytes[i] ^= 1;
        if (payload_matches(identity, size, 0, bytes, whole))
            (void)printf("byte %zu is not checked\n", i);
        bytes[i] ^= 1;
    }
    free(bytes);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int arguments;
        int (*probe)(char **arguments);
    } probes[] = {
        {"percentiles", 1, probe_percentiles},
        {"schedule", 6, probe_schedule},
        {"order", 2, probe_order},
        {"verdict", 0, probe_verdict},
        {"payload", 4, probe_payload},
    };

    for (size_t i = 0; argc > 1 && i < sizeof probes / sizeof probes[0]; i++)
        if (strcmp(argv[1], probes[i].name) == 0 && argc - 2 >= probes[i].arguments)
            return probes[i].probe(argv + 2);
    (void)fputs("see the comments in probe.c\n", stderr);
    return 2;
}
