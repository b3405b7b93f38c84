#ifndef FUZZ_REPORT_H
#define FUZZ_REPORT_H

#include <stdint.h>

/* How many lines the code under test has reported. */
extern uint64_t reported_lines;

#endif
