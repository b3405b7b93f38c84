#include "request.h"

#include <stdio.h>

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
    const struct option_table table = {purpose, rows, count, print_more};

    return option_table_read(&table, request, argc, argv);
}
