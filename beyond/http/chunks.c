#include "chunks.h"

#include <stdbool.h>
#include <string.h>

enum state {
    SIZE_BEGINS, /* at least one hexadecimal digit must come */
    SIZE,
    BLANK,     /* behind the size: only a semicolon may follow */
    EXTENSION, /* read and thrown away (RFC 9112, 7.1.1) */
    SIZE_LF,   /* CR has come: LF must follow */
    DATA,
    DATA_CR, /* behind the data */
    DATA_LF,
    TRAILER_BEGINS, /* a field's name, or the CR of the empty line */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    LAST_LF,
};

/* 16 digits fill 64 bits. A 17th would shift the first one out: "10000000000000005" would be 5 to
 * one program, and much to another. */
enum { MOST_DIGITS = 16 };

static int digit_of(uint8_t byte)
{
    if (byte >= '0' && byte <= '9')
        return byte - '0';
    byte |= 0x20;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

/* A control character other than a tab has no place in an extension or a field. */
static bool is_text(uint8_t byte)
{
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

static bool is_name(uint8_t byte)
{
    return byte > ' ' && byte < 0x7f && strchr("\"(),/:;<=>?@[\\]{}", byte) == NULL;
}

static int take_size(struct chunks *chunks, uint8_t byte)
{
    int digit = digit_of(byte);

    if (digit >= 0 && chunks->line <= MOST_DIGITS) {
        chunks->left = chunks->left << 4 | (unsigned)digit;
        chunks->state = SIZE;
        return 0;
    }
    if (chunks->state == SIZE_BEGINS || digit >= 0)
        return 400;
    if (byte == '\r')
        chunks->state = SIZE_LF;
    else if (byte == ';')
        chunks->state = EXTENSION;
    else if (byte == ' ' || byte == '\t')
        chunks->state = BLANK;
    else
        return 400;
    return 0;
}

static int take_size_end(struct chunks *chunks, uint8_t byte, size_t length,
                         const struct chunks_limits *limits)
{
    if (byte != '\n')
        return 400;
    chunks->line = 0;
    chunks->state = chunks->left > 0 ? DATA : TRAILER_BEGINS;
    return chunks->left > limits->body - length ? 413 : 0;
}

/* Trailers are read and dropped: nothing here asks for one, and one that was taken for a header
 * (Content-Length, say) would be another way to smuggle (RFC 9110, 6.5.1). */
static int take_trailer(struct chunks *chunks, uint8_t byte, const struct chunks_limits *limits)
{
    switch (chunks->state) {
    case TRAILER_BEGINS:
        if (byte == '\r') {
            chunks->state = LAST_LF;
            return 0;
        }
        chunks->state = TRAILER_NAME;
        return ++chunks->fields > limits->headers ? 431 : is_name(byte) ? 0 : 400;
    case TRAILER_NAME:
        if (byte == ':')
            chunks->state = TRAILER_VALUE;
        return byte == ':' || is_name(byte) ? 0 : 400;
    case TRAILER_VALUE:
        if (byte == '\r')
            chunks->state = TRAILER_LF;
        return byte == '\r' || is_text(byte) ? 0 : 400;
    case TRAILER_LF:
        chunks->state = TRAILER_BEGINS;
        return byte == '\n' ? 0 : 400;
    default: /* LAST_LF */
        return byte == '\n' ? CHUNKS_DONE : 400;
    }
}

/* RFC 9112, 7.1.1: all extensions of a body together must have a limit. A limit for each line would
 * let a peer send a megabyte of them for each hundred bytes of content. 400 and not 431, which is
 * about fields: an extension is none. */
static int beyond_limits(struct chunks *chunks, const struct chunks_limits *limits)
{
    bool in_extension = chunks->state == BLANK || chunks->state == EXTENSION;

    chunks->extensions += in_extension;
    if (in_extension && chunks->extensions > limits->line)
        return 400;
    if (++chunks->line > limits->line)
        return chunks->state >= TRAILER_BEGINS ? 431 : 400;
    return 0;
}

static int take_byte(struct chunks *chunks, uint8_t byte, size_t length,
                     const struct chunks_limits *limits)
{
    int status = beyond_limits(chunks, limits);

    if (status != 0)
        return status;
    switch (chunks->state) {
    case SIZE_BEGINS:
    case SIZE:
        return take_size(chunks, byte);
    case BLANK:
        if (byte == ';')
            chunks->state = EXTENSION;
        return byte == ';' || byte == ' ' || byte == '\t' ? 0 : 400;
    case EXTENSION:
        if (byte == '\r')
            chunks->state = SIZE_LF;
        return byte == '\r' || is_text(byte) ? 0 : 400;
    case SIZE_LF:
        return take_size_end(chunks, byte, length, limits);
    case DATA_CR:
        chunks->state = DATA_LF;
        return byte == '\r' ? 0 : 400;
    case DATA_LF:
        *chunks = (struct chunks){.state = SIZE_BEGINS, .extensions = chunks->extensions};
        return byte == '\n' ? 0 : 400;
    default:
        return take_trailer(chunks, byte, limits);
    }
}

int chunks_take(struct chunks *chunks, const uint8_t *coded, size_t size, size_t *used,
                uint8_t *data, size_t *length, const struct chunks_limits *limits)
{
    int result = CHUNKS_MORE;

    for (*used = 0; *used < size && result == CHUNKS_MORE;) {
        if (chunks->state != DATA) {
            result = take_byte(chunks, coded[(*used)++], *length, limits);
            continue;
        }
        size_t piece = size - *used < chunks->left ? size - *used : (size_t)chunks->left;
        memmove(data + *length, coded + *used, piece);
        *length += piece;
        *used += piece;
        chunks->left -= piece;
        if (chunks->left == 0)
            chunks->state = DATA_CR;
    }
    return result;
}
