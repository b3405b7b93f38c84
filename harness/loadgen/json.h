/* Reading JSON (RFC 8259): as much of it as our own output needs, and any other file refused with
 * the place where it went wrong. */
#ifndef LOADGEN_JSON_H
#define LOADGEN_JSON_H

#include "../../common/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* A value. Its text stands in the file's memory: numbers and strings as they were written, strings
 * without their quotation marks and with their escapes. */
struct json {
    enum json_type type;
    const char *name; /* in an object: the member's name, name_size bytes */
    size_t name_size;
    const char *text;
    size_t size;
    struct json *first; /* of an array's or object's values */
    struct json *next;
};

struct json_file {
    char *bytes;
    struct json *root;
    struct json *pool; /* all values, for release */
    size_t pool_used;
    size_t pool_size;
};

/* Returns 0, or -1 with error filled; close it all the same. */
int json_read(struct json_file *file, const char *path, struct error *error);
void json_close(struct json_file *file);

/* The member of that name, or NULL; object may be NULL. */
const struct json *json_member(const struct json *object, const char *name);

/* The value as a number; 0 when it is not one, or NULL. */
uint64_t json_whole(const struct json *value);
double json_number(const struct json *value);

/* Whether it is a string without escapes that equals text. */
bool json_equals(const struct json *value, const char *text);

#endif
