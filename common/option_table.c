#include "option_table.h"

#include "error.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_KEY = 256 }; /* above any character: there are no short options */

static const struct option_row help_row = {"help", NULL, "this text", .kind = OPTION_FLAG};

static size_t count_of(const struct option_table *table)
{
    return table->count + (table->part != NULL ? table->part->count : 0);
}

/* Its number counts on from the table's rows to those of the part. */
static const struct option_row *row_of(const struct option_table *table, size_t number)
{
    return number < table->count ? &table->rows[number] : &table->part->rows[number - table->count];
}

/* The struct that this row fills. */
static void *struct_of(const struct option_table *table, size_t number, void *options)
{
    return number < table->count ? options : table->part->into;
}

static bool bad_value(const struct option_row *row, const char *text, const char *expected)
{
    error_print("--%s: '%s' is not %s", row->name, text, expected);
    return false;
}

static void store(const struct option_row *row, void *options, uint64_t number)
{
    const uint16_t two = (uint16_t)number;
    const uint32_t four = (uint32_t)number;
    char *member = (char *)options + row->offset;

    if (row->size == sizeof two)
        memcpy(member, &two, sizeof two);
    else if (row->size == sizeof four)
        memcpy(member, &four, sizeof four);
    else
        memcpy(member, &number, sizeof number);
}

static bool take_number(const struct option_row *row, void *options, const char *text)
{
    char expected[96];
    char *end = NULL;
    uint64_t number = 0;

    errno = 0;
    if (isdigit((unsigned char)text[0])) /* strtoull(3) alone would take " 1", "+1" and "-1" */
        number = strtoull(text, &end, 10);
    if (end == NULL || *end != '\0' || errno != 0 || number < row->least || number > row->most) {
        (void)snprintf(expected, sizeof expected, "a whole number from %" PRIu64 " to %" PRIu64,
                       row->least, row->most);
        return bad_value(row, text, expected);
    }
    store(row, options, number);
    return true;
}

/* What take_decimal expects, in the option's own units. */
static bool bad_decimal(const struct option_row *row, const char *text)
{
    char expected[96];
    double least = (double)row->least / row->scale;
    double most = (double)row->most / row->scale;

    if (row->kind == OPTION_RATE)
        (void)snprintf(expected, sizeof expected, "a number from %.10g to %.10g in steps of %g",
                       least, most, 1 / row->scale);
    else if (row->least == 0)
        (void)snprintf(expected, sizeof expected, "a number from 0 to %.10g", most);
    else
        (void)snprintf(expected, sizeof expected, "a number above 0 and up to %.10g", most);
    return bad_value(row, text, expected);
}

/* A time is rounded up, so that a very short one does not become 0. A rate that
 * is no whole number of units is refused: what is measured would not be what was asked for. The
 * product of a double and the scale is not exact. A few units in its last place are no fraction. */
static bool take_decimal(const struct option_row *row, void *options, const char *text)
{
    char *end = NULL;
    double value = 0;

    if (isdigit((unsigned char)text[0]) || text[0] == '.') /* no sign, blank, "inf" or "nan" */
        value = strtod(text, &end);
    if (end == NULL || end == text || *end != '\0' || strpbrk(text, "xX") != NULL)
        return bad_decimal(row, text);
    double units = value * row->scale;
    double whole = row->kind == OPTION_RATE ? floor(units + 0.5) : ceil(units);
    if (!(whole >= (double)row->least && whole <= (double)row->most))
        return bad_decimal(row, text);
    if (row->kind == OPTION_RATE && fabs(units - whole) > 4 * DBL_EPSILON * whole)
        return bad_decimal(row, text);
    store(row, options, (uint64_t)whole);
    return true;
}

/* The names, with `between` between two of them. */
static void list_names(const char *const *names, const char *between, char *list, size_t size)
{
    size_t used = 0;

    list[0] = '\0';
    for (int i = 0; names[i] != NULL && used < size; i++)
        used += (size_t)snprintf(list + used, size - used, "%s%s", i > 0 ? between : "", names[i]);
}

