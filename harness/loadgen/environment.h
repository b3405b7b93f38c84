/* What a run was made on. Two runs can be compared when it is equal. */
#ifndef LOADGEN_ENVIRONMENT_H
#define LOADGEN_ENVIRONMENT_H

#include <stdio.h>

/* Prints the member "environment" and a comma. */
void environment_print_json(FILE *stream);

#endif
