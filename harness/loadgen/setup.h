/* Before the clock starts, every connection is made, in order, and proven by one verified echo. */
#ifndef LOADGEN_SETUP_H
#define LOADGEN_SETUP_H

#include "contact.h"
#include "flow.h"

/* Decides which of the `connections` flows are active. They are connected in the order of the
 * array. So their places in it are their places in the server's descriptor table. */
void setup_place(const struct load *load, struct flow *flows);

/* Connects and proves all flows, the first of them alone. At most load->connects of them are not
 * yet proven at any time, so a server's listen queue never holds more. Returns 0 when all are
 * established; 1 when not, with the errors counted in traffic->tally, or without errors when a
 * signal ended it; -1 with error filled. The setup has a traffic of its own. */
int setup_connect(struct contact *contact, struct traffic *traffic, struct target *target,
                  struct flow *flows, struct error *error);

#endif
