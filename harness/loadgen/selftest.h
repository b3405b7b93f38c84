/* How much load the client itself can make, and whether its arithmetic is right. Both are measured
 * against a built-in echo. */
#ifndef LOADGEN_SELFTEST_H
#define LOADGEN_SELFTEST_H

#include "../../common/error.h"
#include "outputs.h"

/* Returns the exit status: 0 when everything is right, otherwise the verdict that says what is
 * wrong, or 1 when an output failed; or -1 with error filled. After a signal the outputs hold what
 * had been found out before. */
int selftest(const struct load *load, struct outputs *outputs, struct error *error);

#endif
