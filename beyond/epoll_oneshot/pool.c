#include "pool.h"

#include <errno.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* -- the queue ------------------------------------------------------------------------------- */

/* One lock for a batch. A worker that sleeps is woken by a system call (futex(2)), and one that is
 * in a turn is not: it looks into the queue when its turn is over. So under load the queue costs no
 * system call. The sleepers that are woken are taken off the count here and not by themselves: the
 * next batch may come before they run, and would wake them a second time. */
void pool_push(struct pool *pool, struct watch_queue *batch, unsigned count)
{
    (void)pthread_mutex_lock(&pool->lock);
    TAILQ_CONCAT(&pool->queue, batch, turn);
    unsigned woken = count < pool->sleeping ? count : pool->sleeping;
    pool->sleeping -= woken;
    (void)pthread_mutex_unlock(&pool->lock);
    while (woken-- > 0)
        (void)pthread_cond_signal(&pool->work);
}

/* The caller holds the lock. */
static void end_turn(struct pool *pool)
{
    pool->busy--;
    if (pool->held && pool->busy == 0 && TAILQ_EMPTY(&pool->queue))
        (void)pthread_cond_signal(&pool->rest);
}

/* The caller holds the lock. The condition is looked at under the same lock as it is changed: no
 * wake-up can come between the look and the sleep. */
static void sleep_for_work(struct pool *pool)
{
    pool->sleeping++;
    (void)pthread_cond_wait(&pool->work, &pool->lock);
}

static void work_from_queue(struct worker *worker)
{
    struct pool *pool = worker->pool;
    struct watch *watch;

    (void)pthread_mutex_lock(&pool->lock);
    for (;;) {
        while ((watch = TAILQ_FIRST(&pool->queue)) == NULL && !pool->over)
            sleep_for_work(pool);
        if (watch == NULL)
            break;
        TAILQ_REMOVE(&pool->queue, watch, turn);
        pool->busy++;
        (void)pthread_mutex_unlock(&pool->lock);
        worker_serve(worker, connection_of(watch));
        (void)pthread_mutex_lock(&pool->lock);
        end_turn(pool);
    }
    (void)pthread_mutex_unlock(&pool->lock);
}

/* -- all on the one epoll -------------------------------------------------------------------- */

/* An event was fetched. Its turn begins when the loop does not run. Returns false at the end. */
static bool begin_turn(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    while (pool->held && !pool->over)
        sleep_for_work(pool);
    pool->busy += !pool->over;
    bool begun = !pool->over;
    (void)pthread_mutex_unlock(&pool->lock);
    return begun;
}

/* One event a wait: a worker that took more would keep them while others have nothing to do.
 * While it waited for its turn to begin, the loop may have closed the connection, or served it and
 * armed it anew. Then the event is late. */
static void work_from_epoll(struct worker *worker)
{
    struct pool *pool = worker->pool;
    struct epoll_event event;

    for (;;) {
        if (epoll_wait(pool->epoll, &event, 1, -1) != 1)
            continue; /* EINTR: a debugger came by */
        if (!begin_turn(pool))
            return;
        worker->stats.waits++;
        worker->stats.events++;
        struct watch *watch = oneshot_find(&pool->oneshot, &event);
        if (watch != NULL) {
            watch->ready |= (uint8_t)epoll_readiness(event.events);
            worker_serve(worker, connection_of(watch));
        }
        (void)pthread_mutex_lock(&pool->lock);
        end_turn(pool);
        (void)pthread_mutex_unlock(&pool->lock);
    }
}

/* Each thread counts for itself, and only while it is in a turn. `buffers` may be below 0 for one
 * thread, when another one made the buffer: the sum is right, since unsigned numbers wrap. */
static void move_stats(struct stats *into, struct stats *from)
{
#define X(name) into->name += from->name;
    COUNTERS(X)
#undef X
    into->buffers += from->buffers;
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
        into->closed[reason] += from->closed[reason];
    *from = (struct stats){0};
}

/* -- between the loop and the workers -------------------------------------------------------- */

/* What was handed out is served first, as it would be if the loop served it: a signal or a timeout
 * comes after the events of its batch. Nothing is handed out meanwhile, so this ends. */
void pool_hold(struct pool *pool, struct stats *stats)
{
    int number = errno; /* of the wait, whose caller looks at it later */

    (void)pthread_mutex_lock(&pool->lock);
    pool->held = true;
    while (pool->busy > 0 || !TAILQ_EMPTY(&pool->queue))
        (void)pthread_cond_wait(&pool->rest, &pool->lock);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++)
        move_stats(stats, &pool->workers[i].stats);
    errno = number;
}

