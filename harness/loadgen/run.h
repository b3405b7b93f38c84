/* One run, from the first connect to the verdict. */
#ifndef LOADGEN_RUN_H
#define LOADGEN_RUN_H

#include "outcome.h"

/* Carries out the load that outcome was initialised with, and fills the outcome. A signal ends it
 * early. Returns 0 when there is an outcome, even one with errors; -1 with error filled when there
 * is none. */
int run_load(struct outcome *outcome, struct error *error);

#endif
