/* Several runs as one: what one run over all of them would have given. */
#ifndef LOADGEN_MERGE_H
#define LOADGEN_MERGE_H

#include "outcome.h"

/* Reads the JSON files that the command line names into outcome, which is empty. Counts and
 * histograms add up; the verdict is the first by precedence. Runs that overlapped in time are taken
 * for one load from several clients, so that rates add up; others for one after the other, so that
 * times do. Returns 0, or -1 with error filled. */
int merge_files(struct outcome *outcome, struct error *error);

#endif
