/* Where the results go. Everything is opened before the run, because a wrong path must not cost a
 * measurement. One output that fails at the end costs no other. A file is written in place, and so
 * a full disk costs its old contents: what a new one beside it would be renamed to may be no file
 * (/dev/stdout), or stand in a directory that cannot be written. */
#ifndef LOADGEN_OUTPUTS_H
#define LOADGEN_OUTPUTS_H

#include "../../common/error.h"
#include "load.h"

#include <stdio.h>

/* In the order in which they are written. */
enum output_kind { OUTPUT_JSON, OUTPUT_HGRM, OUTPUT_CSV, OUTPUT_TABLE, OUTPUT_KINDS };

struct outputs {
    struct output {
        const char *path; /* NULL: standard output */
        int fd;           /* -1: not wanted, or closed */
        bool regular;
        bool created; /* by this program: removed again when nothing is written to it */
        FILE *page;   /* in memory, until all is printed */
        char *text;   /* what has been printed; NULL when memory was short */
        size_t size;
    } output[OUTPUT_KINDS];
};

/* Opens what the command line asks for. A file that exists keeps its contents until the results are
 * written. Returns 0, or -1 with error filled. Call outputs_close in both cases. */
int outputs_open(struct outputs *outputs, const struct load *load, struct error *error);

/* A stream in memory to print on, or NULL when this output is not wanted, or memory is short. */
FILE *outputs_page(struct outputs *outputs, enum output_kind kind);

/* All is printed on the page; result is what the printer returned, 0 or -1. */
void outputs_end_page(struct outputs *outputs, enum output_kind kind, int result);

/* Writes all pages. Prints a line for each output that fails. Returns 0, or -1 when one failed. */
int outputs_deliver(struct outputs *outputs);

void outputs_close(struct outputs *outputs);

#endif
