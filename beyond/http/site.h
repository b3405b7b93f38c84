/* What the whole server serves by: its options, the root directory, and what all replies share. One
 * process has one site, so it is a variable and not a parameter of every function. */
#ifndef HTTP_SITE_H
#define HTTP_SITE_H

#include "../../common/context.h"
#include "../../common/error.h"
#include "../../common/option_table.h"

#include <stdbool.h>
#include <stdint.h>

struct site {
    const char *root_path; /* NULL: there are no files */
    uint32_t max_request_line;
    uint32_t max_header;
    uint32_t max_headers;
    uint64_t header_timeout_ns; /* NEVER: off; so are the other two */
    uint64_t body_timeout_ns;
    uint64_t keep_alive_timeout_ns;
    int root; /* the open directory, or -1 */
    /* Replies are written into a scratch buffer of their own: that of the loop holds the request
     * at that time. buffer.c works with both, each through its context. */
    struct context replies;
};

extern struct site site;
extern const struct option_part site_options;

/* Opens what the options name. Returns 0, or -1 with error filled; site_close either way. */
int site_open(const struct context *context, struct error *error);

void site_close(void);

#endif
