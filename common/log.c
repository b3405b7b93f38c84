#include "log.h"

#include "clock.h"
#include "error.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/select.h>
#include <unistd.h>

/* On some BSDs FD_SET makes the descriptor unsigned, which would be a warning here. */
#pragma GCC diagnostic ignored "-Wsign-conversion"

enum { LINES_A_SECOND = 10 };

/* When RLIMIT_NOFILE is 0, poll(2) refuses even one descriptor (EINVAL), and somebody may lower the
 * limit that far (prlimit(2)). select(2) does not look at it. What select cannot name has no room:
 * to leave a line out is better than to wait for a reader. */
static bool can_write_by_select(int fd, int milliseconds)
{
    struct timeval patience = {.tv_sec = milliseconds / 1000,
                               .tv_usec = milliseconds % 1000 * 1000L};
    fd_set question;

    if (fd < 0 || fd >= FD_SETSIZE)
        return false;
    FD_ZERO(&question);
    FD_SET(fd, &question);
    return select(fd + 1, NULL, &question, NULL, &patience) > 0;
}

/* poll(2) and not O_NONBLOCK: the flag belongs to the open file, which the server shares with its
 * parent and with every other program that writes there. A pipe is writable when a page of it is
 * free (pipe(7)), and a line is shorter than a page. If poll reports an error instead, write(2)
 * fails and does not wait. */
bool log_can_write_within(int fd, int milliseconds)
{
    struct pollfd question = {.fd = fd, .events = POLLOUT};
    int ready = poll(&question, 1, milliseconds);

    return ready < 0 ? can_write_by_select(fd, milliseconds) : ready > 0;
}

bool log_can_write(int fd)
{
    return log_can_write_within(fd, 0);
}

static bool may_print(struct log_limit *limit, uint64_t now_ns)
{
    if (limit->second_ns == 0 || now_ns >= clock_after(limit->second_ns, NANOSECONDS_A_SECOND)) {
        limit->second_ns = now_ns;
        limit->lines = 0;
    }
    return limit->lines < LINES_A_SECOND && log_can_write(STDERR_FILENO);
}

void log_line(struct log_limit *limit, uint64_t now_ns, struct stats *stats, const char *format,
              ...)
{
    char line[256];
    va_list arguments;

    if (!may_print(limit, now_ns)) {
        limit->left_out++;
        stats->log_lines_left_out++;
        return;
    }
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (limit->left_out > 0)
        error_print("%s (%" PRIu64 " lines like this were left out before it)", line,
                    limit->left_out);
    else
        error_print("%s", line);
    limit->lines++;
    limit->left_out = 0;
}
