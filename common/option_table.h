/* A command line, described by a table: each program lists its options as rows. Reading them,
 * checking values, the line about a bad one and --help are the same for every program. */
#ifndef COMMON_OPTION_TABLE_H
#define COMMON_OPTION_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum option_kind {
    OPTION_FLAG,   /* takes no value; bool */
    OPTION_TEXT,   /* any text; const char *, which points into argv */
    OPTION_NUMBER, /* whole; an unsigned integer of 2, 4 or 8 bytes, or an int */
    OPTION_TIME,   /* fractions allowed, rounded up to a unit; uint64_t */
    OPTION_RATE,   /* fractions allowed if they make whole units; uint64_t */
    OPTION_CHOICE, /* one of some names, stored as its index; unsigned or an enum */
    OPTION_OTHER,  /* read by a function of the program's own */
};

/* One option, whose value goes into a member of the struct that the program keeps its options in.
 * Write the first three members, then one of the macros below. */
struct option_row {
    const char *name;  /* without the dashes */
    const char *value; /* what the help calls its value; NULL for a flag */
    const char *text;  /* the help, with the default; a newline begins a second line */
    enum option_kind kind;
    size_t offset; /* of the member */
    size_t size;
    uint64_t least;
    uint64_t most;
    double scale;                                  /* the member's units in one of the option's */
    const char *const *names;                      /* end with NULL */
    bool (*take)(void *options, const char *text); /* returns whether it is a good value */
    const char *expected; /* if it is not: "--NAME: 'TEXT' is not EXPECTED" */
    bool required;
};

#define OPTION_MEMBER(type, member)                                                                \
    .offset = offsetof(type, member), .size = sizeof(((type *)NULL)->member)
#define FLAG_INTO(type, member) .kind = OPTION_FLAG, OPTION_MEMBER(type, member)
#define TEXT_INTO(type, member) .kind = OPTION_TEXT, OPTION_MEMBER(type, member)
#define NUMBER_INTO(type, member, low, high)                                                       \
    .kind = OPTION_NUMBER, OPTION_MEMBER(type, member), .least = (low), .most = (high)
/* low and high are in the member's units. One unit of the option is `factor` units of the member:
 * 1e9 for seconds that become nanoseconds. */
#define TIME_INTO(type, member, low, high, factor)                                                 \
    .kind = OPTION_TIME, OPTION_MEMBER(type, member), .least = (low), .most = (high),              \
    .scale = (factor)
#define RATE_INTO(type, member, low, high, factor)                                                 \
    .kind = OPTION_RATE, OPTION_MEMBER(type, member), .least = (low), .most = (high),              \
    .scale = (factor)
/* --help lists the names. If the option is not required, it shows the member's value as default. */
#define CHOICE_INTO(type, member, list)                                                            \
    .kind = OPTION_CHOICE, OPTION_MEMBER(type, member), .names = (list)
#define TAKEN_BY(function, wanted) .kind = OPTION_OTHER, .take = (function), .expected = (wanted)

enum { OPTION_ROWS_MOST = 48 };

/* Rows that fill another struct: what one program has besides the options that it shares. */
struct option_part {
    const char *purpose; /* in the help, in place of the shared one; or NULL */
    const struct option_row *rows;
    size_t count;
    bool frames_itself;                   /* the last of the shared rows, --framing, is left out */
    void *into;                           /* holds the defaults before the call */
    bool (*consistent)(const void *into); /* prints a line if two values do not fit; or NULL */
};

struct option_table {
    const char *purpose; /* in the help, below the usage */
    const struct option_row *rows;
    size_t count; /* with those of the part at most OPTION_ROWS_MOST */
    /* Prints the help's text below the options. It begins with an empty line. */
    void (*more)(FILE *stream);
    const struct option_part *part; /* further rows, listed last; or NULL */
};

enum options_result { OPTIONS_RUN, OPTIONS_HELP_SHOWN, OPTIONS_BAD };

/* Reads the command line into `options`, the struct that the rows describe. It holds the defaults
 * before the call. getopt_long(3) does the reading: a name may be shortened, and --NAME=VALUE is
 * the same as two words. --help needs no row: it prints the help on standard output. A bad option
 * costs one line by error_print. */
enum options_result option_table_read(const struct option_table *table, void *options, int argc,
                                      char **argv);

#endif
