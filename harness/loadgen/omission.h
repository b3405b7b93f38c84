/* The proof that a stalled server cannot hide. An echo stalls for the first S of every P
 * nanoseconds. Requests fall due evenly; one that falls due u into a stall is answered when the
 * stall ends, S − u later, all others at once. So the share of response times above x is
 * (S − x) / P, and the quantile q is
 *
 *     x(q) = S − (1 − q) · P    where that is above 0
 *
 * whatever the machine. The same requests counted from when they could be sent show next to
 * nothing of it, and a client that sends only after each reply sees one slow reply a stall: the
 * more it gets done between stalls, the more nines hide them. */
#ifndef LOADGEN_OMISSION_H
#define LOADGEN_OMISSION_H

#include "outcome.h"

#include <stdatomic.h>
#include <stdio.h>

enum { OMISSION_POINTS = 4 };

struct omission_point {
    const char *name;
    uint32_t thousandths;    /* the percentile */
    uint64_t paper_ns;       /* what follows from the schedule of stalls */
    uint64_t corrected_ns;   /* response: from when the request was due */
    uint64_t uncorrected_ns; /* service: of the same requests, from when they were sent */
    uint64_t closed_loop_ns; /* of a closed loop against the same echo */
    uint64_t tolerance_ns;   /* the histogram's error and the machine's, measured in the run */
    bool right;              /* corrected agrees with paper */
    bool shown_wrong;        /* uncorrected or closed loop does not */
};

struct omission {
    uint64_t period_ns;
    uint64_t stall_ns;
    uint64_t jitter_ns;       /* what the machine was off by, measured in the run */
    uint64_t drain_ns;        /* how long the echo needs for what a stall has held up */
    uint64_t closed_requests; /* of the closed loop */
    uint64_t closed_stalled;  /* those of them that took more than half a stall */
    struct omission_point points[OMISSION_POINTS];
    struct outcome open; /* the open loop's */
    struct outcome closed;
    bool conclusive; /* the machine was quiet enough to tell right from wrong */
    bool right;      /* all points are */
};

/* Takes about eight seconds. load gives the pins and the seed. Returns 0, or -1 with error filled;
 * destroy it all the same. */
int omission_prove(struct omission *omission, const struct load *load, const atomic_bool *stop,
                   struct error *error);
void omission_destroy(struct omission *omission);

/* x(q) of the formula above. */
uint64_t omission_paper_ns(const struct omission *omission, uint32_t thousandths);

/* Columns for the picture in docs/measuring.md. Returns 0, or -1 with errno set. */
int omission_print_curves(FILE *stream, const struct omission *omission);

#endif