static bool take_choice(const struct option_row *row, void *options, const char *text)
{
    char names[112];
    char expected[128];

    for (uint64_t i = 0; row->names[i] != NULL; i++)
        if (strcmp(text, row->names[i]) == 0) {
            store(row, options, i);
            return true;
        }
    list_names(row->names, " ", names, sizeof names);
    (void)snprintf(expected, sizeof expected, "one of %s", names);
    return bad_value(row, text, expected);
}

static bool take(const struct option_row *row, void *options, const char *text)
{
    char *member = (char *)options + row->offset;

    switch (row->kind) {
    case OPTION_NUMBER:
        return take_number(row, options, text);
    case OPTION_TIME:
    case OPTION_RATE:
        return take_decimal(row, options, text);
    case OPTION_CHOICE:
        return take_choice(row, options, text);
    case OPTION_OTHER:
        return row->take(options, text) || bad_value(row, text, row->expected);
    case OPTION_TEXT:
        memcpy(member, &text, sizeof text);
        return true;
    case OPTION_FLAG:
        break;
    }
    *(bool *)member = true;
    return true;
}

/* The help: each option's value and text stand in columns. */

static void print_left(const struct option_row *row, char *left, size_t size)
{
    (void)snprintf(left, size, "--%s%s%s", row->name, row->value != NULL ? " " : "",
                   row->value != NULL ? row->value : "");
}

/* What follows the text of a choice: ": first, last (last)". */
static void list_choices(const struct option_row *row, const void *options, char *list, size_t size)
{
    char names[128];
    unsigned chosen = 0;
    unsigned count = 0;

    memcpy(&chosen, (const char *)options + row->offset, sizeof chosen);
    while (row->names[count] != NULL)
        count++;
    list_names(row->names, ", ", names, sizeof names);
    if (row->required || chosen >= count)
        (void)snprintf(list, size, ": %s", names);
    else
        (void)snprintf(list, size, ": %s (%s)", names, row->names[chosen]);
}

static void print_row(FILE *stream, const struct option_row *row, const void *options, int width)
{
    char left[64];
    char choices[192] = "";
    const char *line = row->text;

    print_left(row, left, sizeof left);
    if (row->kind == OPTION_CHOICE)
        list_choices(row, options, choices, sizeof choices);
    for (bool last = false; !last;) {
        size_t length = strcspn(line, "\n");
        last = line[length] == '\0';
        (void)fprintf(stream, "  %-*s  %.*s%s\n", width, line == row->text ? left : "", (int)length,
                      line, last ? choices : "");
        line += length + 1;
    }
}

static void print_help(FILE *stream, const struct option_table *table, void *options,
                       const char *program)
{
    char left[64];
    size_t width = 0;

    (void)fprintf(stream, "Usage: %s [OPTION]...\n%s\n\n", program, table->purpose);
    for (size_t i = 0; i < count_of(table); i++) {
        print_left(row_of(table, i), left, sizeof left);
        if (strlen(left) > width)
            width = strlen(left);
    }
    for (size_t i = 0; i < count_of(table); i++)
        print_row(stream, row_of(table, i), struct_of(table, i, options), (int)width);
    print_row(stream, &help_row, options, (int)width);
    table->more(stream);
}

/* The help is made in memory and written by one call: a stream that takes nothing has taken no half
 * of it. Returns 0, or -1 with errno set. */
static int write_help(const struct option_table *table, void *options, const char *program)
{
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);

    if (stream == NULL)
        return -1;
    print_help(stream, table, options, program);
    bool whole = !ferror(stream);
    whole = fclose(stream) == 0 && whole;
    if (!whole || text == NULL) { /* glibc: no memory to end the stream with, and yet 0 */
        errno = ENOMEM;
        whole = false;
    }
    whole = whole && fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0;
    free(text);
    return whole ? 0 : -1;
}

