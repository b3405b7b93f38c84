/* What one of these programs is asked for: the part that their command lines have in common. */
#ifndef MICRO_REQUEST_H
#define MICRO_REQUEST_H

#include "../../common/option_table.h"

/* Seconds above 0 and up to an hour, in nanoseconds. */
#define SPAN_INTO(type, member) TIME_INTO(type, member, 1, UINT64_C(3600000000000), 1e9)

/* As option_table_read. */
enum options_result request_read(const char *purpose, const struct option_row *rows, size_t count,
                                 void *request, int argc, char **argv);

#endif
