/* A connection's turn, in place of common/level.c. */
#include "../../common/loop.h"
#include "../../common/transport.h"

#include "session.h"
#include "tls_options.h"

enum { READS_A_TURN = 16 }; /* edge-triggered, or at the end */

/* [4] Read policy: one read takes all records that have come, up to the room. wire.c clears
 * READABLE when the socket is empty, and WRITABLE when it is full. Level-triggered, one read is a
 * turn, as in common/level.c. Edge-triggered, a budget keeps one busy peer from starving the
 * others, as in epoll_et. mux_update() queues what is left.
 *
 * [5] Partial write: an echo is sent at once. What does not fit waits for what SSL_write waits for,
 * and is offered again from its first byte: OpenSSL knows how much of its record has left.
 *
 * A turn that nothing has reported is the last one before the server ends the connection. The loop
 * repeats it only when it has brought data, and KeyUpdates are none. So it goes through many of
 * them, up to the data behind them. Test: test_tls.py */
void serve(struct loop *loop, struct connection *connection)
{
    struct watch *watch = &connection->watch;
    struct session *session = session_of(connection);
    bool edge = tls_options.trigger == TRIGGER_EDGE;

    session->answers = session->reported ? ANSWERS_A_TURN : ANSWERS_AT_THE_END;
    int budget = edge || !session->reported ? READS_A_TURN : 1;
    session->reported = false;
    for (; budget > 0; budget--) {
        unsigned wants = connection_wants(connection);
        if ((watch_worth_trying(watch) & session_read_interest(session, wants)) ||
            session_has_bytes(session, wants))
            (void)transport_read(connection, &loop->context);
        wants = connection_wants(connection);
        if (watch_worth_trying(watch) & session_write_interest(session, wants))
            (void)transport_write(connection, &loop->context);
        wants = connection_wants(connection);
        if (session->answers == 0 || (!(watch->ready & session_interest(session, wants)) &&
                                      !session_has_bytes(session, wants)))
            break;
        connection_settle(connection, &loop->context); /* before the next read */
    }
    if (!edge)
        watch->ready = NOTHING; /* the next wait looks again */
    loop_settle(loop, connection);
}
