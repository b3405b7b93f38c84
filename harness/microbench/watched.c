#include "watched.h"

#include "../loadgen/mix.h"
#include "descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { PATIENCE_MILLISECONDS = 10000 };

static bool chosen(uint64_t number, uint64_t count, uint64_t ready_count, enum place place)
{
    switch (place) {
    case PLACE_FIRST:
        return number < ready_count;
    case PLACE_LAST:
        return number >= count - ready_count;
    case PLACE_SPREAD:
        break;
    }
    return (number + 1) * ready_count / count > number * ready_count / count;
}

/* In real use, too, data does not arrive in the order of descriptor numbers. */
static void choose(struct watched *watched, enum place place, uint64_t seed)
{
    uint64_t stream = mix(seed);
    uint32_t found = 0;

    for (uint32_t i = 0; i < watched->count; i++) {
        watched->is_ready[i] = chosen(i, watched->count, watched->ready_count, place);
        if (watched->is_ready[i])
            watched->ready[found++] = i;
    }
    for (uint32_t i = found; i > 1; i--) {
        uint32_t other = (uint32_t)mix_below(&stream, i);
        uint32_t number = watched->ready[i - 1];
        watched->ready[i - 1] = watched->ready[other];
        watched->ready[other] = number;
    }
}

/* Gives each socket the lowest free number from `from` on (fcntl(2), F_DUPFD). */
static int renumber(struct watched *watched, uint32_t from, struct error *error)
{
    for (uint32_t i = 0; from > 0 && i < watched->count; i++) {
        int fd = fcntl(watched->fds[i], F_DUPFD, (int)from);
        if (fd < 0)
            return error_set(error, "fcntl F_DUPFD", "a socket", errno);
        (void)close(watched->fds[i]);
        watched->fds[i] = fd;
    }
    return 0;
}

static int add_all(struct watched *watched, struct error *error)
{
    for (uint32_t i = 0; i < watched->count; i++)
        if (watched->kind->add(watched->state, watched->fds[i], error) < 0)
            return -1;
    return 0;
}

/* The first is connected already. The kernel looks at one socket N times then, and its memory stays
 * in the caches (dup(2)). */
static int duplicate(struct watched *watched, struct error *error)
{
    for (uint32_t i = 1; i < watched->count; i++) {
        watched->fds[i] = dup(watched->fds[0]);
        if (watched->fds[i] < 0)
            return error_set(error, "dup", "a socket", errno);
    }
    return 0;
}

int watched_open(struct watched *watched, const struct mechanism_kind *kind,
                 const struct watched_plan *wanted, struct error *error)
{
    uint32_t count = wanted->count;
    uint32_t ready_count = wanted->ready_count;

    *watched = (struct watched){.kind = kind, .count = count, .ready_count = ready_count};
    watched->peers = (struct peers){.process = -1, .commands = -1, .answers = -1, .listener = -1};
    watched->ready = calloc((size_t)ready_count + 1, sizeof *watched->ready);
    watched->is_ready = calloc(count, sizeof *watched->is_ready);
    watched->fds = calloc(count, sizeof *watched->fds);
    if (watched->ready == NULL || watched->is_ready == NULL || watched->fds == NULL)
        return error_set(error, "calloc", "for the sockets", errno);
    for (uint32_t i = 0; i < count; i++)
        watched->fds[i] = -1;
    choose(watched, wanted->place, wanted->seed);
    watched->plan = (struct peers_plan){
        .count = wanted->same ? 1 : count, .writers = watched->ready, .writer_count = ready_count};
    if (descriptors_reserve((uint64_t)count + wanted->from, "watching these sockets", error) < 0)
        return -1;
    /* Open it before the sockets: a missing API is then reported at once. */
    watched->state = kind->open(count, error);
    if (watched->state == NULL ||
        peers_open(&watched->peers, &watched->plan, watched->fds, error) < 0 ||
        (wanted->same && duplicate(watched, error) < 0) ||
        renumber(watched, wanted->from, error) < 0)
        return -1;
    return add_all(watched, error);
}

void watched_close(struct watched *watched)
{
    peers_close(&watched->peers);
    for (uint32_t i = 0; watched->fds != NULL && i < watched->count; i++)
        if (watched->fds[i] >= 0)
            (void)close(watched->fds[i]);
    if (watched->state != NULL)
        watched->kind->close(watched->state);
    free(watched->fds);
    free(watched->is_ready);
    free(watched->ready);
}

int watched_await(const struct watched *watched, struct error *error)
{
    for (uint32_t i = 0; i < watched->ready_count; i++) {
        struct pollfd one = {.fd = watched->fds[watched->ready[i]], .events = POLLIN};
        int result = 0;
        do
            result = poll(&one, 1, PATIENCE_MILLISECONDS);
        while (result < 0 && errno == EINTR);
        if (result < 0)
            return error_set(error, "poll", "of one socket", errno);
        if (result == 0 || one.revents != POLLIN) {
            (void)snprintf(error->text, sizeof error->text,
                           "socket %" PRIu32 ": did not become readable", watched->ready[i]);
            return -1;
        }
    }
    return 0;
}
