/* What a loop waits for on one descriptor: common to the listener and the connections. */
#ifndef COMMON_WATCH_H
#define COMMON_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* Bits of watch.armed and watch.ready, and of what a listener or a connection wants. */
enum readiness {
    NOTHING = 0,
    READABLE = 1,
    WRITABLE = 2,
    HANGUP = 4, /* only ever ready: the peer has closed or reset */
};

enum watch_kind { WATCH_LISTENER, WATCH_CONNECTION };

/* The loop owns every field but fd and kind. */
struct watch {
    int fd;
    uint32_t slot; /* index in a dense array, for an API that keeps its interest in one */
    uint8_t kind;  /* enum watch_kind */
    uint8_t armed; /* what the API was last asked to report; edge-triggered, what is wanted */
    uint8_t ready; /* what it has reported */
    bool queued;   /* is on a ready list */
    TAILQ_ENTRY(watch) turn;
};

TAILQ_HEAD(watch_queue, watch);

#endif
