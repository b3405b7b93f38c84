/* A reply that is not the one awaited: what it is instead. All of it is off the usual path. */
#ifndef LOADGEN_MISREAD_H
#define LOADGEN_MISREAD_H

#include "flow.h"

#include <stddef.h>
#include <stdint.h>

/* The bytes that come next on the flow are wrong, though those before them in this frame were
 * right. Returns 0, or -1 with the error counted and the flow ended. */
int misread_begin(struct traffic *traffic, struct flow *flow);

/* Takes bytes of the wrong frame, and when it is whole, tells what it is and counts it. Returns how
 * many it took. The flow may have ended. */
size_t misread_take(struct traffic *traffic, struct flow *flow, const uint8_t *bytes, size_t size,
                    uint64_t received_ns);

/* Replies that later ones have overtaken; how many, and their numbers. missing may be NULL. */
size_t misread_missing(const struct missing *missing);
uint64_t misread_missing_number(const struct missing *missing, size_t index);

#endif
