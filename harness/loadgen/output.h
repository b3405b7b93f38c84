/* The output formats. Each function returns 0, or -1 with errno set. */
#ifndef LOADGEN_OUTPUT_H
#define LOADGEN_OUTPUT_H

#include "outcome.h"

#include <stdio.h>

/* A table for people to read. */
int output_table(FILE *stream, const struct outcome *outcome);

/* Everything, in the schema that docs/measuring.md describes. */
int output_json(FILE *stream, const struct outcome *outcome);

/* The percentiles of the response time (open loop) or the service time (closed loop), in
 * milliseconds, in the format that HdrHistogram's plotters read. The unanswered stand at their
 * age. A line that begins with '#' says so, and another that the run was ended early. */
int output_hgrm(FILE *stream, const struct outcome *outcome);

/* Percentile curves of response and service time, as columns for gnuplot, with the same marks. */
int output_csv(FILE *stream, const struct outcome *outcome);

/* "loadgen/1" changes when a reader of the old format would misunderstand the new one. */
#define OUTPUT_SCHEMA "loadgen/1"

#endif
