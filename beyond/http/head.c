#include "head.h"

#include <stdbool.h>
#include <string.h>

/* tchar of RFC 9110, 5.6.2: what methods and field names are made of. */
static bool is_token(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != 0 && strchr("!#$%&'*+-.^_`|~", byte) != NULL);
}

static size_t token_length(const uint8_t *bytes, size_t size)
{
    size_t length = 0;

    while (length < size && is_token(bytes[length]))
        length++;
    return length;
}

/* RFC 9112, 3: method SP request-target SP HTTP-version, with one blank each. A recipient may be
 * lenient about blanks; this one is not, because "GET /a HTTP/1.1 HTTP/1.1" then has two readings.
 * The target is printable ASCII. What stands in it is the parser's business. */
static bool request_line_is_good(const uint8_t *line, size_t length)
{
    static const char version[] = " HTTP/";
    const size_t tail = sizeof version - 1 + 3; /* " HTTP/1.1" */
    size_t at = token_length(line, length);

    if (at == 0 || at == length || line[at] != ' ' || length < at + 2 + tail)
        return false;
    const uint8_t *end = line + length - tail;
    for (const uint8_t *target = line + at + 1; target < end; target++)
        if (*target <= ' ' || *target >= 0x7f)
            return false;
    return memcmp(end, version, sizeof version - 1) == 0 && end[6] >= '0' && end[6] <= '9' &&
           end[7] == '.' && end[8] >= '0' && end[8] <= '9';
}

/* A blank at the beginning is a folded line (RFC 9112, 5.2); one before the colon is forbidden
 * outright (5.1). In a value, bytes from 0x80 on are obs-text, which is opaque but allowed (RFC
 * 9110, 5.5); NUL, CR and every other control character are not. */
bool head_line_is_good(const uint8_t *line, size_t length)
{
    size_t at = token_length(line, length);

    if (at == 0 || at == length || line[at] != ':')
        return false;
    while (++at < length)
        if ((line[at] < ' ' && line[at] != '\t') || line[at] == 0x7f)
            return false;
    return true;
}

/* What has come is too long, whether its last line is whole or not. A limit must not wait for the
 * end of a line: that may never come. */
static int beyond_limits(const struct head *head, size_t seen, const struct head_limits *limits)
{
    if (head->lines == 0)
        return seen > limits->line ? 414 : 0;
    return seen - head->first > limits->bytes || head->lines - 1 > limits->headers ? 431 : 0;
}

/* One line, which ends with the LF at `end`. A line must end with CRLF: a recipient may take a bare
 * LF for a line's end (RFC 9112, 2.2), and those who do disagree with those who do not. */
static int take_line(struct head *head, const uint8_t *line, const uint8_t *end)
{
    if (end == line || end[-1] != '\r')
        return 400;
    size_t length = (size_t)(end - 1 - line);
    head->line += (uint32_t)length + 2;
    if (head->lines++ == 0) {
        head->first = head->line;
        return request_line_is_good(line, length) ? HEAD_MORE : 400;
    }
    if (length == 0)
        return HEAD_WHOLE;
    return head_line_is_good(line, length) ? HEAD_MORE : 400;
}

/* Each line is looked at when it is whole, and never again: a head that comes in many pieces costs
 * one search for LF in its last line for each of them. */
int head_scan(struct head *head, const uint8_t *bytes, size_t size,
              const struct head_limits *limits)
{
    const uint8_t *end;
    int result;

    while ((end = memchr(bytes + head->line, '\n', size - head->line)) != NULL) {
        if ((result = beyond_limits(head, (size_t)(end + 1 - bytes), limits)) != 0)
            return result;
        if ((result = take_line(head, bytes + head->line, end)) != HEAD_MORE)
            return result;
    }
    return beyond_limits(head, size, limits);
}
