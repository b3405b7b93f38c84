/* A connection's turn in a level-triggered API: what is left unread or unsent is reported again by
 * the next wait. So a turn may stop anywhere, and nothing has to be remembered. */
#include "loop.h"

#include "transport.h"

/* [4] Read policy: one recv(2) a wake-up. The rest stays in the kernel, and the next wait reports
 * it again, after the other connections have had their turn. Reading until EAGAIN would cost a
 * second recv for every message, only to learn that it is all.
 *
 * [5] Partial write: an echo is sent at once, without asking whether the socket is writable. Only
 * when send(2) takes less than all of it does the connection want WRITABLE, until its output is
 * gone. A socket is writable nearly always: a server that always asks is woken for ever, and burns
 * a core (invariant 2). Test: test_idle.py */
void serve(struct loop *loop, struct connection *connection)
{
    struct watch *watch = &connection->watch;

    if (watch_worth_trying(watch) & connection_wants(connection) & READABLE)
        (void)transport_read(connection, &loop->context);
    if (watch_worth_trying(watch) & connection_wants(connection) & WRITABLE)
        (void)transport_write(connection, &loop->context);
    watch->ready = NOTHING; /* the next wait looks again */
    loop_settle(loop, connection);
}
