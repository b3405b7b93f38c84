/* Values of command-line options, the same for every program: one line says what is wrong. */
#ifndef COMMON_PARSE_H
#define COMMON_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* Reports that an option's value is not what was expected. Returns false. */
bool parse_bad_value(const char *name, const char *text, const char *expected);

/* A whole decimal number and nothing else. Returns false when it has reported a bad value. */
bool parse_number(const char *name, const char *text, uint64_t least, uint64_t most,
                  uint64_t *value);

#endif
