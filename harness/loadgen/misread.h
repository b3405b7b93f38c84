/* A reply that is not the awaited one: finds out what it is. None of this is on the usual path. */
#ifndef LOADGEN_MISREAD_H
#define LOADGEN_MISREAD_H

#include "flow.h"

#include <stddef.h>
#include <stdint.h>

/* The next bytes on the flow are wrong; those before them in this frame were right. Returns 0, or
 * -1 with the error counted and the flow ended. */
int misread_begin(struct traffic *traffic, struct flow *flow);

/* Takes bytes of the wrong frame. When the frame is complete, decides what it is and counts it.
 * Returns how many bytes it took. The flow may have ended. */
size_t misread_take(struct traffic *traffic, struct flow *flow, const uint8_t *bytes, size_t size,
                    uint64_t received_ns);

enum { MISREAD_QUOTED_BYTES = 64 };

/* Fills text with the first of the bytes, for people: what is not printable as \xHH. Returns
 * text. */
const char *misread_quote(const uint8_t *bytes, size_t size, char text[MISREAD_QUOTED_BYTES]);

/* How many replies later ones have overtaken, and the number of each. missing may be NULL. */
size_t misread_missing(const struct missing *missing);
uint64_t misread_missing_number(const struct missing *missing, size_t index);

#endif
