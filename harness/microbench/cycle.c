#include "cycle.h"

#include "../../common/clock.h"
#include "samples.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { LEAST_ROUNDS = 5, READ_BYTES = 64 };

struct round {
    const struct watched *watched;
    uint64_t received;
    uint64_t waits;
    uint64_t wait_ns;
    uint64_t cycle_ns;
    int error_number;
};

/* A short read has emptied the socket (epoll(7), on edge-triggered use). */
static void read_all(void *context, uint32_t number)
{
    struct round *round = context;
    char bytes[READ_BYTES];
    ssize_t got = recv(round->watched->fds[number], bytes, sizeof bytes, 0);

    if (got > 0)
        round->received += (uint64_t)got;
    else if (round->error_number == 0)
        round->error_number = got == 0 ? ECONNRESET : errno;
}

/* Most of what the other ends sent has arrived by now, but not always everything: the kernel
 * decides when loopback delivers. So the loop goes on until it has every byte. */
static int run_round(struct round *round, struct error *error)
{
    const struct watched *watched = round->watched;
    uint64_t begun_ns = clock_now();
    uint64_t deadline_ns = clock_after(begun_ns, 10 * NANOSECONDS_A_SECOND);

    while (round->received < watched->ready_count) {
        uint64_t asked_ns = clock_now();
        int count = watched->kind->wait(watched->state, 0);
        uint64_t answered_ns = clock_now();
        round->waits++;
        round->wait_ns += answered_ns - asked_ns;
        if (count < 0)
            return error_set(error, watched->kind->name, "while waiting", errno);
        watched->kind->visit(watched->state, read_all, round);
        if (round->error_number != 0)
            return error_set(error, "recv", "of a socket reported as readable",
                             round->error_number);
        if (answered_ns > deadline_ns) {
            (void)snprintf(error->text, sizeof error->text,
                           "%s: %" PRIu64 " of %" PRIu32 " bytes received in ten seconds",
                           watched->kind->name, round->received, watched->ready_count);
            return -1;
        }
    }
    round->cycle_ns = clock_now() - begun_ns;
    if (round->received == watched->ready_count)
        return 0;
    (void)snprintf(error->text, sizeof error->text,
                   "%s: %" PRIu64 " bytes received, %" PRIu32 " sent", watched->kind->name,
                   round->received, watched->ready_count);
    return -1;
}

/* Outside the measured time. Without an answer to carry the acknowledgement, the kernel sends one
 * from within each read, from the 17th segment of a connection on. A read then costs four times as
 * much. The reads of a server never do. */
static int answer_all(const struct watched *watched, struct error *error)
{
    for (uint32_t i = 0; i < watched->ready_count; i++)
        if (send(watched->fds[watched->ready[i]], "e", 1, 0) != 1)
            return error_set(error, "send", "of an answer", errno);
    return 0;
}

struct cycles {
    struct samples *whole;
    struct samples *waiting;
    uint64_t waits;
    double clock_ns;
};

static void note_round(struct cycles *cycles, const struct round *round)
{
    double waits = (double)round->waits;

    /* The clock is read twice per wait, and once at the end. */
    samples_add(cycles->whole, (double)round->cycle_ns - (2 * waits + 1) * cycles->clock_ns);
    samples_add(cycles->waiting, (double)round->wait_ns - waits * cycles->clock_ns);
    cycles->waits += round->waits;
}

static int run_rounds(struct watched *watched, uint64_t span_ns, struct cycles *cycles,
                      struct error *error)
{
    uint64_t deadline_ns = clock_after(clock_now(), span_ns);
    bool warm = false;

    while ((clock_now() < deadline_ns || cycles->whole->count < LEAST_ROUNDS) &&
           !samples_full(cycles->whole)) {
        struct round round = {.watched = watched};
        if (peers_write(&watched->peers, error) < 0 || run_round(&round, error) < 0 ||
            answer_all(watched, error) < 0)
            return -1;
        if (warm)
            note_round(cycles, &round);
        warm = true;
    }
    return 0;
}

int cycle_measure(struct watched *watched, uint64_t span_ns, struct cycle *result,
                  struct error *error)
{
    struct cycles cycles = {.clock_ns = samples_clock_cost()};
    int status = -1;

    cycles.whole = samples_new(error);
    cycles.waiting = samples_new(error);
    if (cycles.whole != NULL && cycles.waiting != NULL)
        status = run_rounds(watched, span_ns, &cycles, error);
    if (status == 0)
        *result = (struct cycle){.median_us = samples_median(cycles.whole) / 1e3,
                                 .least_us = samples_least(cycles.whole) / 1e3,
                                 .wait_us = samples_median(cycles.waiting) / 1e3,
                                 .waits = (double)cycles.waits / (double)cycles.whole->count,
                                 .rounds = cycles.whole->count};
    free(cycles.whole);
    free(cycles.waiting);
    return status;
}
