/* What connections do that carry no requests. */
#ifndef LOADGEN_IDLE_H
#define LOADGEN_IDLE_H

#include "flow.h"

/* Called once, before the clock starts. Sends half a frame, or as much as the server takes while
 * nobody reads its echoes. Errors are counted. */
void idle_begin(struct traffic *traffic, struct flow *flow);

/* The socket takes bytes again. */
void idle_writable(struct traffic *traffic, struct flow *flow);

/* The server has ended, or reset, a connection that is not read. Counts that, and ends the flow. */
void idle_ended(struct traffic *traffic, struct flow *flow);

/* --idle trickle: sends one more byte of a valid frame. */
void idle_trickle(struct traffic *traffic, struct flow *flow);

#endif
