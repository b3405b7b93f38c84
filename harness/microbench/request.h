/* What these programs have in common when they are asked, and when they answer. */
#ifndef MICRO_REQUEST_H
#define MICRO_REQUEST_H

#include "../../common/json.h"
#include "../../common/option_table.h"

/* Seconds above 0 and up to an hour, in nanoseconds. */
#define SPAN_INTO(type, member) TIME_INTO(type, member, 1, UINT64_C(3600000000000), 1e9)

/* As option_table_read. */
enum options_result request_read(const char *purpose, const struct option_row *rows, size_t count,
                                 void *request, int argc, char **argv);

/* Begins the one object on one line of standard output. */
void request_begin_json(struct json *json, const char *program, const char *api,
                        const char *implementation);

/* Ends it. Returns 0, or -1 when standard output did not take all of it, which it says. */
int request_end_json(struct json *json);

#endif
