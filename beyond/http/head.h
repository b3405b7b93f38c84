/* The guard before the parser: it finds where a request's head ends, and refuses every byte that
 * two programs could read differently. No input or output happens here.
 *
 * http_parser as Debian builds it reads bare LF, folded lines and blanks before a colon. A proxy in
 * front of it may read them as something else, and then the two disagree where a request ends: that
 * is request smuggling. So the parser sees only a head that has been through here. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include <stddef.h>
#include <stdint.h>

struct head_limits {
    uint32_t line;    /* bytes of the request line */
    uint32_t bytes;   /* of all header lines */
    uint32_t headers; /* header lines */
};

/* How far a head was looked at. Begins as zeros. */
struct head {
    uint32_t line;  /* where the line begins that is not whole yet */
    uint32_t lines; /* how many came before it */
    uint32_t first; /* length of the request line, its CRLF included */
};

enum head_result {
    HEAD_MORE = 0, /* it is not whole yet */
    HEAD_WHOLE = 1 /* head->line is its length, the empty line included */
    /* anything else: the status to refuse it with */
};

/* Looks at size bytes that begin with a request. Call it again with more of them. */
int head_scan(struct head *head, const uint8_t *bytes, size_t size,
              const struct head_limits *limits);

/* Is this header line well-formed? length is without CRLF. Trailers are such lines too. */
_Bool head_line_is_good(const uint8_t *line, size_t length);

#endif
