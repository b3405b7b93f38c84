/* common/transport.h, over TLS: the linker takes these functions in place of common/transport.c.
 *
 * What goes in and out of the state machine of common/connection.c is application data. It does not
 * know of records, of the handshake, or of close_notify. */
#include "../../common/transport.h"

#include "../../common/address.h"
#include "../../common/log.h"
#include "certificates.h"
#include "session.h"
#include "wire.h"

#include <errno.h>
#include <openssl/err.h>
#include <sys/socket.h>

/* The most plain text that a record holds (RFC 8446, 5.1). */
enum { RECORD_BYTES = 16 * 1024 };

static struct log_limit handshake_log;

/* OpenSSL has given up the session: a record is forged, the peer has sent an alert, or no memory is
 * left. It has sent an alert of its own, if there was one to send. No output can follow. Closing
 * now could turn into a reset that destroys the alert, so this is the end of a connection like any
 * other that the server begins: FIN, then lingering. */
static void give_up(struct connection *connection, struct context *context)
{
    struct session *session = session_of(connection);
    char peer[ADDRESS_BYTES];
    struct error error;

    (void)certificates_error(&error, "handshake", "");
    if (!session->shaken)
        log_line(&handshake_log, context->now_ns, context->stats, "%s: %s",
                 address_of_peer(connection->watch.fd, peer), error.text);
    session->broken = true;
    connection_finish(connection, CLOSE_error);
    connection_sent(connection, context, connection->output); /* dropped */
}

/* close_notify or FIN: no more frames. To the connection the input is not over yet, unless FIN of
 * ours is sent. When it is over, and the output has left, the connection closes at once, but
 * close_notify must be sent before. FIN alone may be forged, so the stream counts as truncated,
 * even between two frames (docs/protocol.md). */
static void input_ended(struct connection *connection)
{
    struct session *session = session_of(connection);
    bool open = connection->state == CONNECTION_OPEN;

    connection_ended(connection);
    if (connection->state != CONNECTION_LINGERING)
        connection->input = INPUT_WANTED;
    if (open && session->fin && session->touched)
        connection->reason = CLOSE_truncated;
}

/* What a call that could not go on waits for. The error queue belongs to the thread, not to the
 * session, and SSL_get_error(3) looks into it first. What one session has left there would end the
 * next one. So it is emptied before each call. Test: test_tls.py */
static void stopped(struct connection *connection, struct context *context, int result,
                    uint8_t *waits)
{
    struct session *session = session_of(connection);
    int error = SSL_get_error(session->ssl, result);

    if (error == SSL_ERROR_WANT_READ)
        *waits = READABLE;
    else if (error == SSL_ERROR_WANT_WRITE)
        *waits = WRITABLE;
    else if (error == SSL_ERROR_ZERO_RETURN)
        session->notified = true;
    else
        give_up(connection, context);
    if (session->number != 0)
        connection_failed(connection, session->number);
}

/* After the last record that counts: the socket is emptied without TLS, until FIN comes. */
static enum transport_result discard(struct connection *connection, struct context *context)
{
    ssize_t count;

    do {
        context->stats->reads++;
        count = recv(connection->watch.fd, context->scratch, SCRATCH_BYTES, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        context->stats->would_block++;
        connection->watch.ready &= (uint8_t) ~(READABLE | READ_ON);
        return TRANSPORT_WOULD_BLOCK;
    }
    if (count < 0)
        connection_failed(connection, errno);
    else if (count == 0)
        connection_ended(connection);
    else
        return TRANSPORT_ALL;
    return TRANSPORT_END;
}

/* SSL_read brings one record at most. Many small records may have come by one recv(2), so it is
 * called until the room is full or OpenSSL has no more. The echoes of all of them then leave as one
 * record, by one send(2).
 *
 * There is one recv(2) here at most. The room for a long frame may be a megabyte, which is dozens
 * of them: others would wait for all of that. Test: test_fairness.py */
static int read_records(struct connection *connection, uint8_t *into, size_t room, size_t *total)
{
    struct session *session = session_of(connection);
    size_t count = 0;
    int result;

    session->receives = RECEIVES_A_TURN;
    session->reads = true;
    do {
        ERR_clear_error();
        result = SSL_read_ex(session->ssl, into + *total, room - *total, &count);
        if (result == 1)
            *total += count;
    } while (result == 1 && *total < room && SSL_has_pending(session->ssl) &&
             session->kept_bytes == 0 && !session_owes_answer(session));
    session->reads = false;
    return result;
}

/* SSL_read_ex makes the handshake, too: there is nothing special about it but that no data comes.
 *
 * When the room is full, OpenSSL may still hold bytes: of this record, or of records behind it. The
 * kernel has given them away and will not report them. read_waits = NOTHING notes that, and
 * mux_update() queues the connection. Test: test_tls.py */
enum transport_result transport_read(struct connection *connection, struct context *context)
{
    struct session *session = session_of(connection);
    size_t room = 0, total = 0;

