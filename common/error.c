#include "error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *program = "server";

int error_set(struct error *error, const char *call, const char *object, int number)
{
    (void)snprintf(error->text, sizeof error->text, "%s%s%s: %s", call, *object ? " " : "", object,
                   strerror(number));
    return -1;
}

void error_set_program(const char *name)
{
    program = name;
}

void error_print(const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    /* One call, so that lines of several processes on one terminal do not mix. */
    (void)fprintf(stderr, "%s: %s\n", program, line);
}
