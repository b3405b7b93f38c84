/* Many TCP connections that one mechanism watches. Some of them will become readable. The
 * measurements of a wait and of a cycle begin with this. */
#ifndef MICRO_WATCHED_H
#define MICRO_WATCHED_H

#include "mechanism.h"
#include "peers.h"

#include <stdbool.h>
#include <stdint.h>

enum place { PLACE_LAST, PLACE_FIRST, PLACE_SPREAD };

struct watched_plan {
    uint32_t count;
    uint32_t ready_count; /* how many will become readable */
    enum place place;     /* where these stand */
    uint32_t from;        /* the least number that a descriptor may have */
    uint64_t seed;        /* of the order in which they become readable */
    bool same;            /* duplicates of one socket, of which none may become readable */
};

struct watched {
    const struct mechanism_kind *kind;
    void *state;
    uint32_t count;
    uint32_t ready_count; /* how many will become readable */
    uint32_t *ready;      /* their numbers, in an order drawn from the seed */
    bool *is_ready;       /* by number */
    int *fds;             /* by number */
    struct peers_plan plan;
    struct peers peers;
};

/* Connects the sockets of the plan and lets the mechanism watch all of them, in the order of their
 * descriptors. Nothing is readable yet; peers_write makes the chosen ones readable. Returns 0, or
 * -1 with error filled. Call watched_close in both cases. */
int watched_open(struct watched *watched, const struct mechanism_kind *kind,
                 const struct watched_plan *wanted, struct error *error);
void watched_close(struct watched *watched);

/* Waits with poll(2) until each chosen socket is readable. Returns 0, or -1 with error filled when
 * one is not readable within ten seconds. */
int watched_await(const struct watched *watched, struct error *error);

#endif
