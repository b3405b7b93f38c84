/* Passing bytes on from one TCP connection to another: the calls that it takes, and how often each
 * byte is copied on the way. Linux only: splice(2), vmsplice(2), MSG_ZEROCOPY. */
#ifndef MICRO_RELAY_H
#define MICRO_RELAY_H

#include "../../common/error.h"

#include <stdint.h>

enum relay_way {
    RELAY_READ_WRITE, /* recv(2) into the program's memory, send(2) from it */
    RELAY_SPLICE,     /* splice(2) into a pipe, splice(2) out of it */
    RELAY_ZEROCOPY,   /* recv(2), and send(2) with MSG_ZEROCOPY, which tells later of its end */
};

extern const char *const relay_names[]; /* in that order; end with NULL */

enum { RELAY_PIECE_MOST = 1 << 16, RELAY_PIECES_MOST = 256 };

struct relay_plan {
    enum relay_way way;
    uint32_t piece;  /* bytes that the source sends at a time, at most RELAY_PIECE_MOST */
    uint32_t rounds; /* each has as many pieces as fit into 64 KiB, at most RELAY_PIECES_MOST */
};

struct relay_counts {
    uint64_t bytes;         /* passed on */
    uint64_t calls;         /* of the relay, those that fetch the news of MSG_ZEROCOPY included */
    uint64_t received;      /* bytes that recv(2) copied into the program's memory */
    uint64_t sent;          /* bytes that send(2) without MSG_ZEROCOPY copied out of it */
    uint64_t pinned;        /* bytes sent with MSG_ZEROCOPY */
    uint64_t pinned_copied; /* of them, those that the kernel copied all the same, as it says itself
                               (SO_EE_CODE_ZEROCOPY_COPIED) */
    uint64_t kept; /* bytes that reached the sink as they were sent although the source overwrote
                      its memory meanwhile: they were copied at least once */
};

/* Copies of the relay: of received, sent and pinned_copied bytes, or for RELAY_SPLICE, which passes
 * nothing through the program, of kept bytes. */
uint64_t relay_copied(enum relay_way way, const struct relay_counts *counts);

/* Source, relay and sink take turns in this process. The source shares its pages with the socket
 * (vmsplice(2)), and writes other bytes into them after the relay has done its part and before the
 * sink reads. So the sink sees the old bytes where they were copied, and the new ones where the
 * very page of the source has come to it. Returns 0, or -1 with error filled, also if the pages are
 * copied without a relay: then this tells nothing. */
int relay_run(const struct relay_plan *plan, struct relay_counts *counts, struct error *error);

#endif
