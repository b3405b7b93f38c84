#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool steps_shown;

void check_failed(const char *file, int line, const char *condition, const char *format, ...)
{
    va_list arguments;

    (void)fprintf(stderr, "%s:%d: does not hold: %s\n    ", file, line, condition);
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    abort();
}

void step(const char *format, ...)
{
    va_list arguments;

    if (!steps_shown)
        return;
    va_start(arguments, format);
    (void)vfprintf(stderr, format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}
