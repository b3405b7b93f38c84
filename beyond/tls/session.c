#include "session.h"

#include "certificates.h"
#include "wire.h"

#include <openssl/err.h>
#include <stdlib.h>

_Static_assert(sizeof(struct connection) % _Alignof(struct session) == 0,
               "a session stands right behind its connection");

const size_t extra_bytes = sizeof(struct session);

void extra_end(struct connection *connection)
{
    SSL_free(session_of(connection)->ssl);
    free(session_of(connection)->kept);
}

bool session_begin(struct session *session, struct context *context)
{
    ERR_clear_error();
    session->context = context;
    session->ssl = certificates_session();
    if (session->ssl == NULL)
        return false;
    BIO *bio = wire_new(session_connection(session));
    if (bio == NULL)
        return false; /* extra_end() frees the rest */
    SSL_set_bio(session->ssl, bio, bio);
    SSL_set_accept_state(session->ssl);
    return true;
}

/* Interest follows what a call waits for, and not the call's direction. A server that watches for
 * input because SSL_read wants to go on never hears that its answer to KeyUpdate has room now; and
 * level-triggered, it spins on the input that SSL_read does not take meanwhile.
 *
 * After the last record that counts nothing is read until FIN is sent. FIN of the peer would end
 * the connection, and close_notify must be out before. Test: test_tls.py */
unsigned session_read_interest(struct session *session, unsigned wants)
{
    if (!(wants & READABLE))
        return NOTHING;
    if (session_deaf(session))
        return session_connection(session)->state == CONNECTION_LINGERING ? READABLE : NOTHING;
    if (session->fin)
        return NOTHING;
    if (session->kept_bytes > 0)
        return WRITABLE;
    return session->read_waits != NOTHING ? session->read_waits : READABLE;
}

unsigned session_write_interest(const struct session *session, unsigned wants)
{
    if (!(wants & WRITABLE))
        return NOTHING;
    return session->write_waits != NOTHING ? session->write_waits : WRITABLE;
}

/* SSL_shutdown(3) puts close_notify into a record of its own. It sends it behind what is left of a
 * record that has begun. It returns 0 when the peer's close_notify has not come yet: that is no
 * error. A second call would wait for it. FIN must not get before what the session keeps, and that
 * may be an alert of a session that is broken. */
bool session_close_notify(struct session *session)
{
    bool waits = false;

    if (!session->closed && !session->broken && session->shaken) {
        ERR_clear_error();
        int result = SSL_shutdown(session->ssl);
        waits = result < 0 && session->number == 0 && SSL_want_write(session->ssl);
        session->closed = !waits;
        if (result >= 0 && session->kept_bytes == 0)
            session->context->stats->bytes_out += session->begun;
    }
    waits = waits || (!wire_flush(session) && session->number == 0);
    session->close_waits = waits ? WRITABLE : NOTHING;
    return !waits;
}
