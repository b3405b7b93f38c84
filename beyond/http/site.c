#include "site.h"

#include "../../common/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* http_parser counts a head as well, and gives up at 80 KiB (HTTP_MAX_HEADER_SIZE): stay below. */
#define MOST_LINE            (32U << 10)
#define MOST_HEADER          (32U << 10)
#define MOST_NS              (NANOSECONDS_A_SECOND * NANOSECONDS_A_SECOND)
#define SECONDS_INTO(member) TIME_INTO(struct site, member, 0, MOST_NS, NANOSECONDS_A_SECOND)

struct site site = {
    .max_request_line = 8U << 10,
    .max_header = 16U << 10,
    .max_headers = 100,
    .header_timeout_ns = 10 * NANOSECONDS_A_SECOND,
    .body_timeout_ns = 10 * NANOSECONDS_A_SECOND,
    .keep_alive_timeout_ns = 60 * NANOSECONDS_A_SECOND,
    .root = -1,
};

static const struct option_row rows[] = {
    {"root", "DIR", "serve the files below this directory (none)",
     TEXT_INTO(struct site, root_path)},
    {"max-request-line", "BYTES", "longest request line; above: 414 (8192)",
     NUMBER_INTO(struct site, max_request_line, 16, MOST_LINE)},
    {"max-header", "BYTES", "most bytes of all header lines; above: 431 (16384)",
     NUMBER_INTO(struct site, max_header, 16, MOST_HEADER)},
    {"max-headers", "N", "most header lines; above: 431 (100)",
     NUMBER_INTO(struct site, max_headers, 1, 10000)},
    {"header-timeout", "SECONDS",
     "how long a request's lines may take, from the first byte on;\nabove: 408 (10; 0: off)",
     SECONDS_INTO(header_timeout_ns)},
    {"body-timeout", "SECONDS", "how long no content of a body may come; above: 408 (10; 0: off)",
     SECONDS_INTO(body_timeout_ns)},
    {"keep-alive-timeout", "SECONDS",
     "close a connection without a request after so long (60; 0: off)",
     SECONDS_INTO(keep_alive_timeout_ns)},
};

const struct option_part site_options = {
    .purpose = "Serves HTTP/1.1: POST /echo sends the body back, GET and HEAD read files.\n"
               "--max-frame bounds a request's body; above: 413.",
    .rows = rows,
    .count = sizeof rows / sizeof rows[0],
    .frames_itself = true,
    .into = &site,
};

static void zero_is_never(uint64_t *timeout_ns)
{
    if (*timeout_ns == 0)
        *timeout_ns = NEVER;
}

/* O_PATH: the directory is only a place to start from, and needs no permission to be listed. */
int site_open(const struct context *context, struct error *error)
{
    zero_is_never(&site.header_timeout_ns);
    zero_is_never(&site.body_timeout_ns);
    zero_is_never(&site.keep_alive_timeout_ns);
    site.replies = *context;
    site.replies.scratch = malloc(SCRATCH_BYTES);
    if (site.replies.scratch == NULL)
        return error_set(error, "malloc", "replies", errno);
    if (site.root_path == NULL)
        return 0;
    site.root = open(site.root_path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return site.root < 0 ? error_set(error, "open", site.root_path, errno) : 0;
}

void site_close(void)
{
    free(site.replies.scratch);
    site.replies.scratch = NULL;
    if (site.root >= 0)
        (void)close(site.root);
    site.root = -1;
}
