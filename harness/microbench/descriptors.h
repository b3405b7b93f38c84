/* Descriptors: how many there may be, and that calls on them do not block. */
#ifndef MICRO_DESCRIPTORS_H
#define MICRO_DESCRIPTORS_H

#include "../../common/error.h"

#include <stdint.h>

/* Raises the process's soft limit to the hard one (getrlimit(2)). Returns 0, or -1 with error
 * filled when `count` descriptors beside the few that every program has would not fit; `what` says
 * what they are for. */
int descriptors_reserve(uint64_t count, const char *what, struct error *error);

/* Sets O_NONBLOCK (fcntl(2)). Returns 0, or -1 with error filled; `what` is what fd is. */
int descriptors_unblock(int fd, const char *what, struct error *error);

#endif
