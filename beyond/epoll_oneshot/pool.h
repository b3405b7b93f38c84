/* The workers: threads that give connections their turns.
 *
 * One rule stands between them and the loop of common/loop.c: while the loop runs, the workers
 * rest; while the loop waits, they work. So the loop accepts, expires, stops, closes and prints
 * statistics as if it were alone, and common/loop.c needs no lock. pool_hold and pool_release are
 * the two ends of that rule.
 *
 * --wait dispatcher: the loop's thread waits on the one epoll, and hands connections out by a
 * queue. --wait shared: every worker waits on the epoll of the connections. */
#ifndef POOL_H
#define POOL_H

#include "../../common/connection.h"
#include "../../common/connections.h"
#include "../../common/context.h"
#include "../../common/error.h"
#include "oneshot.h"
#include "settings.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct worker {
    struct pool *pool;
    struct context
        context; /* a wake-up's time, scratch buffer and counters: one of each a thread */
    struct stats stats;
    pthread_t thread;
};

struct pool {
    struct oneshot oneshot;
    int epoll;        /* of the connections */
    int bell;         /* eventfd(2): a worker tells the loop that there is something to look at */
    struct watch end; /* eventfd(2): tells the workers that wait on the epoll to end */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t work;  /* the queue has something, or the loop is over */
    pthread_cond_t rest;  /* the last worker has ended its turn */
    struct watch_queue queue;
    unsigned sleeping; /* wait for work, and nobody has woken them yet */
    unsigned busy;     /* are in a turn */
    bool held;         /* the loop runs, or wants to */
    bool over;

    pthread_mutex_t connections_lock; /* the workers change the queues of connections one by one */
    struct connections *connections;
    struct worker *workers;
    unsigned count; /* how many run */
};

/* Makes a pool with nothing open in it, which pool_close takes. */
void pool_prepare(struct pool *pool, struct connections *connections);

/* Starts the workers. They rest until pool_release. Returns 0, or -1 with error filled; pool_close
 * is needed either way. */
int pool_open(struct pool *pool, const struct context *context, struct error *error);

/* Ends the workers, adds their counters to stats, and closes what pool_open opened. */
void pool_close(struct pool *pool, struct stats *stats);

/* Waits until all that was handed out is done and no worker is in a turn. No turn begins until
 * pool_release. Moves the workers' counters to stats. */
void pool_hold(struct pool *pool, struct stats *stats);
void pool_release(struct pool *pool);

/* Hands out the connections of a batch, which become the pool's. Only with a dispatcher. */
void pool_push(struct pool *pool, struct watch_queue *batch, unsigned count);

/* A worker's turn of a connection: bytes, the next step of a close, the queues, and at last the
 * re-arming, which gives the connection away. */
void worker_serve(struct worker *worker, struct connection *connection);

/* The bytes of a turn alone: a worker ends the turn in one way, and the loop in another. */
void turn(struct connection *connection, struct context *context);

/* What the events of epoll mean; server.c has it. */
unsigned epoll_readiness(uint32_t events);

/* Makes an eventfd(2) readable. The thread that is to look may be asleep in a wait, so a flag in
 * memory would not do. */
void bell_ring(int bell);

#endif
