/* A connection's turn, and how a worker ends it: from the event to the re-arming. */
#include "pool.h"

#include "../../common/clock.h"
#include "../../common/transport.h"
#include "../../common/work.h"

enum { READS_A_TURN = 16 };

/* [4] Read policy: again only if recv(2) has filled its room: a turn costs an EPOLL_CTL_MOD, so it
 * should bring more than one read can take. The budget keeps a busy peer from holding a worker: all
 * workers together can be held by as many peers. What is left is reported after the re-arming.
 * [5] Partial write: an echo is sent at once. When send(2) takes less than all of it, the turn is
 * over, and the re-arming asks for WRITABLE, too. */
void turn(struct connection *connection, struct context *context)
{
    struct watch *watch = &connection->watch;
    enum transport_result result = TRANSPORT_ALL;

    for (int budget = READS_A_TURN; budget > 0 && result == TRANSPORT_ALL; budget--) {
        uint64_t frames = context->stats->frames;
        result = TRANSPORT_SHORT;
        if (watch_worth_trying(watch) & connection_wants(connection) & READABLE)
            result = transport_read(connection, context);
        work((context->stats->frames - frames) * settings.work_ns);
        if (watch_worth_trying(watch) & connection_wants(connection) & WRITABLE)
            if (transport_write(connection, context) != TRANSPORT_ALL)
                result = TRANSPORT_SHORT;
        if (result == TRANSPORT_ALL)
            connection_settle(connection, context); /* before the next read */
    }
    watch->ready = NOTHING; /* the next event tells anew */
}

static void retire(struct worker *worker, struct connection *connection)
{
    struct pool *pool = worker->pool;

    oneshot_forget(&pool->oneshot, &connection->watch);
    (void)pthread_mutex_lock(&pool->connections_lock);
    connections_retire(pool->connections, &worker->context, connection);
    (void)pthread_mutex_unlock(&pool->connections_lock);
    bell_ring(pool->bell);
}

/* Moves it to where it stands in the queues now. Without an idle timeout a message takes no lock
 * here. A drain-timeout that begins may be the next one that is due. */
static void move(struct worker *worker, struct connection *connection)
{
    struct pool *pool = worker->pool;
    bool drains = connection->ending && connection->draining_ns == 0;

    if (!drains && worker->context.options->idle_timeout_ns == NEVER)
        return;
    (void)pthread_mutex_lock(&pool->connections_lock);
    connections_update(pool->connections, &worker->context, connection);
    (void)pthread_mutex_unlock(&pool->connections_lock);
    if (drains)
        bell_ring(pool->bell);
}

/* The order is that of loop_settle() in common/loop.c. That one looks at the queues again behind
 * FIN, for transports that begin to drain there: this one does not. The re-arming is the last
 * thing: from then on the connection may be in another worker's hands. If it fails, the connection
 * is not armed, and still in ours. */
static void settle(struct worker *worker, struct connection *connection)
{
    struct pool *pool = worker->pool;
    struct context *context = &worker->context;

    connection_settle(connection, context);
    move(worker, connection);
    if (connection_owes_fin(connection))
        transport_send_fin(connection, context);
    oneshot_give(&pool->oneshot, &connection->watch, worker);
    if (connection->state == CONNECTION_CLOSED ||
        oneshot_arm(&pool->oneshot, pool->epoll, &connection->watch, connection_wants(connection),
                    EPOLLONESHOT, context->stats) < 0)
        retire(worker, connection);
}

void worker_serve(struct worker *worker, struct connection *connection)
{
    oneshot_take(&worker->pool->oneshot, &connection->watch, worker);
    worker->context.now_ns = clock_now();
    turn(connection, &worker->context);
    settle(worker, connection);
}
