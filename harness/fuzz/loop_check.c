#include "loop_check.h"

#include "../../common/clock.h"
#include "check.h"
#include "memory.h"

#include <errno.h>
#include <inttypes.h>

struct loop_bench loop_bench;

enum { LINES_A_SECOND = 10 };

/* -- log lines -------------------------------------------------------------------------------- */

/* A line is due now: at most ten within a second, and none that would wait. */
static void expect_line(struct log_model *log)
{
    uint64_t now_ns = kernel.server.now_ns;

    if (log->second_ns == 0 || now_ns - log->second_ns >= NANOSECONDS_A_SECOND)
        *log = (struct log_model){.second_ns = now_ns};
    if (kernel.log_full || log->lines == LINES_A_SECOND) {
        kernel.server.stats.log_lines_left_out++;
        return;
    }
    log->lines++;
    loop_bench.lines++;
}

/* One line for a run of refusals. */
void check_refused(void)
{
    kernel.server.stats.refused++;
    if (!loop_bench.refusing)
        expect_line(&loop_bench.refused_log);
    loop_bench.refusing = true;
}

void check_admitted(void)
{
    kernel.server.stats.accepted++;
    loop_bench.refusing = false;
}

/* -- a connection ----------------------------------------------------------------------------- */

/* What has come already gets its answer before the server ends a connection by itself. */
static void check_last_turn(const struct peer *peer)
{
    CHECK(loop_bench.last_turn == peer, "ended by the server without a last turn");
}

void check_decision(struct peer *peer)
{
    const struct connection *connection = peer->connection;
    struct model *model = &peer->model;
    const struct server_model *server = &kernel.server;
    bool old = server->now_ns >= clock_after(model->opened_ns, server->options->max_lifetime_ns);

    if (connection->ending && !model->ending && model->state != CONNECTION_CLOSED) {
        if (model->state == CONNECTION_OPEN && connection->reason == CLOSE_stop)
            old = false;
        check_last_turn(peer);
        CHECK(old || loop_bench.stopping, "ended before its time, reason %d", connection->reason);
        model_finish(model, server, old ? CLOSE_lifetime : CLOSE_stop);
    }
    bool over = model_output(model) == 0 && model->input_ended;
    if (connection->state != CONNECTION_CLOSED || model->state == CONNECTION_CLOSED || over)
        return;
    if (heap.failed)
        model_failed(model, ENOMEM);
    CHECK(heap.failed || server->now_ns >= model_cut(model, server),
          "closed before its time, %zu bytes unsent, reason %d", model_output(model),
          connection->reason);
    if (model->state != CONNECTION_CLOSED) {
        check_last_turn(peer);
        CHECK(model->ending || peer->no_progress_ns == server->now_ns,
              "idle, and the kernel was not asked whether bytes still leave");
    }
    model_close(model, CLOSE_idle); /* without effect on a reason that it has */
}

void check_settled(struct peer *peer)
{
    struct model *model = &peer->model;

    CHECK(!kernel.interrupted, "a call that was interrupted was not made again");
    check_decision(peer);
    if (model->ending && model->reason == CLOSE_oversize && !peer->logged) {
        peer->logged = true;
        expect_line(&loop_bench.oversize_log);
    }
    model_settle(model, &kernel.server);
    CHECK(!model_owes_fin(model), "all echoes are sent, and no FIN after them");
    model_compare_settled(model, peer->connection, kernel.server.options);
    heap.failed = false;
}

void check_removed(struct peer *peer)
{
    if (peer->given_up)
        model_close(&peer->model, CLOSE_error);
    else
        check_settled(peer);
    CHECK(peer->model.state == CONNECTION_CLOSED, "retired, and not closed");
    kernel.server.stats.closed[peer->model.reason]++;
    peer->connection = NULL;
}

void check_left(void)
{
    for (struct peer *peer = kernel.peers; peer < kernel.peers + PEERS; peer++) {
        if (peer->place != CONNECTED || peer->connection == NULL)
            continue;
        CHECK(loop_bench.broken || loop_bench.stopping, "dropped at the end");
        model_close(&peer->model, CLOSE_stop);
        kernel.server.stats.closed[peer->model.reason]++;
        peer->connection = NULL;
    }
}

/* -- before each wait ------------------------------------------------------------------------- */

static struct peer *check_queued(const struct connection *connection, bool draining)
{
    struct peer *peer = kernel_peer(connection->watch.fd);

    CHECK(peer->connection == connection, "a connection that nobody watches is in a queue");
    CHECK((connection->draining_ns != 0) == draining, "draining since %" PRIu64,
          connection->draining_ns);
    CHECK(connection->ending == draining, "ending: %d, draining: %d", connection->ending, draining);
    CHECK(connection->state != CONNECTION_CLOSED, "closed, and in a queue");
    return peer;
}