void pool_release(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->held = false;
    bool wake = settings.wait == WAIT_SHARED && pool->sleeping > 0;
    if (wake)
        pool->sleeping = 0;
    (void)pthread_mutex_unlock(&pool->lock);
    if (wake)
        (void)pthread_cond_broadcast(&pool->work);
}

/* -- begin and end --------------------------------------------------------------------------- */

static void *run(void *worker)
{
    if (settings.wait == WAIT_SHARED)
        work_from_epoll(worker);
    else
        work_from_queue(worker);
    return NULL;
}

/* EAGAIN would mean that its count is full (2^64 - 2): then it is readable all the same. */
void bell_ring(int bell)
{
    uint64_t one = 1;

    while (write(bell, &one, sizeof one) < 0 && (errno == EINTR || errno == EAGAIN))
        continue;
}

/* gcc -fanalyzer does not follow what is stored through a pointer to a pointer, and reports it as a
 * leak. */
#if defined __GNUC__ && !defined __clang__
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif

/* Threads inherit the signal mask: the signals stay blocked, and reach the loop's signalfd(2). */
static int start_worker(struct pool *pool, const struct context *context, struct error *error)
{
    struct worker *worker = &pool->workers[pool->count];

    *worker = (struct worker){.pool = pool, .context = *context};
    worker->context.stats = &worker->stats;
    worker->context.scratch = malloc(SCRATCH_BYTES);
    if (worker->context.scratch == NULL)
        return error_set(error, "malloc", "scratch buffer of a worker", errno);
    int number = pthread_create(&worker->thread, NULL, run, worker);
    if (number != 0) {
        free(worker->context.scratch);
        return error_set(error, "pthread_create", "worker", number);
    }
    pool->count++;
    return 0;
}

/* glibc gives each thread memory of its own to allocate from (an arena), and frees each arena by
 * itself: what common/buffer.c says about memory that stays would hold for each thread. Buffers are
 * rare, so one arena for all is cheap (mallopt(3), M_ARENA_MAX). */
static void share_memory(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_ARENA_MAX, 1);
#endif
}

void pool_prepare(struct pool *pool, struct connections *connections)
{
    *pool = (struct pool){.connections = connections,
                          .epoll = -1,
                          .bell = -1,
                          .end.fd = -1,
                          .lock = PTHREAD_MUTEX_INITIALIZER,
                          .work = PTHREAD_COND_INITIALIZER,
                          .rest = PTHREAD_COND_INITIALIZER,
                          .held = true,
                          .connections_lock = PTHREAD_MUTEX_INITIALIZER};
    TAILQ_INIT(&pool->queue);
}

int pool_open(struct pool *pool, const struct context *context, struct error *error)
{
    share_memory();
    pool->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (pool->epoll < 0)
        return error_set(error, "epoll_create1", "", errno);
    pool->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pool->end.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (pool->bell < 0 || pool->end.fd < 0)
        return error_set(error, "eventfd", "", errno);
    if (oneshot_add(&pool->oneshot, pool->epoll, &pool->end, 0, error) < 0)
        return -1;
    pool->workers = calloc(settings.workers + 1, sizeof *pool->workers);
    if (pool->workers == NULL)
        return error_set(error, "calloc", "workers", errno);
    while (pool->count < settings.workers)
        if (start_worker(pool, context, error) < 0)
            return -1;
    return 0;
}

/* Every worker has to be woken, wherever it sleeps: in the queue, before a turn, or in the epoll.
 * The end's eventfd is never read, so it stays ready until the last worker has seen it. */
static void end_workers(struct pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->over = true;
    (void)pthread_cond_broadcast(&pool->work);
    (void)pthread_mutex_unlock(&pool->lock);
    bell_ring(pool->end.fd);
    for (unsigned i = 0; i < pool->count; i++)
        (void)pthread_join(pool->workers[i].thread, NULL);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void pool_close(struct pool *pool, struct stats *stats)
{
    end_workers(pool);
    for (unsigned i = 0; i < pool->count; i++) {
        move_stats(stats, &pool->workers[i].stats);
        free(pool->workers[i].context.scratch);
    }
    free(pool->workers);
    oneshot_close(&pool->oneshot);
    close_if_open(pool->epoll);
    close_if_open(pool->bell);
    close_if_open(pool->end.fd);
}
