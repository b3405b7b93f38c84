/* The certificate and its key, and everything else that all TLS sessions of this process share.
 *
 * SIGHUP makes the server read the files again, since a certificate lives for weeks and a server
 * for months. OpenSSL keeps them in an SSL_CTX, which counts its users: a new pair becomes a new
 * SSL_CTX for sessions that begin from now on. Sessions that exist keep the old one alive. */
#ifndef TLS_CERTIFICATES_H
#define TLS_CERTIFICATES_H

#include "../../common/error.h"
#include "../../common/stats.h"
#include "../../common/watch.h"

#include <openssl/ssl.h>
#include <stdint.h>

struct certificates {
    struct watch hangups; /* SIGHUP as a descriptor (signalfd(2)) */
};

/* Reads the files that tls_options names, and takes SIGHUP over. Returns 0, or -1 with error
 * filled; certificates_close is needed either way. */
int certificates_open(struct certificates *certificates, struct error *error);

void certificates_close(struct certificates *certificates);

/* Call it when hangups was reported ready. Reads the files again. If that fails, says why on
 * standard error and keeps what there is. */
void certificates_renew(struct certificates *certificates, uint64_t now_ns, struct stats *stats);

/* A session with the present certificate, to be freed by SSL_free. NULL when memory is short. */
SSL *certificates_session(void);

/* Fills error with "what object: reason", where the reason is the oldest of OpenSSL's error queue.
 * Returns -1. */
int certificates_error(struct error *error, const char *what, const char *object);

#endif
