#include "request.h"

#include <arpa/inet.h>
#include <http_parser.h>
#include <string.h>
#include <strings.h>

/* What the parser's callbacks fill. A head is in one piece, so a field is in one piece too. */
struct reading {
    struct request *request;
    const char *target;
    size_t target_length;
    const char *name;
    size_t name_length;
    unsigned hosts;
    unsigned codings;     /* transfer codings, of all Transfer-Encoding lines */
    unsigned chunked;     /* how many of them are "chunked" */
    bool chunked_is_last; /* and is that the last one? */
    bool says_close;      /* the words of all Connection lines */
    bool says_keep_alive;
    int status; /* the first reason to refuse the request, or 0 */
};

static int refuse(struct reading *reading, int status)
{
    if (reading->status == 0)
        reading->status = status;
    return 0; /* the parser goes on: one of its own errors is only another reason */
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static int on_url(http_parser *parser, const char *at, size_t length)
{
    struct reading *reading = parser->data;

    reading->target = at;
    reading->target_length = length;
    return 0;
}

static int on_field(http_parser *parser, const char *at, size_t length)
{
    struct reading *reading = parser->data;

    reading->name = at;
    reading->name_length = length;
    return 0;
}

static int hex(char byte)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = byte == '\0' ? NULL : strchr(digits, byte >= 'A' ? byte | 0x20 : byte);

    return found == NULL ? -1 : (int)(found - digits);
}

/* reg-name of RFC 3986, 3.2.2: how far it goes from the beginning. */
static size_t name_length(const char *text, size_t length)
{
    static const char others[] = "-._~!$&'()*+,;=";
    size_t at = 0;

    while (at < length) {
        char byte = text[at], lower = (char)(byte | 0x20);
        if (byte == '%' && length - at > 2 && hex(text[at + 1]) >= 0 && hex(text[at + 2]) >= 0)
            at += 3;
        else if ((lower >= 'a' && lower <= 'z') || (byte >= '0' && byte <= '9') ||
                 (byte != '\0' && strchr(others, byte) != NULL))
            at++;
        else
            break;
    }
    return at;
}

/* "[::1]": its length with the brackets, or 0. RFC 3986 leaves room for later versions ("[v7.a]").
 * There is none yet, so nobody can say which host that would be: refused. */
static size_t literal_length(const char *text, size_t length)
{
    const char *end = memchr(text, ']', length);
    size_t inside = end == NULL ? 0 : (size_t)(end - text) - 1;
    char address[INET6_ADDRSTRLEN];
    struct in6_addr parsed;

    if (inside == 0 || inside >= sizeof address)
        return 0;
    memcpy(address, text + 1, inside);
    address[inside] = '\0';
    return inet_pton(AF_INET6, address, &parsed) == 1 ? inside + 2 : 0;
}

/* RFC 9110, 7.2: uri-host [":" port]. What else stands there could be read as another host by a
 * proxy in front: the name up to the first colon, say, or up to the last. */
static bool is_host(const char *text, size_t length)
{
    bool bracket = length > 0 && text[0] == '[';
    size_t at = bracket ? literal_length(text, length) : name_length(text, length);

    if (at < length && text[at] == ':')
        do
            at++;
        while (at < length && text[at] >= '0' && text[at] <= '9');
    return at == length;
}

/* RFC 9110, 5.6.1: a list is elements between commas, with blanks around them. Some may be empty:
 * those count for nothing. Sets *word and *length to the next one. Returns false at the end. */
static bool next_word(const char **text, const char *end, const char **word, size_t *length)
{
    while (*text < end && (**text == ',' || is_blank(**text)))
        (*text)++;
    const char *last = *word = *text;
    while (last < end && *last != ',')
        last++;
    *text = last;
    while (last > *word && is_blank(last[-1]))
        last--;
    *length = (size_t)(last - *word);
    return *length > 0;
}

/* "gzip, chunked". A parameter ("chunked;q=1") makes it another name. A field without any name is
 * no coding that we know. */
static void read_codings(struct reading *reading, const char *text, size_t length)
{
    const char *end = text + length, *word;
    unsigned before = reading->codings;

    while (next_word(&text, end, &word, &length)) {
        reading->chunked_is_last = is_word(word, length, "chunked");
        reading->chunked += reading->chunked_is_last;
        reading->codings++;
    }
    reading->codings += reading->codings == before;
}

/* http_parser reads this field too. But it loses its place at an empty element, and obeys
 * Proxy-Connection, which is no field of HTTP. */
static void read_connection(struct reading *reading, const char *text, size_t length)
{
    const char *end = text + length, *word;

    while (next_word(&text, end, &word, &length)) {
        reading->says_close |= is_word(word, length, "close");
        reading->says_keep_alive |= is_word(word, length, "keep-alive");
    }
}

/* The parser reads Content-Length itself. It takes a second one for an error, even an equal one,
 * and reads nothing but digits (RFC 9112, 6.3, allows both). */
static int on_value(http_parser *parser, const char *at, size_t length)
{
    struct reading *reading = parser->data;

    while (length > 0 && is_blank(at[length - 1])) /* the parser takes off those before only */
        length--;
    if (is_word(reading->name, reading->name_length, "host")) {
        if (++reading->hosts > 1 || !is_host(at, length))
            return refuse(reading, 400);
    } else if (is_word(reading->name, reading->name_length, "transfer-encoding")) {
        read_codings(reading, at, length);
    } else if (is_word(reading->name, reading->name_length, "connection")) {
        read_connection(reading, at, length);
    } else if (is_word(reading->name, reading->name_length, "expect")) {
        if (!is_word(at, length, "100-continue"))
            return refuse(reading, 417);
        reading->request->expects_continue = true;
    }
    return 0;
}

