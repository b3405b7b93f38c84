/* The command line of a small program: a table of options in, numbers out. */
#ifndef MICRO_OPTIONS_H
#define MICRO_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#define OPTION_NOT_GIVEN UINT64_MAX

enum option_kind {
    OPTION_NUMBER,  /* whole, from least to most */
    OPTION_SECONDS, /* above 0, with an optional fraction; becomes nanoseconds */
    OPTION_CHOICE,  /* one of names, which end with NULL; becomes its place */
    OPTION_FLAG,    /* takes no value; becomes 1 */
};

struct option_row {
    const char *name;
    const char *value; /* what it is called in the help; NULL for a flag */
    const char *text;  /* what it means, the default included */
    enum option_kind kind;
    uint64_t least;
    uint64_t most;
    const char *const *names;
    uint64_t *number; /* holds the default; OPTION_NOT_GIVEN: must be given */
};

enum options_result { OPTIONS_RUN, OPTIONS_HELP_SHOWN, OPTIONS_BAD };

enum { OPTIONS_MOST = 16 };

/* Reads argv by getopt_long(3) into the rows' numbers; at most OPTIONS_MOST rows. Prints the help
 * for --help on standard output, and one line on standard error for a bad option. */
enum options_result options_read(const struct option_row *rows, size_t count, const char *purpose,
                                 int argc, char **argv);

#endif
