/* What the client itself can do, and whether its arithmetic is right: both against an echo that is
 * built in. */
#ifndef LOADGEN_SELFTEST_H
#define LOADGEN_SELFTEST_H

#include "../../common/error.h"
#include "load.h"

#include <stdatomic.h>

/* Returns the exit status: 0 when all is right, else the verdict that says what is not; or -1 with
 * error filled. */
int selftest(const struct load *load, const atomic_bool *stop, struct error *error);

#endif
