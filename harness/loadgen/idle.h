/* What the connections do that carry no requests. */
#ifndef LOADGEN_IDLE_H
#define LOADGEN_IDLE_H

#include "flow.h"

/* Once, before the clock starts: half a frame, or as much as the server takes without being read
 * from. Errors are counted. */
void idle_begin(struct traffic *traffic, struct flow *flow);

/* The socket takes more again. */
void idle_writable(struct traffic *traffic, struct flow *flow);

/* --idle trickle: one byte more of a valid frame. */
void idle_trickle(struct traffic *traffic, struct flow *flow);

#endif
