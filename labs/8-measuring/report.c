/* Makes the table of a run from its rows, by the load generator's own functions.
 *
 * Standard input is the run: a line `end NS`, when it was over, and then a row for each request:
 *
 *     SCHEDULED SENT RECEIVED          nanoseconds of one clock
 *     SCHEDULED SENT -                 it was never answered
 *     SCHEDULED - -                    it was never even sent
 *
 * Standard output is the table, a figure a line, in nanoseconds: `response p99 1048575`. Before a
 * figure that is only a lower bound stands `>`. A percentile for which there are too few requests
 * is `-`. */
#include "../../harness/loadgen/outcome.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_BYTES = 128 };

/* Reads a time, or "-". Returns what follows it, or NULL when there is neither. */
static const char *take_time(const char *text, uint64_t none, uint64_t *ns)
{
    char *end = NULL;

    while (*text == ' ')
        text++;
    if (*text == '-') {
        *ns = none;
        return text + 1;
    }
    *ns = strtoull(text, &end, 10);
    return end == text ? NULL : end;
}

static int take_row(struct latencies *latencies, const char *line, uint64_t end_ns)
{
    uint64_t scheduled_ns = 0, sent_ns = 0, received_ns = 0;
    const char *rest = take_time(line, 0, &scheduled_ns);

    if (rest != NULL)
        rest = take_time(rest, LATENCIES_NOT_SENT, &sent_ns);
    if (rest != NULL)
        rest = take_time(rest, 0, &received_ns);
    if (rest == NULL)
        return -1;
    if (received_ns != 0)
        latencies_answered(latencies, scheduled_ns, sent_ns, received_ns);
    else
        latencies_unanswered(latencies, scheduled_ns, sent_ns, end_ns);
    return 0;
}

static int read_rows(struct latencies *latencies, FILE *stream)
{
    char line[LINE_BYTES];
    uint64_t end_ns = 0, number = 1;

    if (fgets(line, sizeof line, stream) == NULL || strncmp(line, "end ", 4) != 0 ||
        take_time(line + 4, 0, &end_ns) == NULL) {
        (void)fputs("report: line 1: no `end NS`\n", stderr);
        return -1;
    }
    while (fgets(line, sizeof line, stream) != NULL) {
        number++;
        if (take_row(latencies, line, end_ns) < 0) {
            (void)fprintf(stderr, "report: line %" PRIu64 ": not a row\n", number);
            return -1;
        }
    }
    return 0;
}

static void print_figure(const char *time, const char *name, struct percentile figure)
{
    if (figure.known)
        (void)printf("%s %s %s%" PRIu64 "\n", time, name, figure.at_least ? ">" : "", figure.ns);
    else
        (void)printf("%s %s -\n", time, name);
}

static void print_timing(struct timing timing)
{
    struct percentile most = outcome_most(timing);

    for (int i = 0; i < OUTCOME_PERCENTILES; i++)
        print_figure(timing.name, outcome_columns[i].name,
                     outcome_percentile(timing, outcome_columns[i].thousandths));
    print_figure(timing.name, "max", most);
    if (most.known)
        (void)printf("%s mean %s%.0f\n", timing.name, most.at_least ? ">" : "",
                     outcome_mean(timing));
    else
        (void)printf("%s mean -\n", timing.name);
}

int main(void)
{
    struct latencies latencies = {0};
    int status = EXIT_FAILURE;

    if (latencies_new(&latencies) == 0 && read_rows(&latencies, stdin) == 0) {
        (void)printf("answered %" PRIu64 "\nunanswered %" PRIu64 "\n",
                     histogram_load(&latencies.response->count),
                     histogram_load(&latencies.censored->count));
        print_timing(latencies_timing(&latencies, TIMING_RESPONSE));
        print_timing(latencies_timing(&latencies, TIMING_SERVICE));
        status = fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    latencies_free(&latencies);
    return status;
}
