#include "json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NUMBER_BYTES = 340 }; /* "%f" of the largest double has 309 digits before the point */

static void write_out(struct json *json)
{
    if (fwrite(json->buffer, 1, json->used, json->stream) != json->used && json->failed == 0)
        json->failed = errno;
    json->used = 0;
}

static void put(struct json *json, const char *text, size_t size)
{
    for (size_t part; size > 0; text += part, size -= part) {
        size_t room = JSON_BUFFER_BYTES - json->used;
        part = size < room ? size : room;
        memcpy(json->buffer + json->used, text, part);
        json->used += part;
        if (json->used == JSON_BUFFER_BYTES)
            write_out(json);
    }
}

static void put_text(struct json *json, const char *text)
{
    put(json, text, strlen(text));
}

/* All that stands before a value. */
static void begin_value(struct json *json, const char *name)
{
    if (json->follows)
        put_text(json, ",");
    if (json->lines && json->depth == 1)
        put_text(json, "\n  ");
    else if (json->follows)
        put_text(json, " ");
    if (name != NULL) {
        put_text(json, "\"");
        put_text(json, name);
        put_text(json, "\": ");
    }
    json->follows = true;
}

static void put_value(struct json *json, const char *name, const char *text)
{
    begin_value(json, name);
    put_text(json, text);
}

static void begin_many(struct json *json, bool array)
{
    put_text(json, array ? "[" : "{");
    json->depth++;
    json->arrays = json->arrays << 1 | array;
    json->follows = false;
}

void json_start(struct json *json, FILE *stream, bool lines)
{
    json->stream = stream;
    json->failed = 0;
    json->used = 0;
    json->lines = lines;
    json->depth = 0;
    json->arrays = 0;
    begin_many(json, false);
}

void json_object(struct json *json, const char *name)
{
    begin_value(json, name);
    begin_many(json, false);
}

void json_array(struct json *json, const char *name)
{
    begin_value(json, name);
    begin_many(json, true);
}

void json_end(struct json *json)
{
    if (json->lines && json->depth == 1)
        put_text(json, "\n");
    put_text(json, json->arrays & 1 ? "]" : "}");
    json->arrays >>= 1;
    json->depth--;
    json->follows = true;
}

int json_finish(struct json *json)
{
    json_end(json);
    put_text(json, "\n");
    write_out(json);
    if (fflush(json->stream) != 0 && json->failed == 0)
        json->failed = errno;
    if (json->failed == 0)
        return 0;
    errno = json->failed;
    return -1;
}

/* How many bytes the character has that begins here, or 0 if it is not UTF-8 (RFC 3629, 4): too
 * long a form, half of a UTF-16 pair, or above U+10FFFF. The text's end is no continuation. */
static size_t utf8_size(const unsigned char *text)
{
    unsigned char lead = text[0];
    size_t size = 1;

    if (lead >= 0xc2 && lead <= 0xdf)
        size = 2;
    else if (lead >= 0xe0 && lead <= 0xef)
        size = 3;
    else if (lead >= 0xf0 && lead <= 0xf4)
        size = 4;
    else if (lead >= 0x80)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if ((lead == 0xe0 && text[1] < 0xa0) || (lead == 0xed && text[1] > 0x9f) ||
        (lead == 0xf0 && text[1] < 0x90) || (lead == 0xf4 && text[1] > 0x8f))
        return 0;
    return size;
}

void json_string(struct json *json, const char *name, const char *text)
{
    put_value(json, name, "\"");
    for (size_t size; *text != '\0'; text += size > 0 ? size : 1) {
        char escaped[8];
        size = utf8_size((const unsigned char *)text);
        if (size == 0)
            put_text(json, "\\ufffd");
        else if (*text == '"' || *text == '\\' || (unsigned char)*text < 0x20) {
            (void)snprintf(escaped, sizeof escaped, "\\u%04x", (unsigned char)*text);
            put_text(json, escaped);
        } else {
            put(json, text, size);
        }
    }
    put_text(json, "\"");
}

void json_unsigned(struct json *json, const char *name, uint64_t value)
{
    char text[NUMBER_BYTES];

    (void)snprintf(text, sizeof text, "%" PRIu64, value);
    put_value(json, name, text);
}

void json_signed(struct json *json, const char *name, int64_t value)
{
    char text[NUMBER_BYTES];

    (void)snprintf(text, sizeof text, "%" PRId64, value);
    put_value(json, name, text);
}

void json_bool(struct json *json, const char *name, bool value)
{
    put_value(json, name, value ? "true" : "false");
}

void json_null(struct json *json, const char *name)
{
    put_value(json, name, "null");
}

void json_fixed(struct json *json, const char *name, double value, int decimals)
{
    char text[NUMBER_BYTES];

    (void)snprintf(text, sizeof text, "%.*f", decimals, value);
    put_value(json, name, isfinite(value) ? text : "null");
}

void json_double(struct json *json, const char *name, double value, int digits)
{
    char text[NUMBER_BYTES];

    (void)snprintf(text, sizeof text, "%.*g", digits, value);
    put_value(json, name, isfinite(value) ? text : "null");
}

void json_hash(struct json *json, const char *name, uint64_t hash)
{
    char text[NUMBER_BYTES];

    (void)snprintf(text, sizeof text, "\"%016" PRIx64 "\"", hash);
    put_value(json, name, text);
}