static enum options_result show_help(const struct option_table *table, void *options,
                                     const char *program)
{
    if (write_help(table, options, program) == 0)
        return OPTIONS_HELP_SHOWN;
    error_print("--help: write standard output: %s", strerror(errno));
    return OPTIONS_BAD;
}

/* Returns how many names begin with the word, up to an '='. Puts two of them into found. A word
 * that is a whole name counts as that name only. */
static size_t find_names(const struct option *names, const char *word, const char *found[2])
{
    size_t length = strcspn(word, "=");
    size_t count = 0;

    for (size_t i = 0; names[i].name != NULL; i++) {
        if (strncmp(names[i].name, word, length) != 0)
            continue;
        if (count < 2)
            found[count] = names[i].name;
        count++;
        if (names[i].name[length] == '\0') {
            found[0] = names[i].name;
            return 1;
        }
    }
    return count;
}

/* Says what getopt_long found wrong with the word. */
static void report_word(const struct option *names, const char *word)
{
    const char *found[2] = {NULL, NULL};
    size_t count = strncmp(word, "--", 2) == 0 ? find_names(names, word + 2, found) : 0;

    if (count == 0)
        error_print("'%s': no such option; see --help", word);
    else if (count == 1)
        error_print("'%s': --%s takes no value; see --help", word, found[0]);
    else
        error_print("'%s': could be --%s or --%s; see --help", word, found[0], found[1]);
}

/* Is the word after an option an option itself? Then its value was forgotten. */
static bool is_option(const struct option *names, const char *word)
{
    if (strncmp(word, "--", 2) != 0)
        return false;
    for (size_t i = 0; names[i].name != NULL; i++)
        if (strcmp(names[i].name, word + 2) == 0)
            return true;
    return false;
}

static void make_names(const struct option_table *table, struct option *names)
{
    for (size_t i = 0; i <= count_of(table); i++) {
        const struct option_row *row = i < count_of(table) ? row_of(table, i) : &help_row;
        names[i] =
            (struct option){row->name, row->kind == OPTION_FLAG ? no_argument : required_argument,
                            NULL, FIRST_KEY + (int)i};
    }
    names[count_of(table) + 1] = (struct option){0};
}

static bool complete(const struct option_table *table, const bool *given)
{
    for (size_t i = 0; i < count_of(table); i++)
        if (row_of(table, i)->required && !given[i]) {
            error_print("--%s: must be given; see --help", row_of(table, i)->name);
            return false;
        }
    return true;
}

enum options_result option_table_read(const struct option_table *table, void *options, int argc,
                                      char **argv)
{
    struct option names[OPTION_ROWS_MOST + 2];
    bool given[OPTION_ROWS_MOST] = {false};

    make_names(table, names);
    opterr = 0; /* the lines about bad options are ours, like all others */
    optind = 0; /* begin anew; 1 would leave a half-read word of an earlier call (getopt(3)) */
    for (int next = 1;; next = optind) {
        /* "+": stop at a word that is no option. So what is read now is the word at `next`; it
         * cannot be told afterwards, as optind stays where it is within a word such as "-port". */
        int key = getopt_long(argc, argv, "+:", names, NULL);
        if (key == -1)
            break;
        if (key == '?') {
            report_word(names, argv[next]);
            return OPTIONS_BAD;
        }
        if (key == ':' || (optind == next + 2 && is_option(names, optarg))) {
            error_print("'%s': needs a value; see --help", argv[next]);
            return OPTIONS_BAD;
        }
        size_t row = (size_t)(key - FIRST_KEY);
        if (row == count_of(table))
            return show_help(table, options, argv[0]);
        if (!take(row_of(table, row), struct_of(table, row, options), optarg))
            return OPTIONS_BAD;
        given[row] = true;
    }
    if (optind < argc) {
        error_print("'%s': unexpected argument; see --help", argv[optind]);
        return OPTIONS_BAD;
    }
    return complete(table, given) ? OPTIONS_RUN : OPTIONS_BAD;
}
