/* Puts an outcome where the command line wants it. */
#ifndef LOADGEN_DELIVER_H
#define LOADGEN_DELIVER_H

#include "../../common/error.h"
#include "outcome.h"

/* The table on standard output, unless it is told to be quiet or standard output is taken by a
 * file; the files. Returns the exit status: the verdict's, or 1 with error filled. */
int deliver(const struct outcome *outcome, struct error *error);

#endif
