#include "exchange.h"

#include "files.h"
#include "output.h"
#include "reply.h"
#include "request.h"
#include "site.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static uint8_t *input_of(const struct connection *connection, size_t *size)
{
    *size = connection->buffer.end - connection->buffer.start;
    return connection->buffer.data == NULL ? NULL
                                           : connection->buffer.data + connection->buffer.start;
}

bool exchange_is_busy(struct connection *connection, const struct context *context)
{
    return exchange_of(connection)->file_left > 0 ||
           connection->output >= context->options->high_water;
}

void exchange_take_no_more(struct connection *connection, enum close_reason reason)
{
    connection->state = CONNECTION_FLUSHING;
    connection->reason = (uint8_t)reason;
    connection->buffer.start = connection->buffer.end;
    if (connection->input == INPUT_PAUSED)
        connection->input = INPUT_WANTED; /* to be discarded */
}

/* A reply behind which the connection ends, because nobody can say where the next request begins:
 * the framing is broken, or a body that nobody wants is on its way. What comes is read and thrown
 * away until the peer closes, or drain-timeout is over: a reset would destroy the reply (RFC 9112,
 * 9.6). */
static void refuse(struct connection *connection, int status, const char *allow)
{
    const struct reply reply = {.status = status,
                                .allow = allow,
                                .connection = REPLY_CLOSE,
                                .text = true,
                                .no_body = exchange_of(connection)->to_head};

    if (!reply_put(connection, &reply))
        connection_failed(connection, ENOMEM);
    else
        connection_finish(connection, status == 413 ? CLOSE_oversize : CLOSE_error);
}

static enum reply_connection said(const struct exchange *exchange)
{
    if (!exchange->keep_alive)
        return REPLY_CLOSE;
    return exchange->is_1_0 ? REPLY_KEEP_ALIVE : REPLY_SAYS_NOTHING;
}

/* A reply to a request that is whole. The connection goes on if the request has not asked to close
 * it. */
static void answer(struct connection *connection, struct context *context,
                   const struct reply *reply, const uint8_t *body)
{
    struct exchange *exchange = exchange_of(connection);

    context->stats->frames++;
    exchange->completed = true;
    if (!reply_put(connection, reply) ||
        (body != NULL && !output_put(connection, body, (size_t)reply->length)))
        connection_failed(connection, ENOMEM);
    else if (!exchange->keep_alive)
        exchange_take_no_more(connection, CLOSE_end);
}

/* GET or HEAD of a file. Its descriptor stays open until the last byte is in the kernel. */
static void answer_with_file(struct connection *connection, struct context *context,
                             const struct request *request)
{
    struct exchange *exchange = exchange_of(connection);
    struct reply reply = {.connection = said(exchange), .no_body = request->method == METHOD_HEAD};
    struct file file;
    int status = files_open(&file, site.root, request->path);

    if (status != 0) {
        reply.status = status;
        reply.text = true;
        answer(connection, context, &reply, NULL);
        return;
    }
    reply.status = 200;
    reply.type = file.type;
    reply.length = file.size;
    answer(connection, context, &reply, NULL);
    if (reply.no_body || file.size == 0 || connection->state == CONNECTION_CLOSED)
        (void)close(file.fd);
    else
        output_file(connection, file.fd, file.size);
}

static void answer_echo(struct connection *connection, struct context *context, const uint8_t *body,
                        size_t length)
{
    const struct reply reply = {.status = 200,
                                .connection = said(exchange_of(connection)),
                                .type = "application/octet-stream",
                                .length = (off_t)length};

    exchange_of(connection)->in_body = false;
    answer(connection, context, &reply, body != NULL ? body : (const uint8_t *)"");
}

/* A body comes behind the head. Its length is known before a byte of it is taken, or the sum of its
 * chunks is checked as it grows. "100 Continue" is only for a peer that still waits for it. */
static void begin_body(struct connection *connection, const struct request *request)
{
    struct exchange *exchange = exchange_of(connection);
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

    exchange->in_body = true;
    exchange->chunked = request->chunked;
    exchange->decoded = 0;
    if (request->chunked)
        exchange->chunks = (struct chunks){0};
    else
        exchange->length = request->length;
    if (request->expects_continue && connection->buffer.start == connection->buffer.end &&
        !output_put(connection, (const uint8_t *)go_on, sizeof go_on - 1))
        connection_failed(connection, ENOMEM);
}

static const char *allowed(const struct request *request)
{
    if (strcmp(request->path, "/echo") == 0)
        return request->method == METHOD_POST ? NULL : "POST";
    return request->method == METHOD_GET || request->method == METHOD_HEAD ? NULL : "GET, HEAD";
}

/* What to do with a request whose head is whole. A GET with a body means nothing, and some servers
 * take its body for the next request: refused (RFC 9110, 9.3.1). */
static void begin(struct connection *connection, struct context *context,
                  const struct request *request)
{
    struct exchange *exchange = exchange_of(connection);
    const char *allow = allowed(request);

    exchange->keep_alive = request->keep_alive;
    exchange->is_1_0 = request->is_1_0;
    if (allow != NULL && (request_has_body(request) || request->method == METHOD_OTHER)) {
        refuse(connection, 405, allow);
    } else if (allow != NULL) {
        const struct reply reply = {.status = 405,
                                    .allow = allow,
                                    .connection = said(exchange),
                                    .text = true,
                                    .no_body = request->method == METHOD_HEAD};
        answer(connection, context, &reply, NULL);
    } else if (request->method != METHOD_POST) {
        if (request_has_body(request))
            refuse(connection, 400, NULL);
        else
            answer_with_file(connection, context, request);
    } else if (request->length > context->options->max_frame) {
        refuse(connection, 413, NULL);
    } else if (request_has_body(request)) {
        begin_body(connection, request);
    } else {
        answer_echo(connection, context, NULL, 0);
    }
}

