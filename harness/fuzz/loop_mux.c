/* What a server provides to the loop, with checks on the way: either a level-triggered API made of
 * the script, and the turn of common/level.c; or epoll_et. */
#include "check.h"
#include "loop_check.h"

#include <errno.h>
#include <signal.h>

void level_serve(struct loop *loop, struct connection *connection);

#define serve level_serve
#include "../../common/level.c" /* NOLINT(bugprone-suspicious-include) */
#undef serve

#ifdef __linux__
int edge_open(struct loop *loop, struct error *error);
void edge_close(struct mux *mux);
int edge_add(struct mux *mux, struct watch *watch, struct error *error);
int edge_update(struct mux *mux, struct watch *watch, unsigned wants);
void edge_remove(struct mux *mux, struct watch *watch);
int edge_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns);
int edge_signal(struct mux *mux);
void edge_serve(struct loop *loop, struct connection *connection);
#define EDGE(edge, level) (loop_bench.edges ? (edge) : (level))
#else
#define EDGE(edge, level) (level)
#endif

struct mux {
    struct stats *stats;
};

static bool is_listener(const struct watch *watch)
{
    return watch == &loop_bench.loop->service.listener.watch;
}

/* -- the made-up API -------------------------------------------------------------------------- */

static int level_open(struct loop *loop)
{
    static struct mux mux;

    mux.stats = &loop->service.stats;
    loop->mux = &mux;
    return 0;
}

static int level_add(struct watch *watch, struct error *error)
{
    struct descriptor *descriptor = kernel_find(watch->fd);

    if (loop_bench.add_fails)
        return error_set(error, "add", "", ENOSPC);
    CHECK(descriptor->data == NULL, "descriptor %d is watched twice", watch->fd);
    watch->interest = READABLE;
    descriptor->data = watch;
    descriptor->interest = READABLE;
    return 0;
}

static int level_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    if (watch_change(watch, wants, mux->stats))
        kernel_find(watch->fd)->interest = wants;
    return 0;
}

static void level_remove(struct watch *watch)
{
    kernel_find(watch->fd)->data = NULL;
}

/* An API with an event for each direction has two for one descriptor, and the first may end it. */
static int level_wait(struct loop *loop, uint64_t deadline_ns)
{
    struct kernel_event events[2 * DESCRIPTORS];

    kernel.timer_ns = deadline_ns;
    int count = loop_woke(loop, kernel_wait(events, 2 * DESCRIPTORS, true));
    for (int i = 0; i < count; i++) {
        struct watch *watch = events[i].data;
        if (kernel_find(watch->fd)->data != watch)
            continue;
        watch->ready = (uint8_t)(events[i].ready & (READABLE | WRITABLE));
        loop_ready(loop, watch);
    }
    return count < 0 ? -1 : 0;
}

/* -- what the loop is linked with ------------------------------------------------------------- */

int mux_open(struct loop *loop, struct error *error)
{
    loop_bench.loop = loop;
    kernel.server.options = loop->context.options;
    (void)error;
    return EDGE(edge_open(loop, error), level_open(loop));
}

void mux_close(struct mux *mux)
{
    check_left();
    loop_bench.closed = true;
    EDGE(edge_close(mux), (void)mux);
}

int mux_add(struct mux *mux, struct watch *watch, struct error *error)
{
    int result = EDGE(edge_add(mux, watch, error), level_add(watch, error));

    (void)mux;
    loop_bench.add_fails = false;
    if (result == 0 && !is_listener(watch)) {
        struct peer *peer = kernel_peer(watch->fd);
        peer->connection = connection_of(watch);
        peer->served = true;
        check_admitted();
    }
    return result;
}

int mux_update(struct mux *mux, struct watch *watch, unsigned wants)
{
    bool fails = loop_bench.update_fails && !loop_bench.edges;

    if (!is_listener(watch)) {
        struct peer *peer = kernel_peer(watch->fd);
        check_settled(peer);
        CHECK(wants == model_wants(&peer->model), "told to watch for %u", wants);
        peer->given_up = fails;
    }
    if (!fails)
        return EDGE(edge_update(mux, watch, wants), level_update(mux, watch, wants));
    loop_bench.update_fails = false;
    loop_bench.broken |= is_listener(watch);
    errno = ENOMEM;
    return -1;
}

void mux_remove(struct mux *mux, struct watch *watch)
{
    (void)mux;
    if (!is_listener(watch))
        check_removed(kernel_peer(watch->fd));
    EDGE(edge_remove(mux, watch), level_remove(watch));
}

int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns)
{
    (void)mux;
    check_loop(deadline_ns);
    loop_bench.deadline_ns = deadline_ns;
    loop_bench.last_turn = NULL;
    int result = EDGE(edge_wait(mux, loop, deadline_ns), level_wait(loop, deadline_ns));
    kernel.in_batch = false;
    return result;
}

int mux_signal(struct mux *mux)
{
    int number = EDGE(edge_signal(mux), kernel_take_signal());

    (void)mux;
    if (number == SIGUSR1 && kernel.log_full)
        kernel.server.stats.log_lines_left_out++;
    loop_bench.stopping += number != 0 && number != SIGUSR1;
    return number;
}

void serve(struct loop *loop, struct connection *connection)
{
    const struct peer *peer = kernel_peer(connection->watch.fd);
    bool last = !kernel.in_batch; /* no event: the loop is going to end it, and tries all */
    unsigned tried = last ? READABLE | WRITABLE : connection->watch.ready;
    unsigned ready = kernel_readiness(kernel_find(peer->fd)) & tried;
    bool useful = ready & model_wants(&peer->model);
    size_t calls = kernel.calls;

    CHECK(peer->connection == connection, "an event for a connection that is retired");
    if (last)
        loop_bench.last_turn = peer;
    EDGE(edge_serve(loop, connection), level_serve(loop, connection));
    CHECK(kernel.calls > calls || !useful || peer->connection == NULL,
          "no call for what is ready: it waits, or is reported, for ever");
}
