#include "options.h"

#include "../../common/error.h"
#include "../../common/parse.h"

#include <ctype.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HELP_KEY = 256, FIRST_KEY };

static bool read_seconds(const char *name, const char *text, uint64_t *nanoseconds)
{
    static const double most = 3600;
    char *end = NULL;
    double seconds = 0;

    if (isdigit((unsigned char)text[0]) || text[0] == '.')
        seconds = strtod(text, &end);
    if (end == NULL || end == text || *end != '\0' || strpbrk(text, "xX") != NULL ||
        !(seconds > 0 && seconds <= most))
        return parse_bad_value(name, text, "a number above 0 and up to 3600");
    *nanoseconds = (uint64_t)ceil(seconds * 1e9);
    return true;
}

static void list_names(const char *const *names, char *list, size_t size)
{
    size_t used = 0;

    list[0] = '\0';
    for (int i = 0; names[i] != NULL && used < size; i++)
        used += (size_t)snprintf(list + used, size - used, "%s%s", i > 0 ? " " : "", names[i]);
}

static bool read_choice(const struct option_row *row, const char *text)
{
    char names[96];
    char expected[112];

    for (uint64_t i = 0; row->names[i] != NULL; i++)
        if (strcmp(text, row->names[i]) == 0) {
            *row->number = i;
            return true;
        }
    list_names(row->names, names, sizeof names);
    (void)snprintf(expected, sizeof expected, "one of %s", names);
    return parse_bad_value(row->name, text, expected);
}

static bool read_value(const struct option_row *row, const char *text)
{
    switch (row->kind) {
    case OPTION_NUMBER:
        return parse_number(row->name, text, row->least, row->most, row->number);
    case OPTION_SECONDS:
        return read_seconds(row->name, text, row->number);
    case OPTION_CHOICE:
        return read_choice(row, text);
    case OPTION_FLAG:
        break;
    }
    *row->number = 1;
    return true;
}

static void print_help(const struct option_row *rows, size_t count, const char *purpose,
                       const char *program)
{
    (void)printf("Usage: %s [OPTION]...\n%s\n\n", program, purpose);
    for (size_t i = 0; i < count; i++) {
        char left[48];
        char names[96] = "";
        (void)snprintf(left, sizeof left, "--%s%s%s", rows[i].name,
                       rows[i].value != NULL ? " " : "", rows[i].value ? rows[i].value : "");
        if (rows[i].kind == OPTION_CHOICE)
            list_names(rows[i].names, names, sizeof names);
        (void)printf("  %-18s %s%s%s\n", left, rows[i].text, names[0] != '\0' ? ": " : "", names);
    }
    (void)printf("  %-18s %s\n\n", "--help", "this text");
    (void)printf(
        "Prints one JSON object on one line. Exit status 1 when it cannot run, 2 for a bad "
        "option.\n");
}

static bool complete(const struct option_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (*rows[i].number == OPTION_NOT_GIVEN) {
            error_print("--%s: must be given; see --help", rows[i].name);
            return false;
        }
    return true;
}

enum options_result options_read(const struct option_row *rows, size_t count, const char *purpose,
                                 int argc, char **argv)
{
    struct option table[OPTIONS_MOST + 2] = {{"help", no_argument, NULL, HELP_KEY}};

    for (size_t i = 0; i < count; i++)
        table[i + 1] = (struct option){
            rows[i].name, rows[i].kind == OPTION_FLAG ? no_argument : required_argument, NULL,
            FIRST_KEY + (int)i};
    for (;;) {
        int key = getopt_long(argc, argv, "", table, NULL);
        if (key == -1)
            break;
        if (key == '?')
            return OPTIONS_BAD; /* getopt_long has said why */
        if (key == HELP_KEY) {
            print_help(rows, count, purpose, argv[0]);
            return fflush(stdout) == 0 ? OPTIONS_HELP_SHOWN : OPTIONS_BAD;
        }
        if (!read_value(&rows[key - FIRST_KEY], optarg))
            return OPTIONS_BAD;
    }
    if (optind < argc) {
        error_print("'%s': unexpected argument; see --help", argv[optind]);
        return OPTIONS_BAD;
    }
    return complete(rows, count) ? OPTIONS_RUN : OPTIONS_BAD;
}
