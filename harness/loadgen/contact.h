/* The first connection. It decides which of the server's addresses is used, and finds out whether a
 * server of this protocol is at the other end. */
#ifndef LOADGEN_CONTACT_H
#define LOADGEN_CONTACT_H

#include "flow.h"
#include "readiness.h"
#include "sample.h"
#include "target.h"

struct contact {
    char passed_over[160];       /* addresses that did not answer, and why; "" if there are none */
    struct server_sample server; /* --server-pid, when it had one connection */
};

/* Connects the first flow and proves it by an echo. Addresses are tried in order. While the server
 * refuses, it tries again, until the time for connecting is over: the server may be starting.
 * Returns 0; 1 when it failed, with the error counted, or when a signal ended it; -1 with error
 * filled. */
int contact_make(struct contact *contact, struct traffic *traffic, struct target *target,
                 struct flow *flow, struct readiness *readiness, struct error *error);

#endif
