/* One look at which descriptors are readable, behind the same functions for each API. Nothing is
 * hidden that costs: a wait is one system call and what a program must do to be able to make it
 * again, a visit is the search through what the call left behind. */
#ifndef MICRO_MECHANISM_H
#define MICRO_MECHANISM_H

#include "../../common/error.h"

#include <stdint.h>

/* Gets the numbers of the ready descriptors, one at a time. */
typedef void (*mechanism_visitor)(void *context, uint32_t number);

struct mechanism_kind {
    const char *name;           /* as --api takes it */
    const char *implementation; /* who provides the API: native, libkqueue, emulation */

    /* For at most `most` descriptors. Returns what the other functions take, to be closed, or NULL
     * with error filled. */
    void *(*open)(uint32_t most, struct error *error);
    void (*close)(void *state);

    /* Watches fd for reading until close; the descriptors are numbered from 0 in the order of
     * adding. Returns 0, or -1 with error filled. */
    int (*add)(void *state, int fd, struct error *error);

    /* Asks, without waiting, which are readable. Returns how many, or -1 with errno set. */
    int (*wait)(void *state);

    /* Hands out the numbers that the last wait found. */
    void (*visit)(void *state, mechanism_visitor visitor, void *context);

    /* Has a descriptor that is still readable reported once more. NULL where the API does so
     * unasked. Returns 0, or -1 with errno set. */
    int (*again)(void *state, uint32_t number);
};

/* select(2), poll(2), epoll(7), kqueue(2). */
extern const struct mechanism_kind mechanism_select;
extern const struct mechanism_kind mechanism_poll;
extern const struct mechanism_kind mechanism_epoll_level;
extern const struct mechanism_kind mechanism_epoll_edge;
extern const struct mechanism_kind mechanism_kqueue;

/* All of them by their place in mechanism_names, which ends with NULL. */
extern const char *const mechanism_names[];
const struct mechanism_kind *mechanism_at(uint64_t place);

#endif
