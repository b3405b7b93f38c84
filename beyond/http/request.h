/* What a request asks for, read from a whole head. No input or output happens here. */
#ifndef HTTP_REQUEST_H
#define HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum request_method { METHOD_GET, METHOD_HEAD, METHOD_POST, METHOD_OTHER };

struct request {
    enum request_method method;
    const char *path; /* decoded, without the query; begins with '/', or is "*"; in the head */
    uint64_t length;  /* of the body, by Content-Length; 0 if there is none */
    bool chunked;
    bool has_length;
    bool is_1_0;
    bool keep_alive;
    bool expects_continue;
};

/* Reads a head that head_scan() has found whole, and writes into it: the path is decoded in its
 * place, and tabs become blanks. Returns 0, or the status to refuse it with: the
 * connection must be closed then, because nobody knows where the next request begins. */
int request_read(struct request *request, uint8_t *head, size_t length);

static inline bool request_has_body(const struct request *request)
{
    return request->chunked || request->length > 0;
}

#endif
