/* What a run found, in the forms in which it is wanted. Each returns 0, or -1 with errno set. */
#ifndef LOADGEN_OUTPUT_H
#define LOADGEN_OUTPUT_H

#include "outcome.h"

#include <stdio.h>

/* A table for people. */
int output_table(FILE *stream, const struct outcome *outcome);

/* Everything, in the schema that docs/measuring.md describes. */
int output_json(FILE *stream, const struct outcome *outcome);

/* The percentiles of the response time (open loop) or the service time (closed loop), in
 * milliseconds, as HdrHistogram's plotters read them. */
int output_hgrm(FILE *stream, const struct outcome *outcome);

/* Percentile curves of response and service time, as columns: what gnuplot reads. */
int output_csv(FILE *stream, const struct outcome *outcome);

/* The histogram that the run is about: response in open loop, service in closed loop. */
const struct histogram *output_headline(const struct outcome *outcome, const char **name);

/* Writes text between quotation marks, with what JSON wants escaped (RFC 8259, 7). */
void output_json_string(FILE *stream, const char *text);

/* "loadgen/1": changes when a reader of the old one would misunderstand the new one. */
#define OUTPUT_SCHEMA "loadgen/1"

#endif
