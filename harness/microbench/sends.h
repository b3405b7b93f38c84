/* Ways to send frames that are header and payload, counted. The other end is a child process, which
 * reads a batch of frames and answers with one byte. Linux only: TCP_INFO counts segments. */
#ifndef MICRO_SENDS_H
#define MICRO_SENDS_H

#include "../../common/error.h"

#include <stdbool.h>
#include <stdint.h>

enum sends_way {
    SENDS_APART,  /* two send(2) a frame: header, payload */
    SENDS_EACH,   /* the program joins header and payload: one send(2) a frame */
    SENDS_MORE,   /* as apart, with MSG_MORE on all but the last of a batch (send(2)) */
    SENDS_CORK,   /* as apart, between TCP_CORK on and off (tcp(7)) */
    SENDS_IOVECS, /* one sendmsg(2) a batch, which gathers all pieces */
    SENDS_MMSG,   /* one sendmmsg(2) a batch, a message a frame */
    SENDS_JOINED, /* the program joins the whole batch: one send(2) */
};

extern const char *const sends_names[]; /* in that order; end with NULL */

enum { SENDS_FRAMES_MOST = 256, SENDS_PAYLOAD_MOST = 1024, SENDS_LATE_MS = 20 };

struct sends_plan {
    enum sends_way way;
    uint32_t frames;  /* a batch */
    uint32_t payload; /* bytes of a frame without its header of 4 */
    uint32_t batches;
    bool nodelay; /* TCP_NODELAY (tcp(7)) */
};

/* Of all batches. */
struct sends_counts {
    uint64_t calls;         /* made to send, setsockopt(2) for TCP_CORK included */
    uint64_t joined;        /* bytes that the program copied to join pieces */
    uint64_t bytes;         /* bytes sent */
    uint64_t segments;      /* with data, sent by this end (TCP_INFO, tcpi_data_segs_out) */
    uint64_t retransmitted; /* of them */
    uint64_t late;          /* batches answered after SENDS_LATE_MS milliseconds or more */
    uint64_t first_late;    /* number of the first of them, from 1; 0 if there is none */
    double median_us;       /* from the first send of a batch to its answer */
};

/* Sends all batches, each when the one before it has been answered. Returns 0, or -1 with error
 * filled. The child ends with the call or with its parent. */
int sends_run(const struct sends_plan *plan, struct sends_counts *counts, struct error *error);

#endif
