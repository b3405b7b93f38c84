/* OpenSSL sends and receives through a BIO: an object with functions for both. SSL_set_fd(3) would
 * give it one that calls read(2) and write(2). This one differs in four things:
 *
 * - it counts calls, and calls again after EINTR, as transport.c does;
 * - it makes no recv(2) that can only return EAGAIN. After a record OpenSSL always asks for more.
 *   A short read has shown that the socket is empty: then it is told so without a call, and a
 *   message costs one recv(2) and one send(2);
 * - it keeps FIN and errors to itself, and says "nothing now" for both. OpenSSL takes FIN without
 *   close_notify for a fatal error, and would refuse to send the echoes that are still due;
 * - it never leaves OpenSSL with a part of an alert: see transmit().
 *
 * The price is kernel TLS, which OpenSSL has for its own BIO only. */
#include "wire.h"

#include "session.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    SMALL_BYTES = 512, /* a record of a handshake, if no certificate is in it */
    ALERT_BYTES = 128, /* the record of an alert, with any cipher */
};

static void failed(struct session *session, uint8_t direction)
{
    struct watch *watch = &session_connection(session)->watch;

    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        session->context->stats->would_block++;
        watch->ready &=
            direction == READABLE ? (uint8_t) ~(READABLE | READ_ON) : (uint8_t)~WRITABLE;
    } else {
        session->number = errno;
    }
}

/* One recv(2) a turn, as in common/level.c. A small one is the exception: in a handshake OpenSSL
 * 3.5 reads the 5 bytes of a record's header first, and then its body, although read-ahead is asked
 * for. With one of those a turn, a stop would cut off a peer whose handshake has come whole.
 *
 * The short-read stop: watch->ready says whether the socket may have something. A recv(2) that
 * brings less than it had room for has emptied the socket. READ_ON is the exception: FIN or an
 * urgent byte stands behind what came (see epoll_et/server.c, [4]). */
static int receive(BIO *bio, char *into, size_t size, size_t *received)
{
    struct session *session = BIO_get_data(bio);
    struct connection *connection = session_connection(session);
    struct watch *watch = &connection->watch;
    ssize_t count;

    *received = 0;
    BIO_clear_retry_flags(bio);
    if (!(watch->ready & READABLE) || session->receives == 0 || session->fin ||
        session->number != 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    session->receives = size < SMALL_BYTES ? (uint8_t)(session->receives - 1) : 0;
    do {
        session->context->stats->reads++;
        count = recv(watch->fd, into, size, 0);
    } while (count < 0 && errno == EINTR);
    session->fin = count == 0;
    if (count < 0)
        failed(session, READABLE);
    if (count <= 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    if ((size_t)count < size && !(watch->ready & READ_ON))
        watch->ready &= (uint8_t)~READABLE;
    session->touched = true;
    connection->activity_ns = session->context->now_ns;
    *received = (size_t)count;
    return 1;
}

/* One send(2). Returns how many bytes the socket has taken, 0 when it is full or the call fails. */
static size_t put(struct session *session, const void *bytes, size_t size)
{
    struct connection *connection = session_connection(session);
    ssize_t count;

    do {
        session->context->stats->writes++;
        count = send(connection->watch.fd, bytes, size, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        failed(session, WRITABLE);
        return 0;
    }
    if ((size_t)count < size)
        session->context->stats->partial_writes++;
    connection->activity_ns = session->context->now_ns;
    return (size_t)count;
}

bool wire_flush(struct session *session)
{
    if (session->kept_bytes == 0)
        return true;
    if (session->number != 0)
        return false;
    size_t count = put(session, session->kept, session->kept_bytes);
    session->kept_bytes -= (uint32_t)count;
    if (session->kept_bytes > 0) {
        memmove(session->kept, session->kept + count, session->kept_bytes);
        return false;
    }
    free(session->kept);
    session->kept = NULL;
    return true;
}

static bool keep(struct session *session, const char *bytes, size_t size)
{
    uint8_t *room = realloc(session->kept, session->kept_bytes + size);

    if (room == NULL) {
        session->number = ENOMEM;
        return false;
    }
    memcpy(room + session->kept_bytes, bytes, size);
    session->kept = room;
    session->kept_bytes += (uint32_t)size;
    return true;
}

/* Does SSL_read send this record by its state machine, which repeats it? In TLS 1.3 that is so for
 * all but the alert of an error. */
static bool goes_on(const struct session *session)
{
    return SSL_version(session->ssl) == TLS1_3_VERSION && ERR_peek_error() == 0;
}

/* SSL_read refuses renegotiation by an alert, and does not look whether it has left. What the
 * socket does not take of it OpenSSL forgets, or takes for a record that SSL_write has begun. The
 * peer then finds the next record in the middle of this one. So what SSL_read sends, and an alert
 * that SSL_write sends first, is always taken. What does not fit is kept, and leaves before all
 * else. SSL_write repeats its own records. While something is kept nothing more is received, so one
 * recv(2) bounds it. Test: test_tls.py
 *
 * One recv(2) can bring a thousand KeyUpdates, each of which costs new keys and an answer, and all
 * within one SSL_read. So a turn has a number of answers. When it is used up SSL_read is told that
 * the socket is full, and goes on from there in the next turn: watch->ready, or epoll, says that
 * there is room. It would not go on with an alert. So that is kept. A last turn has many more: no
 * turn comes behind it. */
static int transmit(BIO *bio, const char *bytes, size_t size, size_t *sent)
{
    struct session *session = BIO_get_data(bio);
    bool is_small =
        size > 0 && size <= ALERT_BYTES && (session->reads || bytes[0] == SSL3_RT_ALERT);
    bool over = session->reads && session->answers == 0;

    *sent = 0;
    BIO_clear_retry_flags(bio);
    BIO_set_retry_write(bio);
    if (session->number != 0 || (over && goes_on(session)))
        return 0;
    if (session->reads && !over)
        session->answers--;
    if (session_connection(session)->state == CONNECTION_LINGERING)
        *sent = size; /* FIN is sent: an answer to KeyUpdate */
    else if (!over && !(is_small && session->kept_bytes > 0) && wire_flush(session))
        *sent = put(session, bytes, size);
    if (*sent == 0 && session->number == 0 && is_small && keep(session, bytes, size))
        *sent = size;
    if (*sent > 0)
        BIO_clear_retry_flags(bio);
    return *sent > 0;
}

/* OpenSSL asks for a flush after each flight: every send(2) is one already. It knows nothing else
 * here. */
static long control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

/* Made once. It lives as long as the process. */
static BIO_METHOD *method(void)
{
    static BIO_METHOD *made;

    if (made == NULL && (made = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "socket")) != NULL) {
        (void)BIO_meth_set_read_ex(made, receive);
        (void)BIO_meth_set_write_ex(made, transmit);
        (void)BIO_meth_set_ctrl(made, control);
    }
    return made;
}

BIO *wire_new(struct connection *connection)
{
    BIO *bio = method() != NULL ? BIO_new(method()) : NULL;

    if (bio == NULL)
        return NULL;
    BIO_set_data(bio, session_of(connection));
    BIO_set_init(bio, 1);
    return bio;
}
