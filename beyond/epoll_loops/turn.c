/* A connection's turn, with work in it. */
#include "../../common/transport.h"
#include "../../common/work.h"
#include "team.h"

/* [4] Read policy: one recv(2) a wake-up; what is left is reported again. See common/level.c, from
 * which this turn differs in one line: --work, which makes a frame cost what it costs in a server
 * that computes something. The other loops go on meanwhile; the connections of this one wait.
 * [5] Partial write: an echo is sent at once; WRITABLE is wanted only when send(2) took less. */
void serve(struct loop *loop, struct connection *connection)
{
    struct watch *watch = &connection->watch;
    const uint64_t *frames = &loop->context.stats->frames;
    uint64_t before = *frames;

    if (watch_worth_trying(watch) & connection_wants(connection) & READABLE)
        (void)transport_read(connection, &loop->context);
    work((*frames - before) * chosen.work_ns);
    if (watch_worth_trying(watch) & connection_wants(connection) & WRITABLE)
        (void)transport_write(connection, &loop->context);
    watch->ready = NOTHING;
    loop_settle(loop, connection);
}
