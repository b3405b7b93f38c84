/* The proof that a stalled server cannot hide. An echo stalls for the first S of every P
 * nanoseconds. Requests fall due evenly. A request that falls due u into a stall is answered when
 * the stall ends, S − u later. All others are answered at once. So the share of response times
 * above x is (S − x) / P, and the quantile q is
 *
 *     x(q) = S − (1 − q) · P    where that is above 0
 *
 * on any machine. If the same requests are counted from the moment at which they could be sent,
 * almost nothing of it shows. A client that sends only after each reply sees one slow reply a
 * stall. The more requests it completes between stalls, the higher the percentile below which the
 * stalls are hidden. */
#ifndef LOADGEN_OMISSION_H
#define LOADGEN_OMISSION_H

#include "outcome.h"

#include <stdio.h>

enum { OMISSION_POINTS = 4 };

struct omission_point {
    const char *name;
    uint32_t thousandths;    /* the percentile */
    uint64_t paper_ns;       /* what the schedule of stalls implies */
    uint64_t corrected_ns;   /* response: from when the request was due */
    uint64_t uncorrected_ns; /* service time of the same requests, from when they were sent */
    uint64_t closed_loop_ns; /* service time of a closed loop against the same echo */
    uint64_t tolerance_ns;   /* error of histogram and machine, measured in the run */
    bool right;              /* corrected agrees with paper_ns */
    bool shown_wrong;        /* uncorrected or closed loop does not agree */
};

struct omission {
    uint64_t period_ns;
    uint64_t stall_ns;
    uint64_t jitter_ns;       /* the machine's own delay, measured in the run */
    uint64_t drain_ns;        /* how long the echo needs to work off a stall */
    uint64_t closed_requests; /* of the closed loop */
    uint64_t closed_stalled;  /* of these, how many took more than half a stall */
    struct omission_point points[OMISSION_POINTS];
    struct outcome open; /* the open loop's */
    struct outcome closed;
    bool finished;   /* false: a signal ended it, and nothing of the following is known */
    bool conclusive; /* the machine was quiet enough to tell right from wrong */
    bool right;      /* all points are right */
};

/* Takes about eight seconds. load gives the pins and the seed. Returns 0, or -1 with error filled.
 * Call omission_destroy in both cases. */
int omission_prove(struct omission *omission, const struct load *load, struct error *error);
void omission_destroy(struct omission *omission);

/* x(q) of the formula above. */
uint64_t omission_paper_ns(const struct omission *omission, uint32_t thousandths);

/* Columns for the picture in docs/measuring.md. Returns 0, or -1 with errno set. */
int omission_print_curves(FILE *stream, const struct omission *omission);

#endif
