#include "json.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 32 }; /* our own files are 4 deep; without a limit a hostile one fills the stack */

struct reader {
    struct json_file *file;
    const char *at;
    int depth;
};

/* Recursion is at most DEEPEST deep. */
static struct json *read_value(struct reader *reader);

static void skip_blanks(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

static bool take(struct reader *reader, char expected)
{
    skip_blanks(reader);
    if (*reader->at != expected)
        return false;
    reader->at++;
    return true;
}

/* A value has at least one byte, so a file has no more values than bytes: the pool cannot be used
 * up, and pointers into it stay valid. */
static struct json *new_value(struct reader *reader, enum json_type type)
{
    struct json_file *file = reader->file;

    if (file->pool_used == file->pool_size)
        return NULL;
    struct json *value = &file->pool[file->pool_used++];
    *value = (struct json){.type = type, .text = reader->at};
    return value;
}

/* Leaves `at` behind the closing quotation mark. */
static struct json *read_string(struct reader *reader)
{
    if (!take(reader, '"'))
        return NULL;
    struct json *value = new_value(reader, JSON_STRING);
    for (; *reader->at != '"'; reader->at++) {
        if (*reader->at == '\\')
            reader->at++;
        if ((unsigned char)*reader->at < 0x20)
            return NULL;
    }
    if (value != NULL)
        value->size = (size_t)(reader->at - value->text);
    reader->at++;
    return value;
}

static struct json *read_word(struct reader *reader)
{
    static const struct {
        const char *text;
        enum json_type type;
    } words[] = {{"null", JSON_NULL}, {"false", JSON_FALSE}, {"true", JSON_TRUE}};
    struct json *value = new_value(reader, JSON_NUMBER);
    char *end = NULL;

    for (size_t i = 0; value != NULL && i < sizeof words / sizeof words[0]; i++)
        if (strncmp(reader->at, words[i].text, strlen(words[i].text)) == 0) {
            value->type = words[i].type;
            reader->at += strlen(words[i].text);
            return value;
        }
    if (*reader->at != '-' && !isdigit((unsigned char)*reader->at))
        return NULL;
    (void)strtod(reader->at, &end);
    if (end == reader->at || value == NULL)
        return NULL;
    value->size = (size_t)(end - reader->at);
    reader->at = end;
    return value;
}

static bool read_name(struct reader *reader, const struct json **name)
{
    *name = read_string(reader);
    return *name != NULL && take(reader, ':');
}

/* An array, or an object, from after its opening bracket on. */
/* NOLINTNEXTLINE(misc-no-recursion): no deeper than DEEPEST */
static struct json *read_many(struct reader *reader, enum json_type type, char closing)
{
    struct json *value = new_value(reader, type);
    struct json **last = value == NULL ? NULL : &value->first;

    if (value == NULL || ++reader->depth > DEEPEST)
        return NULL;
    value->text--; /* its text includes the brackets */
    if (!take(reader, closing)) {
        do {
            const struct json *name = NULL;
            if (type == JSON_OBJECT && !read_name(reader, &name))
                return NULL;
            struct json *child = read_value(reader);
            if (child == NULL)
                return NULL;
            if (name != NULL) {
                child->name = name->text;
                child->name_size = name->size;
            }
            *last = child;
            last = &child->next;
        } while (take(reader, ','));
        if (!take(reader, closing))
            return NULL;
    }
    reader->depth--;
    value->size = (size_t)(reader->at - value->text);
    return value;
}

/* NOLINTNEXTLINE(misc-no-recursion): no deeper than DEEPEST */
static struct json *read_value(struct reader *reader)
{
    skip_blanks(reader);
    if (*reader->at == '"')
        return read_string(reader);
    if (take(reader, '{'))
        return read_many(reader, JSON_OBJECT, '}');
    if (take(reader, '['))
        return read_many(reader, JSON_ARRAY, ']');
    return read_word(reader);
}

static int read_file(struct json_file *file, const char *path, struct error *error)
{
    size_t used = 0;
    size_t capacity = 1 << 16;
    FILE *stream = fopen(path, "re");

    if (stream == NULL)
        return error_set(error, "open", path, errno);
    file->bytes = malloc(capacity + 1);
    while (file->bytes != NULL) {
        used += fread(file->bytes + used, 1, capacity - used, stream);
        if (used < capacity)
            break;
        capacity *= 2;
        char *larger = realloc(file->bytes, capacity + 1);
        if (larger == NULL)
            free(file->bytes);
        file->bytes = larger;
    }
    int result = 0;
    if (file->bytes == NULL)
        result = error_set(error, "malloc", path, ENOMEM);
    else if (ferror(stream))
        result = error_set(error, "read", path, errno);
    else
        file->bytes[used] = '\0';
    (void)fclose(stream);
    file->pool_size = used;
    return result;
}

int json_read(struct json_file *file, const char *path, struct error *error)
{
    *file = (struct json_file){0};
    if (read_file(file, path, error) < 0 || file->bytes == NULL)
        return -1;
    file->pool = calloc(file->pool_size + 1, sizeof *file->pool);
    if (file->pool == NULL)
        return error_set(error, "malloc", path, ENOMEM);
    struct reader reader = {.file = file, .at = file->bytes};
    file->root = read_value(&reader);
    skip_blanks(&reader);
    if (file->root != NULL && *reader.at == '\0')
        return 0;
    (void)snprintf(error->text, sizeof error->text, "%s: not JSON, from byte %zu on", path,
                   (size_t)(reader.at - file->bytes));
    return -1;
}

void json_close(struct json_file *file)
{
    free(file->bytes);
    free(file->pool);
    *file = (struct json_file){0};
}

const struct json *json_member(const struct json *object, const char *name)
{
    const struct json *member =
        object != NULL && object->type == JSON_OBJECT ? object->first : NULL;

    while (member != NULL && (member->name_size != strlen(name) ||
                              memcmp(member->name, name, member->name_size) != 0))
        member = member->next;
    return member;
}

uint64_t json_whole(const struct json *value)
{
    if (value == NULL || value->type != JSON_NUMBER || *value->text == '-')
        return 0;
    return strtoull(value->text, NULL, 10);
}

double json_number(const struct json *value)
{
    return value == NULL || value->type != JSON_NUMBER ? 0 : strtod(value->text, NULL);
}

bool json_equals(const struct json *value, const char *text)
{
    return value != NULL && value->type == JSON_STRING && value->size == strlen(text) &&
           memcmp(value->text, text, value->size) == 0;
}
