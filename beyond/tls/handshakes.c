#include "handshakes.h"

#include "../../common/clock.h"
#include "tls_options.h"

void handshakes_add(struct session_queue *queue, struct session *session)
{
    session->timed = true;
    session->began_ns = clock_now(); /* not now_ns: no timeout comes early by what a turn takes */
    TAILQ_INSERT_TAIL(queue, session, by_age);
}

void handshakes_remove(struct session_queue *queue, struct session *session)
{
    if (!session->timed)
        return;
    session->timed = false;
    TAILQ_REMOVE(queue, session, by_age);
}

uint64_t handshakes_deadline(const struct session_queue *queue)
{
    const struct session *first = TAILQ_FIRST(queue);

    return first == NULL || tls_options.handshake_timeout_ns == 0
               ? NEVER
               : clock_after(first->began_ns, tls_options.handshake_timeout_ns);
}

/* A timeout never beats data that is waiting: the connection has a last turn, in which it may
 * finish its handshake (invariant 8). Test: test_tls.py */
void handshakes_expire(struct session_queue *queue, struct loop *loop)
{
    while (handshakes_deadline(queue) <= loop->context.now_ns) {
        struct session *session = TAILQ_FIRST(queue);
        struct connection *connection = session_connection(session);
        handshakes_remove(queue, session);
        connection->watch.ready |= READABLE | WRITABLE;
        serve(loop, connection);
        if (session->shaken || connection->state == CONNECTION_CLOSED)
            continue;
        connection_close(connection, CLOSE_idle);
        loop_settle(loop, connection);
    }
}
