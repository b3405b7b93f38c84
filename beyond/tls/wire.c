/* OpenSSL sends and receives through a BIO: an object with functions for both. SSL_set_fd(3) would
 * give it one that calls read(2) and write(2). This one differs in three things:
 *
 * - it counts calls, and calls again after EINTR, as transport.c does;
 * - it makes no recv(2) that can only return EAGAIN. After a record OpenSSL always asks for more.
 *   A short read has shown that the socket is empty: then it is told so without a call, and a
 *   message costs one recv(2) and one send(2);
 * - it keeps FIN and errors to itself, and says "nothing now" for both. OpenSSL takes FIN without
 *   close_notify for a fatal error, and would refuse to send the echoes that are still due.
 *
 * The price is kernel TLS, which OpenSSL has for its own BIO only. */
#include "wire.h"

#include "session.h"

#include <errno.h>
#include <sys/socket.h>

enum { SMALL_BYTES = 512 }; /* a record of a handshake, if no certificate is in it */

static int failed(BIO *bio, struct session *session, uint8_t direction)
{
    struct watch *watch = &session_connection(session)->watch;

    if (errno == EAGAIN || errno == EWOULDBLOCK) {
        session->context->stats->would_block++;
        watch->ready &=
            direction == READABLE ? (uint8_t) ~(READABLE | READ_ON) : (uint8_t)~WRITABLE;
    } else {
        session->number = errno;
    }
    if (direction == READABLE)
        BIO_set_retry_read(bio);
    else
        BIO_set_retry_write(bio);
    return 0;
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
    if (count < 0)
        return failed(bio, session, READABLE);
    if (count == 0) {
        session->fin = true;
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

static int transmit(BIO *bio, const char *bytes, size_t size, size_t *sent)
{
    struct session *session = BIO_get_data(bio);
    struct connection *connection = session_connection(session);
    ssize_t count;

    *sent = 0;
    BIO_clear_retry_flags(bio);
    if (session->number != 0) {
        BIO_set_retry_write(bio);
        return 0;
    }
    if (connection->state == CONNECTION_LINGERING) { /* FIN is sent: an answer to KeyUpdate */
        *sent = size;
        return 1;
    }
    do {
        session->context->stats->writes++;
        count = send(connection->watch.fd, bytes, size, 0);
    } while (count < 0 && errno == EINTR);
    if (count < 0)
        return failed(bio, session, WRITABLE);
    if ((size_t)count < size)
        session->context->stats->partial_writes++;
    connection->activity_ns = session->context->now_ns;
    *sent = (size_t)count;
    return 1;
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
