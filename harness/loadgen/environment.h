/* What a run was made on. Two runs can be compared when it is equal. */
#ifndef LOADGEN_ENVIRONMENT_H
#define LOADGEN_ENVIRONMENT_H

#include "../../common/json.h"

/* Writes the member "environment". */
void environment_print_json(struct json *json);

#endif
