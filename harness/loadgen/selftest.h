/* How much load the client itself can make, and whether its arithmetic is right. Both are measured
 * against a built-in echo. */
#ifndef LOADGEN_SELFTEST_H
#define LOADGEN_SELFTEST_H

#include "../../common/error.h"
#include "load.h"

#include <stdatomic.h>

/* Returns the exit status: 0 when everything is right, otherwise the verdict that says what is
 * wrong; or -1 with error filled. */
int selftest(const struct load *load, const atomic_bool *stop, struct error *error);

#endif
