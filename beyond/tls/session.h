/* The TLS session of a connection: OpenSSL's part, and what its calls wait for.
 *
 * SSL_read may have to send (a handshake, an answer to KeyUpdate), and SSL_write may have to
 * receive. So what a call waits for is not its own direction. It is what the call says when it
 * cannot go on: SSL_ERROR_WANT_READ or SSL_ERROR_WANT_WRITE (SSL_get_error(3)). */
#ifndef TLS_SESSION_H
#define TLS_SESSION_H

#include "../../common/connection.h"
#include "../../common/context.h"
#include "../../common/extra.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum {
    RECEIVES_A_TURN = 16, /* a large one ends the turn */
    ANSWERS_A_TURN = 16,
    ANSWERS_AT_THE_END = 1024,
};

/* It stands behind its connection, and begins as zeros. */
struct session {
    SSL *ssl; /* NULL until the peer sends something: one that connects and is silent costs less */
    struct context *context;
    int number;          /* the errno of a call that failed, or 0 */
    uint8_t read_waits;  /* readiness that SSL_read waits for; NOTHING: it has bytes already */
    uint8_t write_waits; /* readiness that SSL_write waits for */
    uint8_t close_waits; /* readiness that close_notify waits for; NOTHING: it does not wait */
    uint8_t receives;    /* how many recv(2) are left of this turn: see wire.c */
    bool reads;          /* SSL_read is under way */
    uint16_t answers;    /* how many send(2) of SSL_read are left of this turn: likewise */
    uint16_t begun;      /* SSL_write has a record of so many bytes that is not sent whole, or 0 */
    bool reported;       /* the turn is one of many: readiness or the queue has led to it */
    bool shaken;         /* the handshake is over */
    bool touched;        /* a byte of the peer has come */
    bool fin;            /* recv(2) has returned 0 */
    bool notified;       /* close_notify has come */
    bool broken;         /* a fatal alert was sent or has come: OpenSSL must not be called again */
    bool closed;         /* close_notify was sent, or never will be */
    bool timed;          /* stands in the queue of handshakes */
    uint32_t kept_bytes; /* to OpenSSL they are sent, but the socket has had no room: wire.c */
    uint8_t *kept;
    uint64_t began_ns;
    TAILQ_ENTRY(session) by_age; /* in mux.handshakes, oldest first */
};

TAILQ_HEAD(session_queue, session);

static inline struct session *session_of(struct connection *connection)
{
    return extra_of(connection);
}

static inline struct connection *session_connection(struct session *session)
{
    return (struct connection *)session - 1;
}

/* Makes the SSL. Returns false when memory is short. */
bool session_begin(struct session *session, struct context *context);

/* What comes now is not TLS any more, or nobody can read it: it is discarded as it is. */
static inline bool session_deaf(const struct session *session)
{
    return session->notified || session->broken;
}

/* The readiness that lets the connection read, and that lets it write; NOTHING if it does not want
 * to (wants: connection_wants). */
unsigned session_read_interest(struct session *session, unsigned wants);
unsigned session_write_interest(const struct session *session, unsigned wants);

/* What to watch for. */
static inline unsigned session_interest(struct session *session, unsigned wants)
{
    return session_read_interest(session, wants) | session_write_interest(session, wants) |
           session->close_waits;
}

/* Is SSL_read worth calling, although no readiness will be reported? OpenSSL holds bytes that it
 * has received already: the kernel does not know of them. */
static inline bool session_has_bytes(const struct session *session, unsigned wants)
{
    return session->shaken && !session_deaf(session) && (wants & READABLE) &&
           session->read_waits == NOTHING && session->kept_bytes == 0;
}

/* KeyUpdate has come and asks for an answer, which cannot leave yet: a record is half sent, and it
 * must come first. SSL_read must not be called then. Before it reads on it sends the answer, and
 * OpenSSL 3.0 takes that for the rest of the record, and gives the session up. */
static inline bool session_owes_answer(const struct session *session)
{
    return session->begun > 0 && SSL_get_key_update_type(session->ssl) != SSL_KEY_UPDATE_NONE;
}

/* Sends close_notify once, if the session is in a state for it, and what is kept. Returns false,
 * with close_waits set, when the kernel has no room for that. */
bool session_close_notify(struct session *session);

#endif
