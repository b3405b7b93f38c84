#include "reply.h"

#include "output.h"

#include <stdio.h>
#include <time.h>

static const char *phrase_of(int status)
{
    switch (status) {
    case 200:
        return "200 OK";
    case 403:
        return "403 Forbidden";
    case 404:
        return "404 Not Found";
    case 405:
        return "405 Method Not Allowed";
    case 408:
        return "408 Request Timeout";
    case 413:
        return "413 Content Too Large";
    case 414:
        return "414 URI Too Long";
    case 417:
        return "417 Expectation Failed";
    case 431:
        return "431 Request Header Fields Too Large";
    case 500:
        return "500 Internal Server Error";
    case 501:
        return "501 Not Implemented";
    case 503:
        return "503 Service Unavailable";
    case 505:
        return "505 HTTP Version Not Supported";
    default:
        return "400 Bad Request";
    }
}

/* RFC 9110, 6.6.1: a server with a clock must say the date. It is the same for a second, and to
 * write it costs more than all else in a reply, so it is kept. */
static const char *date_now(void)
{
    static char date[40];
    static time_t second;
    time_t now = time(NULL);
    struct tm parts;

    if (now != second && gmtime_r(&now, &parts) != NULL &&
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0)
        second = now;
    return date;
}

bool reply_put(struct connection *connection, const struct reply *reply)
{
    static const char *const connections[] = {"", "Connection: keep-alive\r\n",
                                              "Connection: close\r\n"};
    const char *phrase = phrase_of(reply->status);
    char head[512], text[64];
    int text_length = reply->text ? snprintf(text, sizeof text, "%s\n", phrase) : 0;
    int length = snprintf(
        head, sizeof head,
        "HTTP/1.1 %s\r\nDate: %s\r\nContent-Type: %s\r\nContent-Length: %lld\r\n%s%s%s%s\r\n",
        phrase, date_now(), reply->text ? "text/plain" : reply->type,
        (long long)(reply->text ? text_length : reply->length),
        reply->allow != NULL ? "Allow: " : "", reply->allow != NULL ? reply->allow : "",
        reply->allow != NULL ? "\r\n" : "", connections[reply->connection]);

    return output_put(connection, (const uint8_t *)head, (size_t)length) &&
           (reply->no_body || text_length == 0 ||
            output_put(connection, (const uint8_t *)text, (size_t)text_length));
}
