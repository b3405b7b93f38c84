#include "secure.h"

#include <errno.h>

#ifdef LOADGEN_OPENSSL

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>

/* A handshake that takes longer has failed. */
enum { PATIENCE_S = 10 };

/* The most bytes that OpenSSL puts into one record (RFC 8446, 5.1). */
enum { RECORD_BYTES = 16 * 1024 };

static SSL_CTX *shared;

int secure_open(const char *ca, struct error *error)
{
    shared = SSL_CTX_new(TLS_client_method());
    if (shared == NULL)
        return error_set(error, "SSL_CTX_new", "", ENOMEM);
    (void)SSL_CTX_set_min_proto_version(shared, TLS1_2_VERSION);
    (void)SSL_CTX_set_mode(shared, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                       SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(shared, 1);
    if (ca == NULL)
        return 0;
    SSL_CTX_set_verify(shared, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(shared, ca, NULL) == 1)
        return 0;
    unsigned long number = ERR_peek_error(); /* the oldest is the cause (ERR_get_error(3)) */
    const char *reason = ERR_SYSTEM_ERROR(number) ? strerror(ERR_GET_REASON(number))
                                                  : ERR_reason_error_string(number);
    (void)snprintf(error->text, sizeof error->text, "--tls-ca %s: %s", ca,
                   reason != NULL ? reason : "cannot be read");
    return -1;
}

void secure_close(void)
{
    SSL_CTX_free(shared);
    shared = NULL;
}

static void set_blocking(int fd, bool blocks)
{
    const struct timeval patience = {.tv_sec = blocks ? PATIENCE_S : 0};
    int flags = fcntl(fd, F_GETFL);

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)fcntl(fd, F_SETFL, blocks ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

/* OpenSSL calls this after each recv(2) of the flow. A short read has emptied the socket. What
 * SSL_read returns does not tell: the rest of a record may be a few bytes, though the recv(2) that
 * brought them was full (BIO_set_callback_ex(3)). Test: test_loadgen_tls.py */
static long note_receive(BIO *bio, int operation, const char *bytes, size_t size, int number,
                         long other, int result, size_t *count)
{
    struct flow *flow = (struct flow *)BIO_get_callback_arg(bio);

    (void)bytes, (void)number, (void)other;
    if (operation == (BIO_CB_READ | BIO_CB_RETURN))
        flow->emptied = result <= 0 || *count < size;
    return result;
}

int secure_begin(struct flow *flow)
{
    if (shared == NULL)
        return 0;
    flow->begun = 0;
    flow->secure = SSL_new(shared);
    errno = ENOMEM;
    if (flow->secure == NULL || SSL_set_fd(flow->secure, flow->fd) != 1)
        return -1;
    BIO_set_callback_ex(SSL_get_rbio(flow->secure), note_receive);
    BIO_set_callback_arg(SSL_get_rbio(flow->secure), (char *)flow);
    ERR_clear_error();
    set_blocking(flow->fd, true);
    errno = 0;
    int result = SSL_connect(flow->secure);
    int number = errno;
    set_blocking(flow->fd, false);
    if (result == 1)
        return 0;
    errno = number == EAGAIN ? ETIMEDOUT : number != 0 ? number : EPROTO;
    return -1;
}

void secure_end(struct flow *flow, bool orderly)
{
    ERR_clear_error();
    if (orderly && flow->secure != NULL)
        (void)SSL_shutdown(flow->secure);
    SSL_free(flow->secure);
    flow->secure = NULL;
}

/* What to return for a call that moved nothing. */
static ssize_t stopped(struct flow *flow, int result)
{
    int number = errno;

    switch (SSL_get_error(flow->secure, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        errno = number != 0 ? number : EPROTO;
        return -1;
    default:
        errno = EPROTO;
        return -1;
    }
}

/* A record that the kernel did not take whole stays with OpenSSL, and counts as not sent. The next
 * call must offer its bytes again, and no fewer: else it is an error (SSL_write(3)). */
ssize_t secure_send(struct flow *flow, const void *bytes, size_t size)
{
    size_t sent = 0, count = 0;
    int result = 1;

    while (sent < size && result == 1) {
        ERR_clear_error();
        result = SSL_write_ex(flow->secure, (const uint8_t *)bytes + sent, size - sent, &count);
        if (result == 1)
            sent += count;
    }
    size_t left = size - sent;
    flow->begun = (uint32_t)(left < RECORD_BYTES ? left : RECORD_BYTES);
    return sent > 0 ? (ssize_t)sent : stopped(flow, result);
}

ssize_t secure_receive(struct flow *flow, void *bytes, size_t size)
{
    size_t received = 0, count = 0;
    int result;

    do {
        ERR_clear_error();
        result = SSL_read_ex(flow->secure, (uint8_t *)bytes + received, size - received, &count);
        if (result == 1)
            received += count;
    } while (result == 1 && received < size && (SSL_has_pending(flow->secure) || !flow->emptied));
    return received > 0 ? (ssize_t)received : stopped(flow, result);
}

ssize_t secure_peek(struct flow *flow, void *bytes, size_t size)
{
    size_t count = 0;

    ERR_clear_error();
    int result = SSL_peek_ex(flow->secure, bytes, size, &count);
    return result == 1 ? (ssize_t)count : stopped(flow, result);
}

#else

int secure_open(const char *ca, struct error *error)
{
    (void)ca;
    return error_set(error, "--tls", "this loadgen was built without OpenSSL", ENOSYS);
}

void secure_close(void)
{
}

int secure_begin(struct flow *flow)
{
    (void)flow;
    return 0;
}

void secure_end(struct flow *flow, bool orderly)
{
    (void)flow, (void)orderly;
}

ssize_t secure_send(struct flow *flow, const void *bytes, size_t size)
{
    (void)flow, (void)bytes, (void)size;
    errno = ENOSYS;
    return -1;
}

ssize_t secure_receive(struct flow *flow, void *bytes, size_t size)
{
    (void)flow, (void)bytes, (void)size;
    errno = ENOSYS;
    return -1;
}

ssize_t secure_peek(struct flow *flow, void *bytes, size_t size)
{
    (void)flow, (void)bytes, (void)size;
    errno = ENOSYS;
    return -1;
}

#endif
