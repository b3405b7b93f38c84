/* Descriptors: raise their limit, and make them non-blocking. */
#ifndef MICRO_DESCRIPTORS_H
#define MICRO_DESCRIPTORS_H

#include "../../common/error.h"

#include <stdint.h>

/* Raises the process's soft limit to the hard one (getrlimit(2)). Returns 0, or -1 with error
 * filled when `count` descriptors do not fit beside the few that every program has. `what` says
 * what they are for. */
int descriptors_reserve(uint64_t count, const char *what, struct error *error);

/* Sets O_NONBLOCK (fcntl(2)). Returns 0, or -1 with error filled; `what` names fd. */
int descriptors_unblock(int fd, const char *what, struct error *error);

#endif
