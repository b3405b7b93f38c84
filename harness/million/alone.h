/* poll(2) and select(2) beside it: one process, which can watch only descriptors of its own. */
#ifndef MILLION_ALONE_H
#define MILLION_ALONE_H

#include "../microbench/mechanism.h"
#include "crowd.h"
#include "entries.h"

struct alone {
    const struct mechanism_kind *kind;
    void *mechanism;
    struct entries entries;
    uint64_t reported;
};

/* Whether this process may watch so many: select ends at FD_SETSIZE, poll at the descriptor limit.
 * Returns 0, or -1 with error filled. */
int alone_check(const struct mechanism_kind *kind, enum entry_kind entry, uint64_t count,
                struct error *error);

/* Makes the entries and watches them. Returns 0, or -1 with error filled. Call alone_close in both
 * cases. */
int alone_open(struct alone *alone, const struct mechanism_kind *kind, enum entry_kind entry,
               uint32_t count, struct error *error);
struct crowd alone_crowd(struct alone *alone);
void alone_close(struct alone *alone);

#endif
