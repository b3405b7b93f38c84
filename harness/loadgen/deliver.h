/* Writes an outcome to where the command line wants it. */
#ifndef LOADGEN_DELIVER_H
#define LOADGEN_DELIVER_H

#include "../../common/error.h"
#include "outcome.h"

/* Prints the table on standard output, unless --quiet is given or a file uses standard output.
 * Writes the files. Returns the exit status: the verdict's, or 1 with error filled. */
int deliver(const struct outcome *outcome, struct error *error);

#endif
