#include "request.h"

#include "../../common/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void print_more(FILE *stream)
{
    (void)fprintf(
        stream,
        "\nPrints one JSON object on one line. Exit status 1 when it cannot run, 2 for a bad "
        "option.\n");
}

enum options_result request_read(const char *purpose, const struct option_row *rows, size_t count,
                                 void *request, int argc, char **argv)
{
    const struct option_table table = {purpose, rows, count, print_more, NULL};

    return option_table_read(&table, request, argc, argv);
}

void request_begin_json(struct json *json, const char *program, const char *api,
                        const char *implementation)
{
    json_start(json, stdout, false);
    json_string(json, "schema", "microbench/1");
    json_string(json, "program", program);
    json_string(json, "api", api);
    json_string(json, "implementation", implementation);
}

int request_end_json(struct json *json)
{
    if (json_finish(json) == 0)
        return 0;
    error_print("write standard output: %s", strerror(errno));
    return -1;
}
