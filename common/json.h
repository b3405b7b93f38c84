/* Writing JSON (RFC 8259): one object, whose members come in the order of the calls. What fails is
 * kept, so it is enough to look at the result of json_finish. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_BUFFER_BYTES = 4096 };

struct json {
    FILE *stream;
    int failed;      /* errno of the first write that failed, or 0 */
    bool lines;      /* each member of the outermost object stands on a line of its own */
    bool follows;    /* something stands before the next value, so a comma does as well */
    unsigned depth;  /* at most 32 */
    uint32_t arrays; /* a bit for each depth, the innermost is the lowest: it is an array */
    /* A short object is written by one call, so that lines of several processes do not mix. */
    size_t used;
    char buffer[JSON_BUFFER_BYTES];
};

/* Begins the outermost object. */
void json_start(struct json *json, FILE *stream, bool lines);

/* Begin an object or an array within the innermost one; name is NULL within an array, here and
 * below. Names are written as they are. */
void json_object(struct json *json, const char *name);
void json_array(struct json *json, const char *name);

/* Ends the innermost object or array, but not the outermost object. */
void json_end(struct json *json);

/* Ends the outermost object, writes a newline, and flushes the stream. Returns 0, or -1 with errno
 * set when any of it could not be written. */
int json_finish(struct json *json);

/* text is UTF-8; each byte that is not becomes U+FFFD. */
void json_string(struct json *json, const char *name, const char *text);
void json_unsigned(struct json *json, const char *name, uint64_t value);
void json_signed(struct json *json, const char *name, int64_t value);
void json_bool(struct json *json, const char *name, bool value);
void json_null(struct json *json, const char *name);

/* With so many decimals, or significant digits; null for what JSON has no number for. */
void json_fixed(struct json *json, const char *name, double value, int decimals);
void json_double(struct json *json, const char *name, double value, int digits);

/* A string of 16 hexadecimal digits: a reader's double could not hold the number. */
void json_hash(struct json *json, const char *name, uint64_t hash);

#endif
