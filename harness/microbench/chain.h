/* The chain of libevent's benchmark. README.md says what is the same and what differs. */
#ifndef MICRO_CHAIN_H
#define MICRO_CHAIN_H

#include "mechanism.h"
#include "samples.h"

#include <stdint.h>

enum chain_kind { CHAIN_SOCKETPAIR, CHAIN_PIPE };

struct chain {
    const struct mechanism_kind *kind;
    void *state;
    uint32_t pairs;
    int *read_ends;
    int *write_ends;
    uint64_t writes_left; /* in this round */
    uint64_t written;     /* bytes, including those that started the chain */
    uint64_t received;
    uint64_t waits;
    int error_number; /* errno of a read or write that failed */
};

/* Makes the pairs, and lets the mechanism watch all of their reading ends. Returns 0, or -1 with
 * error filled. Call chain_close in both cases. */
int chain_open(struct chain *chain, const struct mechanism_kind *kind, uint32_t pairs,
               enum chain_kind what, struct error *error);
void chain_close(struct chain *chain);

/* One round. `active` pairs, evenly spaced from the first on, get a byte. For each byte read from a
 * pair, one byte is written to the next pair, `writes` times in all. Sets span_ns to the time from
 * the moment at which the first bytes have been written to the last read. Returns 0, or -1 with
 * error filled. */
int chain_run(struct chain *chain, uint32_t active, uint64_t writes, uint64_t *span_ns,
              struct error *error);

#endif
