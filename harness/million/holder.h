/* A process that holds a part of the entries, and registers them in an epoll that it inherits.
 *
 * epoll(7) knows an entry by the open file and its number. So any number of processes may register
 * their own descriptors in one epoll, and equal numbers of different files do not clash. */
#ifndef MILLION_HOLDER_H
#define MILLION_HOLDER_H

#include "entries.h"

enum holder_work {
    HOLDER_MAKE,
    HOLDER_WATCH, /* registers all; the data of an event names the process and the entry */
    HOLDER_FILL,
    HOLDER_DRAIN,
};

struct holder_order {
    enum holder_work work;
    uint32_t entry; /* of HOLDER_FILL and HOLDER_DRAIN */
};

/* One answer for each order. */
struct holder_answer {
    int result;       /* 0, or -1 and error is filled */
    uint64_t span_ns; /* of HOLDER_WATCH: the time in epoll_ctl(2), all calls together */
    struct error error;
};

struct holder_plan {
    enum entry_kind kind;
    uint32_t place; /* of this process among the others, from 0 */
    uint32_t count;
    int epoll;
};

/* What an event of an entry carries. */
static inline uint64_t holder_data(uint32_t place, uint32_t entry)
{
    return (uint64_t)place << 32 | entry;
}

/* The whole life of the process: carries out orders that come as messages on `orders`, a socket of
 * SOCK_SEQPACKET, until its other end is closed. */
_Noreturn void holder_live(const struct holder_plan *plan, int orders);

#endif
