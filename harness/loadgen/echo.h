/* An echo server built into the client, to measure the client with. It sends bytes back as they
 * arrive. That is less work than any server has that looks for frames in them. It can stall on a
 * known schedule.
 *
 * It runs on a thread with a descriptor table of its own, away from the CPUs that the client is
 * pinned to. */
#ifndef LOADGEN_ECHO_H
#define LOADGEN_ECHO_H

#include "../../common/error.h"
#include "load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct echo_peer;
struct readiness;

struct echo {
    pthread_t thread;
    const struct load *load;  /* for its pins */
    uint64_t stall_period_ns; /* time between the starts of two stalls; 0: no stalls */
    uint64_t stall_length_ns; /* how long it answers nothing */
    uint64_t started_ns;
    uint64_t late_ns; /* how late the latest stall ended; read after echo_stop */
    uint16_t port;    /* on 127.0.0.1 */
    int listener;
    struct readiness *readiness;
    struct echo_peer *peers; /* all that are connected */
    uint8_t *bytes;
    pthread_mutex_t lock; /* guards `settled` */
    pthread_cond_t changed;
    bool settled; /* it listens, or has failed */
    int status;
    struct error error;
    atomic_bool stop;
};

/* Starts the echo. Afterwards the port is known. load must outlive it. Returns 0, or -1 with error
 * filled. */
int echo_start(struct echo *echo, const struct load *load, uint64_t stall_period_ns,
               uint64_t stall_length_ns, struct error *error);

/* Closes every connection and ends the thread. */
void echo_stop(struct echo *echo);

#endif
