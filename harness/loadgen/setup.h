/* Before the clock starts: every connection made, in order, and proven by one verified echo. */
#ifndef LOADGEN_SETUP_H
#define LOADGEN_SETUP_H

#include "flow.h"

#include <stdatomic.h>
#include <stdint.h>

/* Decides which of `connections` flows are active. They are connected in the order of the array, so
 * that their places in it are their places in the server's descriptor table. */
void setup_place(const struct load *load, struct flow *flows);

/* Connects and proves all flows, with at most load->connects of them not yet proven at any time: a
 * server's listen queue never holds more. Returns 0 when all are established; 1 when not, with the
 * errors counted in traffic->tally; -1 with error filled. The traffic is the setup's own. */
int setup_connect(struct traffic *traffic, struct flow *flows, const atomic_bool *stop,
                  struct error *error);

#endif
