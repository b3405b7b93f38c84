/* One query for readable descriptors, with the same functions for each API. Nothing that costs is
 * hidden. A wait is one system call, and what a program must do to be able to make that call again.
 * A visit is the search through what the call returned. */
#ifndef MICRO_MECHANISM_H
#define MICRO_MECHANISM_H

#include "../../common/error.h"

#include <stdint.h>

/* Receives the numbers of the ready descriptors, one at a time. */
typedef void (*mechanism_visitor)(void *context, uint32_t number);

struct mechanism_kind {
    const char *name;           /* as --api takes it */
    const char *implementation; /* who provides the API: native, libkqueue, emulation */

    /* Opens the mechanism for at most `most` descriptors. Returns the state that the other
     * functions take; close it with close. NULL with error filled on failure. */
    void *(*open)(uint32_t most, struct error *error);
    void (*close)(void *state);

    /* Watches fd for reading until close. The descriptors are numbered from 0, in the order of
     * adding. Returns 0, or -1 with error filled. */
    int (*add)(void *state, int fd, struct error *error);

    /* Asks which descriptors are readable, and sleeps for at most `milliseconds`, below 1000, while
     * none is. Returns their number, or -1 with errno set. */
    int (*wait)(void *state, int milliseconds);

    /* Passes the numbers that the last wait found to the visitor. */
    void (*visit)(void *state, mechanism_visitor visitor, void *context);

    /* Makes the API report a descriptor once more that is still readable. NULL for an API that does
     * so by itself. Returns 0, or -1 with errno set. */
    int (*again)(void *state, uint32_t number);
};

/* select(2), poll(2), epoll(7), kqueue(2). */
extern const struct mechanism_kind mechanism_select;
extern const struct mechanism_kind mechanism_poll;
extern const struct mechanism_kind mechanism_epoll_level;
extern const struct mechanism_kind mechanism_epoll_edge;
extern const struct mechanism_kind mechanism_kqueue;

/* Find a mechanism by its place in mechanism_names, which ends with NULL. */
extern const char *const mechanism_names[];
const struct mechanism_kind *mechanism_at(uint64_t place);

#endif