/* RFC 9112, 2.2: one empty line before a request is skipped, since old clients send one behind a
 * body. Returns whether more must come before anything can be said. */
static bool skip_blank_line(struct connection *connection)
{
    struct exchange *exchange = exchange_of(connection);
    size_t size;
    const uint8_t *input = input_of(connection, &size);

    if (input != NULL && size > 0 && input[0] == '\r' && !exchange->blank_line) {
        if (size == 1)
            return true;
        if (input[1] == '\n') {
            exchange->blank_line = true;
            connection->buffer.start += 2;
        }
    }
    return connection->buffer.start == connection->buffer.end;
}

/* A refused request may not have been read to its end, nor by the parser. Whoever sent
 * HEAD reads no content behind the reply all the same (RFC 9110, 9.3.2). */
static bool begins_with_head(const uint8_t *input, size_t size)
{
    static const char method[] = "HEAD ";

    return input != NULL && size >= sizeof method - 1 &&
           memcmp(input, method, sizeof method - 1) == 0;
}

/* Returns false when more must come. */
static bool take_head(struct connection *connection, struct context *context)
{
    struct exchange *exchange = exchange_of(connection);
    const struct head_limits limits = {
        .line = site.max_request_line, .bytes = site.max_header, .headers = site.max_headers};
    struct request request;
    size_t size;

    exchange->to_head = false;
    if (skip_blank_line(connection))
        return false;
    uint8_t *input = input_of(connection, &size);
    exchange->to_head = begins_with_head(input, size);
    int status = head_scan(&exchange->head, input, size, &limits);
    if (status == HEAD_MORE)
        return false;
    if (status == HEAD_WHOLE) {
        uint32_t length = exchange->head.line;
        exchange->head = (struct head){0};
        exchange->blank_line = false;
        status = request_read(&request, input, length);
        connection->buffer.start += length;
        if (status == 0)
            begin(connection, context, &request);
    }
    if (status != 0)
        refuse(connection, status, NULL);
    return true;
}

static bool take_chunks(struct connection *connection, struct context *context)
{
    struct exchange *exchange = exchange_of(connection);
    const struct chunks_limits limits = {
        .body = context->options->max_frame, .line = site.max_header, .headers = site.max_headers};
    size_t size, used, length = exchange->decoded;
    uint8_t *body = input_of(connection, &size);

    if (size == length)
        return false;
    int status =
        chunks_take(&exchange->chunks, body + length, size - length, &used, body, &length, &limits);
    exchange->body_came |= length > exchange->decoded;
    if (status == CHUNKS_MORE) {
        exchange->decoded = (uint32_t)length;
        connection->buffer.end = connection->buffer.start + exchange->decoded;
        return false;
    }
    if (status != CHUNKS_DONE) {
        refuse(connection, status, NULL);
        return true;
    }
    uint32_t next = connection->buffer.start + exchange->decoded + (uint32_t)used;
    exchange->head = (struct head){0};
    answer_echo(connection, context, body, length);
    if (connection->state == CONNECTION_OPEN)
        connection->buffer.start = next;
    return true;
}

static bool take_body(struct connection *connection, struct context *context)
{
    struct exchange *exchange = exchange_of(connection);
    size_t size;
    const uint8_t *body = input_of(connection, &size);
    uint64_t length = exchange->length;

    if (exchange->chunked)
        return take_chunks(connection, context);
    if (size < length) {
        exchange->body_came = true;
        return false;
    }
    exchange->head = (struct head){0};
    answer_echo(connection, context, body, (size_t)length);
    if (connection->state == CONNECTION_OPEN)
        connection->buffer.start += (uint32_t)length;
    return true;
}

/* Requests are answered one after the other, in the order in which they came, so replies need no
 * sorting (RFC 9112, 9.3.2). What has come behind a request is the next request: it stays in the
 * buffer, and no event will announce it again. So this goes on until the bytes are used up, or
 * notes that they are held, and then connection_settle() calls it again. */
void exchange_take(struct connection *connection, struct context *context)
{
    struct exchange *exchange = exchange_of(connection);

    while (connection->state == CONNECTION_OPEN) {
        if (exchange_is_busy(connection, context)) {
            exchange->held = connection->buffer.start != connection->buffer.end;
            return;
        }
        if (!(exchange->in_body ? take_body : take_head)(connection, context))
            return;
    }
}

/* A paused connection is in no stage: what it waits for is the peer's reading, and idle-timeout is
 * for that. */
enum stage exchange_stage(struct connection *connection)
{
    const struct exchange *exchange = exchange_of(connection);

    if (connection->state != CONNECTION_OPEN || connection->input != INPUT_WANTED)
        return STAGE_NONE;
    if (exchange->in_body)
        return STAGE_BODY;
    if (connection->buffer.start != connection->buffer.end)
        return STAGE_HEADER;
    return connection->output > 0 ? STAGE_NONE : STAGE_WAITING;
}

/* RFC 9112, 9.5: a server may close at any time. Between requests it says nothing: a 408 could meet
 * a request that is on its way just now, and be taken for the answer to it. Inside a request 408
 * says what was wrong (RFC 9110, 15.5.9). */
void exchange_time_is_over(struct connection *connection)
{
    if (exchange_stage(connection) != STAGE_WAITING)
        refuse(connection, 408, NULL);
    connection_finish(connection, CLOSE_idle);
    connection->reason = CLOSE_idle;
}
