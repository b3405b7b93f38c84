/* Command lines: what is taken is within its limits, what is not is told in one line. */
#include "../../common/options.h"

#include "check.h"
#include "targets.h"

#include <getopt.h>
#include <stdbool.h>
#include <string.h>

enum { MOST_ARGUMENTS = 16, MOST_BYTES = 1024, LARGEST_SIZE = 1 << 28 };

static const uint64_t longest_ns = UINT64_C(1000000000) * UINT64_C(1000000000);

static void check_taken(const struct options *options)
{
    CHECK(options->max_frame <= LARGEST_SIZE, "max_frame %u", options->max_frame);
    CHECK(options->high_water >= 1 && options->high_water <= LARGEST_SIZE, "high_water %u",
          options->high_water);
    CHECK(options->low_water < options->high_water, "low_water %u", options->low_water);
    CHECK(options->backlog >= 1, "backlog %d", options->backlog);
    CHECK(options->idle_timeout_ns > 0, "idle_timeout 0, which is off, as a time");
    CHECK(options->max_lifetime_ns > 0, "max_lifetime 0, which is off, as a time");
    CHECK(options->drain_timeout_ns <= longest_ns, "drain_timeout %llu",
          (unsigned long long)options->drain_timeout_ns);
}

/* Arguments are separated by newlines. "--h…" would print the help on standard output. */
static int split(char *text, char **arguments)
{
    int count = 0;

    arguments[count++] = "server";
    for (char *word = strtok(text, "\n"); word != NULL && count < MOST_ARGUMENTS;
         word = strtok(NULL, "\n")) {
        if (strncmp(word, "--he", 4) == 0)
            break;
        arguments[count++] = word;
    }
    arguments[count] = NULL;
    return count;
}

int options_target(const uint8_t *bytes, size_t size)
{
    char text[MOST_BYTES];
    char *arguments[MOST_ARGUMENTS + 1];
    struct options options;

    if (size >= sizeof text)
        return 0;
    memcpy(text, bytes, size);
    text[size] = '\0';
    reported_lines = 0;
    optind = 1;
    int count = split(text, arguments);
    for (int i = 1; i < count; i++)
        step("%s", arguments[i]);
    enum options_result result = options_parse(&options, NULL, count, arguments);
    CHECK(result != OPTIONS_HELP_SHOWN, "help, though nobody asked");
    CHECK(reported_lines == (result == OPTIONS_BAD), "%llu lines reported, result %d",
          (unsigned long long)reported_lines, (int)result);
    if (result == OPTIONS_RUN)
        check_taken(&options);
    return 0;
}
