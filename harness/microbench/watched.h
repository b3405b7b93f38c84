/* Many TCP connections watched by one mechanism, some of which are to become readable: what the
 * measurements of a wait and of a cycle begin with. */
#ifndef MICRO_WATCHED_H
#define MICRO_WATCHED_H

#include "mechanism.h"
#include "peers.h"

#include <stdbool.h>
#include <stdint.h>

enum place { PLACE_LAST, PLACE_FIRST, PLACE_SPREAD };

struct watched {
    const struct mechanism_kind *kind;
    void *state;
    uint32_t count;
    uint32_t ready_count; /* how many are to become readable */
    uint32_t *ready;      /* their numbers, in an order drawn from the seed */
    bool *is_ready;       /* by number */
    int *fds;             /* by number */
    struct peers_plan plan;
    struct peers peers;
};

/* Connects `count` sockets and has the mechanism watch all of them, in the order of their
 * descriptors. Nothing is readable yet; peers_write makes the chosen ones so. Returns 0, or -1 with
 * error filled; close it all the same. */
int watched_open(struct watched *watched, const struct mechanism_kind *kind, uint32_t count,
                 uint32_t ready_count, enum place place, uint64_t seed, struct error *error);
void watched_close(struct watched *watched);

/* Returns when all the chosen ones are readable, by asking each with poll(2). Returns 0, or -1 with
 * error filled when one does not become so within ten seconds. */
int watched_await(const struct watched *watched, struct error *error);

#endif