static void check_queues(const struct connections *connections)
{
    const struct connection *each;
    size_t open = 0;
    size_t idle = 0;
    size_t draining = 0;
    uint64_t last_ns = 0;

    for (each = TAILQ_FIRST(&connections->open); each != NULL; each = TAILQ_NEXT(each, by_age)) {
        const struct model *model = &check_queued(each, false)->model;
        CHECK(model->opened_ns >= last_ns, "the open queue is not in order");
        last_ns = model->opened_ns;
        open++;
    }
    last_ns = 0;
    for (each = TAILQ_FIRST(&connections->idle); each != NULL;
         each = TAILQ_NEXT(each, by_activity)) {
        const struct model *model = &check_queued(each, false)->model;
        CHECK(kernel.server.options->idle_timeout_ns == NEVER || model->activity_ns >= last_ns,
              "the idle queue is not in order");
        last_ns = model->activity_ns;
        idle++;
    }
    last_ns = 0;
    for (each = TAILQ_FIRST(&connections->draining); each != NULL;
         each = TAILQ_NEXT(each, by_age)) {
        const struct model *model = &check_queued(each, true)->model;
        CHECK(model->ending_ns >= last_ns, "the draining queue is not in order");
        last_ns = model->ending_ns;
        draining++;
    }
    CHECK(open == idle && open + draining == connections->count,
          "%zu open, %zu idle, %zu draining, %zu in all", open, idle, draining, connections->count);
    CHECK(open == 0 || !loop_bench.stopping, "%zu connections do not know of the stop", open);
    CHECK(TAILQ_EMPTY(&connections->retired), "somebody was retired, and not reaped");
}

static void check_counts(const struct connections *connections, size_t buffers)
{
    const struct stats *is = &loop_bench.loop->service.stats;
    const struct stats *must = &kernel.server.stats;
    uint64_t closed = 0;

#define SAME(name)                                                                                 \
    CHECK(is->name == must->name, #name " %llu, expected %llu", (unsigned long long)is->name,      \
          (unsigned long long)must->name)
    SAME(accepted);
    SAME(refused);
    SAME(frames);
    SAME(bytes_in);
    SAME(bytes_out);
    SAME(waits);
    SAME(events);
    SAME(reads);
    SAME(writes);
    SAME(accepts);
    SAME(would_block);
    SAME(partial_writes);
    SAME(pauses);
    SAME(log_lines_left_out);
    for (int reason = 0; reason < CLOSE_REASON_COUNT; closed += is->closed[reason++])
        SAME(closed[reason]);
#undef SAME
    CHECK(reported_lines == loop_bench.lines, "%llu log lines, expected %llu",
          (unsigned long long)reported_lines, (unsigned long long)loop_bench.lines);
    CHECK(is->accepted == closed + connections->count, "%zu connections, %llu closed",
          connections->count, (unsigned long long)closed);
    CHECK(is->buffers == buffers, "counts %llu buffers, there are %zu",
          (unsigned long long)is->buffers, buffers);
    /* The scratch buffer, and what epoll_et remembers. */
    CHECK(heap.blocks == connections->count + buffers + 1 + loop_bench.edges,
          "%zu pieces of memory are held", heap.blocks);
}

static void check_listener(const struct listener *listener)
{
    unsigned wants = listener_wants(listener);

    if (listener->watch.fd < 0)
        return;
    CHECK(wants != NOTHING ||
              listener->resting_until_ns <= clock_after(kernel.exhausted_ns, NANOSECONDS_A_SECOND),
          "rests too long");
    CHECK(wants != NOTHING || !kernel.freed, "rests, though a descriptor has become free");
    if (!loop_bench.edges)
        CHECK(kernel_find(listener->watch.fd)->interest == wants, "listener: interest %u", wants);
}

void check_loop(uint64_t deadline_ns)
{
    const struct loop *loop = loop_bench.loop;
    uint64_t deadline = loop->service.listener.resting_until_ns;
    size_t buffers = 0;
    size_t watched = 0;

    deadline = deadline == 0 ? NEVER : deadline;
    CHECK(!kernel.interrupted, "a call that was interrupted was not made again");
    CHECK(loop_bench.stopping < 2, "told to stop twice, and waits");
    check_queues(&loop->connections);
    check_listener(&loop->service.listener);
    for (struct peer *peer = kernel.peers; peer < kernel.peers + PEERS; peer++) {
        if (peer->place != CONNECTED)
            continue;
        CHECK(peer->connection != NULL, "descriptor %d was left open", peer->fd);
        uint64_t its = model_deadline(&peer->model, &kernel.server);
        CHECK(its > kernel.server.now_ns || peer->model.ending_ns == kernel.server.now_ns,
              "was not expired");
        deadline = its < deadline ? its : deadline;
        buffers += peer->connection->buffer.data != NULL;
        watched++;
        if (!loop_bench.edges)
            CHECK(kernel_find(peer->fd)->interest == model_wants(&peer->model), "interest %u",
                  kernel_find(peer->fd)->interest);
    }
    CHECK(watched == loop->connections.count, "%zu connections, %zu sockets",
          loop->connections.count, watched);
    CHECK(deadline_ns == deadline, "the next deadline is %llu, expected %llu",
          (unsigned long long)deadline_ns, (unsigned long long)deadline);
    check_counts(&loop->connections, buffers);
}

void check_sleep(void)
{
    const struct listener *listener = &loop_bench.loop->service.listener;

    CHECK(kernel_first(QUEUED) == NULL || listener_wants(listener) == NOTHING,
          "a peer waits to be accepted, and the loop sleeps");
    for (const struct peer *peer = kernel.peers; peer < kernel.peers + PEERS; peer++)
        if (peer->place == CONNECTED)
            CHECK(!(kernel_readiness(kernel_find(peer->fd)) & model_wants(&peer->model)),
                  "peer %d waits, and the loop sleeps", (int)(peer - kernel.peers));
}