/* RFC 9112, 6.1 and 6.3. In HTTP/1.0 there is no such field, so whoever sends it means another
 * framing than whoever reads it. With chunked not at the end the length is unknown: 400. With it at
 * the end, and another coding before it, the length is known and the content is not: 501. */
static int coding_status(const struct reading *reading)
{
    if (reading->codings == 0)
        return 0;
    if (reading->request->is_1_0 || reading->request->has_length || !reading->chunked_is_last ||
        reading->chunked > 1)
        return 400;
    return reading->codings > 1 ? 501 : 0;
}

static enum request_method method_of(const http_parser *parser)
{
    switch (parser->method) {
    case HTTP_GET:
        return METHOD_GET;
    case HTTP_HEAD:
        return METHOD_HEAD;
    case HTTP_POST:
        return METHOD_POST;
    default:
        return METHOD_OTHER;
    }
}

/* Called at the empty line, while what the parser knows of this request is still there. */
static int on_headers(http_parser *parser)
{
    struct reading *reading = parser->data;
    struct request *request = reading->request;

    if (parser->http_major != 1)
        return refuse(reading, 505);
    request->is_1_0 = parser->http_minor == 0;
    request->method = method_of(parser);
    request->has_length = (parser->flags & F_CONTENTLENGTH) != 0;
    request->length = request->has_length ? parser->content_length : 0;
    /* Where both words stand, "close" counts (RFC 9112, 9.3). */
    request->keep_alive = !reading->says_close && (!request->is_1_0 || reading->says_keep_alive);
    request->expects_continue = request->expects_continue && !request->is_1_0;
    if (reading->hosts == 0 && !request->is_1_0)
        return refuse(reading, 400);
    request->chunked = reading->codings > 0;
    return refuse(reading, coding_status(reading));
}

/* Decoded once, and never again: "%252e" is the name "%2e". A NUL would end the name early for
 * open(2), and a program that checked the whole name would have checked another one.
 * In its place: the decoded path is no longer, and a blank or '?' behind it makes room for the NUL
 * at its end. So a path may be as long as a request line. */
static int decode_path(struct request *request, char *text, size_t length)
{
    const char *query = memchr(text, '?', length);
    size_t to = 0;

    length = query != NULL ? (size_t)(query - text) : length;
    for (size_t from = 0; from < length; from++) {
        int byte = (unsigned char)text[from];
        if (byte == '%') {
            int high = length - from < 3 ? -1 : hex(text[from + 1]);
            int low = high < 0 ? -1 : hex(text[from + 2]);
            if (low < 0)
                return 400;
            byte = high * 16 + low;
            from += 2;
        }
        if (byte == '\0')
            return 400;
        text[to++] = (char)byte;
    }
    text[to] = '\0';
    request->path = text;
    return 0;
}

/* "http://x:80/path?query". A server must take this form, and then the host in it counts, not the
 * Host field; here both mean the same site. http_parser_parse_url() refuses an empty port, which is
 * allowed (RFC 3986, 3.2.3). */
static int read_absolute(struct request *request, char *target, size_t length)
{
    static const char scheme[] = "http://";
    size_t host = sizeof scheme - 1, end = host;

    if (length <= host || strncasecmp(target, scheme, host) != 0)
        return 400;
    while (end < length && target[end] != '/' && target[end] != '?')
        end++;
    if (end == host || target[host] == ':' || !is_host(target + host, end - host))
        return 400;
    request->path = "/";
    return end < length && target[end] == '/' ? decode_path(request, target + end, length - end)
                                              : 0;
}

/* The four forms of RFC 9112, 3.2. None has a fragment ("#"): that stays with the client. CONNECT
 * asks for a tunnel: there is none, so any target of it will do for a 405. */
static int read_target(struct request *request, const http_parser *parser, char *target,
                       size_t length)
{
    if (memchr(target, '#', length) != NULL)
        return 400;
    if (parser->method == HTTP_CONNECT || (length == 1 && target[0] == '*')) {
        request->path = "*";
        return request->method == METHOD_OTHER ? 0 : 400;
    }
    if (target[0] == '/') /* "//a/b" is a path, and not a host */
        return decode_path(request, target, length);
    return read_absolute(request, target, length);
}

/* What the parser says of a head that the guard has let through. RFC 9110, 9.1: a method that the
 * server does not know is 501. */
static int status_of(const http_parser *parser)
{
    switch (HTTP_PARSER_ERRNO(parser)) {
    case HPE_OK:
        return 0;
    case HPE_INVALID_METHOD:
        return 501;
    default:
        return 400;
    }
}

/* To RFC 9110, 5.6.3, a tab is a blank like any other. To the parser it is one before a value, and
 * an error behind a length or a coding. The guard lets tabs pass in values only. */
static void replace_tabs(uint8_t *head, size_t length)
{
    const uint8_t *end = head + length;
    uint8_t *tab = head;

    while ((tab = memchr(tab, '\t', (size_t)(end - tab))) != NULL)
        *tab++ = ' ';
}

int request_read(struct request *request, uint8_t *head, size_t length)
{
    static const http_parser_settings settings = {
        .on_url = on_url,
        .on_header_field = on_field,
        .on_header_value = on_value,
        .on_headers_complete = on_headers,
    };
    struct reading reading = {.request = request};
    http_parser parser;

    *request = (struct request){.method = METHOD_OTHER};
    http_parser_init(&parser, HTTP_REQUEST);
    parser.data = &reading;
    replace_tabs(head, length);
    (void)http_parser_execute(&parser, &settings, (const char *)head, length);
    if (reading.status != 0)
        return reading.status;
    int status = status_of(&parser);
    if (status != 0)
        return status;
    char *target = (char *)head + (reading.target - (const char *)head);
    return read_target(request, &parser, target, reading.target_length);
}
