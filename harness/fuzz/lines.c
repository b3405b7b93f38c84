/* Stands in for common/error.c: a fuzzer's terminal is not for the server's lines. */
#include "../../common/error.h"
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t reported_lines;

int error_set(struct error *error, const char *call, const char *object, int number)
{
    (void)snprintf(error->text, sizeof error->text, "%s %s: %s", call, object, strerror(number));
    return -1;
}

void error_set_program(const char *name)
{
    (void)name;
}

void error_print(const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    CHECK(size > 0 && strchr(line, '\n') == NULL, "reported '%s', which is not one line", line);
    step("    reported: %s", line);
    reported_lines++;
}
