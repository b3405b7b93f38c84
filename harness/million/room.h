/* Whether the machine has room for so many entries: looked up before anything is opened. */
#ifndef MILLION_ROOM_H
#define MILLION_ROOM_H

#include "entries.h"

struct room_request {
    enum entry_kind kind;
    uint64_t count;
    uint64_t descriptors; /* that a process has for its entries */
    const char *root;     /* where proc and sys are; "" for the system's own */
};

/* Each limit that the system tells is compared: fs.epoll.max_user_watches (epoll(7)), fs.file-max
 * (proc(5)), processes and descriptors (getrlimit(2)), free memory, and the memory of the control
 * group. One that it does not tell does not count. Returns 0, or -1 with error filled: the tightest
 * limit, and how many entries fit. */
int room_check(const struct room_request *request, struct error *error);

/* Descriptors for entries that a process may have, when it is to have `wanted` at most: bounded by
 * the hard limit of this process and by fs.nr_open. Raises the soft limit to the hard one. */
uint64_t room_descriptors(uint64_t wanted, const char *root);

#endif
