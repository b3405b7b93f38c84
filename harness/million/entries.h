/* What is watched: descriptors of one process that can be made readable and empty again. */
#ifndef MILLION_ENTRIES_H
#define MILLION_ENTRIES_H

#include "../../common/error.h"

#include <stdint.h>

enum entry_kind {
    ENTRY_EVENTFD, /* eventfd(2): one descriptor, about half a kilobyte in the kernel */
    ENTRY_TCP,     /* both ends of a connection over loopback: two descriptors, several kilobytes */
};

extern const char *const entry_kind_names[]; /* in that order; end with NULL */

struct entries {
    enum entry_kind kind;
    uint32_t count;
    int *watched;
    int *writers; /* what is written to here becomes readable in `watched` */
};

/* The number of descriptors that an entry needs. */
uint32_t entries_descriptors(enum entry_kind kind);

/* The most entries that one process takes with so many descriptors for them. Of TCP at most 9,000:
 * each process listens on an address of its own, and connect(2) gets slow where more ports of one
 * address are taken. */
uint32_t entries_most(enum entry_kind kind, uint64_t descriptors);

/* Makes `count` entries. `place` chooses the address of TCP, 127.0.0.1 and on; each process of a
 * fleet has another one. Returns 0, or -1 with error filled. Call entries_close in both cases. */
int entries_open(struct entries *entries, enum entry_kind kind, uint32_t count, uint32_t place,
                 struct error *error);
void entries_close(struct entries *entries);

/* Fill writes to one entry, so that it becomes readable. Drain reads it, and fails when it holds
 * anything else than was written once. Both return 0, or -1 with error filled. */
int entries_fill(const struct entries *entries, uint32_t number, struct error *error);
int entries_drain(const struct entries *entries, uint32_t number, struct error *error);

#endif
