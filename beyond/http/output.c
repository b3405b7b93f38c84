#include "output.h"

#include "exchange.h"
#include "site.h"

#include <errno.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

/* A file gives way to other connections after so much. A socket mostly takes less at once. */
enum { FILE_BYTES_A_TURN = 1024 * 1024 };

/* connection->output has 32 bits, and a file may be longer. It must be right only as far as "is
 * there something" and the two marks go. */
enum { COUNTED_OF_A_FILE = 1 << 30 };

static void count(struct connection *connection)
{
    const struct exchange *exchange = exchange_of(connection);

    connection->output = exchange->out.end - exchange->out.start;
    connection->output +=
        exchange->file_left > COUNTED_OF_A_FILE ? COUNTED_OF_A_FILE : (uint32_t)exchange->file_left;
}

/* Replies of one turn go into the scratch buffer, as input does, and leave by one send(2). What
 * does not fit there moves to memory of its own. */
bool output_put(struct connection *connection, const uint8_t *bytes, size_t size)
{
    struct buffer *out = &exchange_of(connection)->out;
    size_t room;

    if (out->borrowed && size > out->capacity - out->end && !buffer_own(out, &site.replies))
        return false;
    while (size > 0) {
        room = out->capacity - out->end;
        if (!out->borrowed && buffer_room(out, &site.replies, &room) == NULL)
            return false;
        size_t piece = size < room ? size : room;
        memcpy(out->data + out->end, bytes, piece);
        out->end += (uint32_t)piece;
        site.replies.stats->copied_bytes += piece;
        bytes += piece;
        size -= piece;
        if (out->borrowed && size > 0 && !buffer_own(out, &site.replies))
            return false;
    }
    count(connection);
    return true;
}

void output_file(struct connection *connection, int fd, off_t size)
{
    struct exchange *exchange = exchange_of(connection);

    exchange->file = fd;
    exchange->file_at = 0;
    exchange->file_left = size;
    count(connection);
}

static void close_file(struct exchange *exchange)
{
    if (exchange->file_left == 0)
        return;
    (void)close(exchange->file);
    exchange->file_left = 0;
}

static enum transport_result failed(struct connection *connection, struct context *context)
{
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        context->stats->would_block++;
        return TRANSPORT_WOULD_BLOCK;
    }
    connection_failed(connection, errno);
    return TRANSPORT_END;
}

static bool is_of_socket(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK || number == EPIPE || number == ECONNRESET;
}

/* MSG_MORE: a file follows at once. Without it the head would leave as a packet of its own, since
 * TCP_NODELAY is on (tcp(7), TCP_CORK). */
static enum transport_result send_bytes(struct connection *connection, struct context *context)
{
    struct exchange *exchange = exchange_of(connection);
    struct buffer *out = &exchange->out;
    size_t pending = out->end - out->start;
    ssize_t sent;

    do {
        context->stats->writes++;
        sent = send(connection->watch.fd, out->data + out->start, pending,
                    exchange->file_left > 0 ? MSG_MORE : 0);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return failed(connection, context);
    out->start += (uint32_t)sent;
    context->stats->bytes_out += (uint64_t)sent;
    context->stats->partial_writes += (size_t)sent < pending;
    return (size_t)sent == pending ? TRANSPORT_ALL : TRANSPORT_SHORT;
}

/* The reply cannot be finished, and the peer must not take what comes next for its rest: the
 * connection ends. FIN ends it. To close at once would make the kernel send a reset, if input is
 * unread, and that destroys the replies before this one. */
static enum transport_result give_up_file(struct connection *connection)
{
    close_file(exchange_of(connection));
    connection_finish(connection, CLOSE_error);
    return TRANSPORT_END;
}

/* sendfile(2) hands the pages of the file to the socket: the bytes are never in this process. It
 * may take less than was asked, as send(2) does, and that is not the end of the file. Only 0 is:
 * the file is shorter than it was.
 * An error can be that of either side. EPIPE and ECONNRESET are the socket's. Any other is taken
 * for the file's (EIO: the disk). If it was the socket's after all, shutdown(2) fails next. */
static enum transport_result send_file(struct connection *connection, struct context *context)
{
    struct exchange *exchange = exchange_of(connection);
    size_t wanted =
        exchange->file_left < FILE_BYTES_A_TURN ? (size_t)exchange->file_left : FILE_BYTES_A_TURN;
    ssize_t sent;

    do {
        context->stats->writes++;
        sent = sendfile(connection->watch.fd, exchange->file, &exchange->file_at, wanted);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && is_of_socket(errno))
        return failed(connection, context);
    if (sent <= 0)
        return give_up_file(connection);
    context->stats->bytes_out += (uint64_t)sent;
    context->stats->partial_writes += (size_t)sent < wanted;
    if (exchange->file_left == sent)
        close_file(exchange);
    else
        exchange->file_left -= sent;
    return exchange->file_left == 0 ? TRANSPORT_ALL : TRANSPORT_SHORT;
}

/* A call that would have blocked is no activity. The loop makes one just before it judges whether a
 * connection is idle, so a peer that never reads would never be. */
enum transport_result output_send(struct connection *connection, struct context *context)
{
    struct exchange *exchange = exchange_of(connection);
    enum transport_result result = TRANSPORT_ALL;
    uint64_t before = context->stats->bytes_out;

    if (exchange->out.start != exchange->out.end)
        result = send_bytes(connection, context);
    if (result == TRANSPORT_ALL && exchange->file_left > 0)
        result = send_file(connection, context);
    if (connection->state == CONNECTION_CLOSED)
        return result;
    count(connection);
    if (context->stats->bytes_out != before)
        connection->activity_ns = context->now_ns;
    return result;
}

bool output_settle(struct connection *connection)
{
    return buffer_settle(&exchange_of(connection)->out, &site.replies);
}

void output_drop(struct connection *connection)
{
    struct exchange *exchange = exchange_of(connection);

    close_file(exchange);
    exchange->out.start = exchange->out.end; /* empty: the next settle frees it */
    connection->output = 0;
}
