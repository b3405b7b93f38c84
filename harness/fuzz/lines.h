#ifndef FUZZ_LINES_H
#define FUZZ_LINES_H

#include <stdint.h>

/* How many lines the code under test has reported. */
extern uint64_t reported_lines;

#endif