    if (session_deaf(session))
        return discard(connection, context);
    if (session_owes_answer(session) || !wire_flush(session)) {
        session->read_waits = WRITABLE;
        if (session->number == 0)
            return TRANSPORT_WOULD_BLOCK;
        connection_failed(connection, session->number);
        return TRANSPORT_END;
    }
    uint8_t *into = connection_room(connection, context, &room);
    if (into == NULL || (session->ssl == NULL && !session_begin(session, context))) {
        connection_failed(connection, ENOMEM);
        return TRANSPORT_END;
    }
    int result = read_records(connection, into, room, &total);
    session->shaken = session->shaken || SSL_is_init_finished(session->ssl);
    session->read_waits = SSL_has_pending(session->ssl) ? NOTHING : READABLE;
    if (total > 0) {
        context->stats->bytes_in += total;
        connection_received(connection, context, total);
    }
    if (result != 1)
        stopped(connection, context, result, &session->read_waits);
    if (session->fin || (session->notified && connection->state != CONNECTION_LINGERING))
        input_ended(connection);
    if (session_deaf(session) || session->fin || connection->state == CONNECTION_CLOSED)
        return TRANSPORT_END;
    if (session->read_waits == NOTHING)
        return TRANSPORT_ALL;
    return total > 0 ? TRANSPORT_SHORT : TRANSPORT_WOULD_BLOCK;
}

/* SSL_write_ex encrypts up to 16 KiB into a record of its own memory, and sends that. When send(2)
 * takes a part of it only, nothing of it counts as sent, and the call has to be repeated until the
 * record has left: see set_up() in certificates.c about the address. More output may stand behind
 * the same bytes by then. It is not offered: OpenSSL would go on with a further record, and when
 * that one waits it does not say that the first has left. Test: test_tls.py */
enum transport_result transport_write(struct connection *connection, struct context *context)
{
    struct session *session = session_of(connection);
    size_t pending = 0, count = 0;
    int result;

    do {
        const uint8_t *output = connection_output(connection, &pending);
        size_t size = session->begun > 0 ? session->begun : pending;
        if (size > RECORD_BYTES)
            size = RECORD_BYTES;
        ERR_clear_error();
        result = SSL_write_ex(session->ssl, output, size, &count);
        session->begun = result == 1 ? 0 : (uint16_t)size;
        if (result == 1) {
            context->stats->bytes_out += count;
            connection_sent(connection, context, count);
        }
    } while (result == 1 && connection->output > 0);
    session->write_waits = WRITABLE;
    if (result == 1)
        return TRANSPORT_ALL;
    stopped(connection, context, result, &session->write_waits);
    return connection->state == CONNECTION_CLOSED || session->broken ? TRANSPORT_END
                                                                     : TRANSPORT_WOULD_BLOCK;
}

/* First close_notify, then FIN, and then what common/transport.c does. The peer that has sent FIN
 * sends nothing more, so nothing can be reset: the connection is closed. One that has sent
 * close_notify may keep its side of TCP open for ever. The plain protocol has no such peer, and
 * drain-timeout bounds it here. */
void transport_send_fin(struct connection *connection, struct context *context)
{
    struct session *session = session_of(connection);

    if (!session_close_notify(session))
        return; /* loop_settle() calls again when there is room */
    if (session->number != 0)
        connection_failed(connection, session->number);
    else if (session->fin)
        connection_close(connection, CLOSE_end);
    else if (shutdown(connection->watch.fd, SHUT_WR) == 0)
        connection_fin_sent(connection, context);
    else
        connection_failed(connection, errno);
    if (connection->state == CONNECTION_LINGERING)
        connection->ending = true;
}
