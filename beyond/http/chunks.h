/* The chunked coding (RFC 9112, 7.1), taken apart where the bytes stand. No input or output happens
 * here, and any bytes are valid input.
 *
 * http_parser could do it. As Debian builds it, it does not look at the CRLF behind a chunk, nor at
 * what stands between CR and the next byte: "5;a\rbc" and "5\r\nhelloXX0" pass. */
#ifndef HTTP_CHUNKS_H
#define HTTP_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

/* Where in the coding the next byte stands. Begins as zeros. */
struct chunks {
    uint64_t left;       /* of the size that is being read, or of the data that is missing */
    uint32_t line;       /* bytes of the present line, or of the trailer section */
    uint32_t extensions; /* bytes of all extensions of the body */
    uint16_t fields;     /* lines of the trailer section */
    uint8_t state;
};

struct chunks_limits {
    uint64_t body;    /* bytes of all data */
    uint32_t line;    /* bytes of all extensions together, and of the whole trailer section */
    uint32_t headers; /* lines of the trailer section */
};

enum chunks_result {
    CHUNKS_MORE = 0, /* all bytes are used up, and more must come */
    CHUNKS_DONE = 1, /* the body is whole; *used says where the next request begins */
    /* anything else: the status to refuse it with */
};

/* Takes the coding off `size` bytes at `coded`, and moves the data to `data` + *length, which it
 * raises. data + *length may be `coded` or any place before it. */
int chunks_take(struct chunks *chunks, const uint8_t *coded, size_t size, size_t *used,
                uint8_t *data, size_t *length, const struct chunks_limits *limits);

#endif
