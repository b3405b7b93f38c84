/* Checks that stop the run, and the steps that led there. */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H

#include <stdbool.h>
#include <stdint.h>

/* Says what did not hold, and aborts: fuzzer and replay take that for a crash. */
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__);                             \
    } while (0)

__attribute__((format(printf, 4, 5), noreturn)) void
check_failed(const char *file, int line, const char *condition, const char *format, ...);

/* Whether step() prints: only in a replay that asks for it, since a fuzzer takes many thousand
 * steps a second. */
extern bool steps_shown;

/* One step of a script, on standard error. */
__attribute__((format(printf, 1, 2))) void step(const char *format, ...);

/* How many lines the code under test has reported. */
extern uint64_t reported_lines;

#endif
