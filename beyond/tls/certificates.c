#include "certificates.h"

#include "../../common/log.h"
#include "../../common/signals.h"
#include "tls_options.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* A record holds at most 16 KiB of plain text, and a header and at most 256 bytes besides (RFC
 * 8446, 5.2). OpenSSL asks recv(2) for this much. Room for two records: a frame of 16 KiB with its
 * header is two, and comes with one call. */
enum { READ_BYTES = 2 * (16 * 1024 + 512) };

/* One process has one pair. */
static SSL_CTX *current;

/* OpenSSL asks the terminal for the password of an encrypted key, and waits there. */
static int no_password(char *into, int size, int writing, void *data)
{
    (void)into, (void)size, (void)writing, (void)data;
    return -1;
}

/* The oldest error is the cause, the others are what failed because of it (ERR_get_error(3)). An
 * error of the system has no text in OpenSSL. */
int certificates_error(struct error *error, const char *what, const char *object)
{
    unsigned long number = ERR_peek_error();
    const char *reason = number == 0                ? "unknown error"
                         : ERR_SYSTEM_ERROR(number) ? strerror(ERR_GET_REASON(number))
                                                    : ERR_reason_error_string(number);

    (void)snprintf(error->text, sizeof error->text, "%s%s%s: %s", what, object[0] ? " " : "",
                   object, reason != NULL ? reason : "unknown error");
    return -1;
}

/* RELEASE_BUFFERS: OpenSSL frees a session's buffers whenever they are empty. They are 50 KiB of
 * each connection otherwise, also of one that is idle for a day (invariant 9). Test: test_tls.py
 *
 * ENABLE_PARTIAL_WRITE: SSL_write returns after each record. Without it SSL_write would keep bytes
 * that have left already, and nobody could tell how many have.
 *
 * ACCEPT_MOVING_WRITE_BUFFER: an SSL_write that has to be repeated has encrypted its bytes already,
 * and must be repeated with the same bytes. OpenSSL checks that they stand at the same address,
 * too. Here they do not: what a turn leaves in the scratch buffer moves to memory of the
 * connection's own. The bytes are the same, and this mode says that this is enough. To keep one
 * address would mean that each connection owns its buffer all the time.
 *
 * Read-ahead: by itself OpenSSL calls recv(2) for the 5 bytes of a record's header, then for its
 * body. With read-ahead one call brings all records that have come. */
static void set_up(SSL_CTX *context)
{
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_BYTES);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* the ticket has it all */
    SSL_CTX_set_default_passwd_cb(context, no_password);
}

/* AES with keys of 128 bits first: they are as safe as TLS needs, and cost less than 256. */
static int set_ciphers(SSL_CTX *context, struct error *error)
{
    if (SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:"
                                          "TLS_CHACHA20_POLY1305_SHA256") != 1 ||
        SSL_CTX_set_cipher_list(context, "ECDHE+AES128+AESGCM:ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
        return certificates_error(error, "SSL_CTX_set_ciphersuites", "");
    return 0;
}

/* Of a file that holds something else, OpenSSL says "no start line" or "unsupported". Of a key that
 * no_password() does not open it says "interrupted or cancelled". */
static int file_error(struct error *error, const char *option, const char *path, const char *kind)
{
    unsigned long number = ERR_peek_error();
    int reason = ERR_GET_REASON(number);

    if (reason == ERR_R_UNSUPPORTED ||
        (ERR_GET_LIB(number) == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE))
        (void)snprintf(error->text, sizeof error->text, "%s %s: no %s in PEM format", option, path,
                       kind);
    else if (reason == ERR_R_INTERRUPTED_OR_CANCELLED)
        (void)snprintf(error->text, sizeof error->text, "%s %s: needs a password", option, path);
    else
        (void)certificates_error(error, option, path);
    return -1;
}

static int read_files(SSL_CTX *context, struct error *error)
{
    if (SSL_CTX_use_certificate_chain_file(context, tls_options.certificate) != 1)
        return file_error(error, "--cert", tls_options.certificate, "certificate");
    if (SSL_CTX_use_PrivateKey_file(context, tls_options.key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(context) != 1)
        return file_error(error, "--key", tls_options.key, "private key");
    return 0;
}

/* fopen(3) of a FIFO waits for a writer, and with it all peers of a server that runs. At its start
 * one may be meant: a shell's <(command) is a pipe. */
static bool waits(struct error *error)
{
    const char *const paths[] = {tls_options.certificate, tls_options.key};
    struct stat status;

    for (int i = 0; i < 2; i++)
        if (stat(paths[i], &status) == 0 && !S_ISREG(status.st_mode)) {
            (void)snprintf(error->text, sizeof error->text, "%s %s: not a regular file",
                           i == 0 ? "--cert" : "--key", paths[i]);
            return true;
        }
    return false;
}

/* The new pair takes the place of the old one only when all of it is good: a certificate without
 * its key serves nobody. SSL_CTX_free(3) takes one user away; sessions are the others. */
static int replace(bool again, struct error *error)
{
    ERR_clear_error();
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (context == NULL)
        return certificates_error(error, "SSL_CTX_new", "");
    set_up(context);
    if (set_ciphers(context, error) < 0 || (again && waits(error)) ||
        read_files(context, error) < 0) {
        SSL_CTX_free(context);
        return -1;
    }
    SSL_CTX_free(current);
    current = context;
    return 0;
}

/* SIGHUP ends a program by default. From here on it is blocked, and waits in the descriptor, also
 * for the program that a restart begins: whoever renews certificates tells all processes. A server
 * that began with SIGHUP ignored (nohup(1)) never hears of it: the kernel drops it. */
int certificates_open(struct certificates *certificates, struct error *error)
{
    sigset_t hangup;

    *certificates = (struct certificates){.hangups.fd = -1};
    if (replace(false, error) < 0)
        return -1;
    (void)sigemptyset(&hangup);
    (void)sigaddset(&hangup, SIGHUP);
    if (signals_block_too(SIGHUP, "SIGHUP", error) < 0)
        return -1;
    certificates->hangups.fd = signalfd(-1, &hangup, SFD_NONBLOCK | SFD_CLOEXEC);
    if (certificates->hangups.fd < 0)
        return error_set(error, "signalfd", "SIGHUP", errno);
    return 0;
}

void certificates_close(struct certificates *certificates)
{
    if (certificates->hangups.fd >= 0)
        (void)close(certificates->hangups.fd);
    SSL_CTX_free(current);
    current = NULL;
}

/* One reading for all signals that have come: the kernel keeps one pending, not a count. */
void certificates_renew(struct certificates *certificates, uint64_t now_ns, struct stats *stats)
{
    struct signalfd_siginfo signal;
    struct error error;
    struct log_limit unlimited = {0};

    certificates->hangups.ready = NOTHING;
    if (read(certificates->hangups.fd, &signal, sizeof signal) != sizeof signal)
        return; /* EINTR: it stays ready */
    if (replace(true, &error) < 0)
        log_line(&unlimited, now_ns, stats, "%s: keeping the old certificate", error.text);
    else
        log_line(&unlimited, now_ns, stats, "read %s again", tls_options.certificate);
}

SSL *certificates_session(void)
{
    return SSL_new(current);
}
