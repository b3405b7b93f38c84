#include "parse.h"

#include "error.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool parse_bad_value(const char *name, const char *text, const char *expected)
{
    error_print("--%s: '%s' is not %s", name, text, expected);
    return false;
}

bool parse_number(const char *name, const char *text, uint64_t least, uint64_t most,
                  uint64_t *value)
{
    char expected[96];
    char *end = NULL;

    (void)snprintf(expected, sizeof expected, "a whole number from %" PRIu64 " to %" PRIu64, least,
                   most);
    if (!isdigit((unsigned char)text[0])) /* strtoull(3) alone would take " 1", "+1" and "-1" */
        return parse_bad_value(name, text, expected);
    errno = 0;
    *value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || *value < least || *value > most)
        return parse_bad_value(name, text, expected);
    return true;
}
