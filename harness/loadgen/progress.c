#include "progress.h"

#include "../../common/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void progress_begin(struct progress *progress, bool quiet)
{
    *progress = (struct progress){.shown = !quiet && isatty(STDERR_FILENO)};
    if (progress->shown)
        progress->scratch = histogram_new();
    if (progress->scratch == NULL)
        progress->shown = false;
}

enum { CELL_BYTES = 32 };

/* In microseconds. What waits counts as longer than all that was answered: how long it will take,
 * nobody knows yet. So the percentiles of a server that has frozen do not stay as they were. */
static const char *percentile(const struct histogram *answered, uint64_t waiting,
                              uint32_t thousandths, char text[CELL_BYTES])
{
    uint64_t count = histogram_load(&answered->count);
    uint64_t rank = histogram_rank(count + waiting, thousandths);

    (void)snprintf(text, CELL_BYTES, "%s%.1f", rank > count ? ">" : "",
                   (double)histogram_at_rank(answered, rank) / 1e3);
    return text;
}

static void print_line(const struct progress *progress, double rate, uint64_t waiting,
                       uint64_t errors, double left)
{
    char p50[CELL_BYTES];
    char p99[CELL_BYTES];

    (void)fprintf(stderr,
                  "\r%9.0f/s  p50 %9s us  p99 %9s us  waiting %" PRIu64 "  errors %" PRIu64
                  "  %5.1f s left \x1b[K",
                  rate, percentile(progress->scratch, waiting, 50000, p50),
                  percentile(progress->scratch, waiting, 99000, p99), waiting, errors, left);
    (void)fflush(stderr);
}

void progress_show(struct progress *progress, const struct worker *workers, uint32_t count,
                   uint64_t now_ns)
{
    uint64_t waiting = 0;
    uint64_t errors = 0;

    if (!progress->shown || now_ns < progress->next_ns)
        return;
    progress->next_ns = now_ns + NANOSECONDS_A_SECOND / 2;
    struct histogram *fresh = histogram_new();
    if (fresh == NULL)
        return;
    free(progress->scratch);
    progress->scratch = fresh;
    for (uint32_t i = 0; i < count; i++) {
        histogram_add(fresh, workers[i].traffic.latencies.response);
        waiting += histogram_load(&workers[i].traffic.outstanding);
        errors += histogram_load(&workers[i].traffic.tally.errors_seen);
    }
    uint64_t replies = histogram_load(&fresh->count);
    double seconds = (double)(now_ns - progress->last_ns) / 1e9;
    uint64_t end_ns = histogram_load(&workers[0].gate->measure_to_ns);
    double left = end_ns > now_ns ? (double)(end_ns - now_ns) / 1e9 : 0;
    print_line(progress, (double)(replies - progress->last_count) / seconds, waiting, errors, left);
    progress->last_ns = now_ns;
    progress->last_count = replies;
}

void progress_end(struct progress *progress)
{
    if (progress->shown)
        (void)fputs("\r\x1b[K", stderr);
    free(progress->scratch);
    *progress = (struct progress){0};
}
