#include "echo.h"

#include "../../common/clock.h"
#include "readiness.h"
#include "usage.h"
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { ECHO_BYTES = 64 * 1024, ECHO_BACKLOG = 4096 };

struct echo_peer {
    int fd;
    uint8_t *pending; /* what send(2) did not take, or NULL */
    size_t pending_size;
    size_t pending_sent;
    struct echo_peer *next;
};

static int make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int listen_somewhere(struct echo *echo)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    echo->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (echo->listener < 0 || make_nonblocking(echo->listener) < 0 ||
        bind(echo->listener, (struct sockaddr *)&address, size) < 0 ||
        listen(echo->listener, ECHO_BACKLOG) < 0 ||
        getsockname(echo->listener, (struct sockaddr *)&address, &size) < 0)
        return error_set(&echo->error, "listen", "for the built-in echo", errno);
    echo->port = ntohs(address.sin_port);
    return 0;
}

static void accept_all(struct echo *echo)
{
    int on = 1;
    int fd;

    while ((fd = accept(echo->listener, NULL, NULL)) >= 0) {
        struct echo_peer *peer = calloc(1, sizeof *peer);
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (peer == NULL || make_nonblocking(fd) < 0) {
            free(peer);
            (void)close(fd);
            continue;
        }
        *peer = (struct echo_peer){.fd = fd, .next = echo->peers};
        echo->peers = peer;
        (void)readiness_add(echo->readiness, fd, peer);
    }
}

static void forget(struct echo_peer *peer)
{
    if (peer->fd >= 0)
        (void)close(peer->fd);
    peer->fd = -1;
    free(peer->pending);
    peer->pending = NULL;
}

/* Sends the pending bytes. Returns true when none are left. */
static bool send_pending(struct echo_peer *peer)
{
    while (peer->pending != NULL && peer->pending_sent < peer->pending_size) {
        ssize_t count = wire_send(peer->fd, peer->pending + peer->pending_sent,
                                  peer->pending_size - peer->pending_sent);
        if (count < 0)
            return false;
        peer->pending_sent += (size_t)count;
    }
    free(peer->pending);
    peer->pending = NULL;
    return true;
}

/* gcc -fanalyzer does not follow a peer that was reached through an event's pointer, and reports
 * its memory as leaked. send_pending and forget free it. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wanalyzer-malloc-leak"
#endif
static void keep(struct echo_peer *peer, const uint8_t *bytes, size_t size)
{
    peer->pending = malloc(size);
    if (peer->pending == NULL) {
        forget(peer);
        return;
    }
    memcpy(peer->pending, bytes, size);
    peer->pending_size = size;
    peer->pending_sent = 0;
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

static void give_back(struct echo *echo, struct echo_peer *peer)
{
    while (peer->fd >= 0 && send_pending(peer)) {
        ssize_t count = wire_receive(peer->fd, echo->bytes, ECHO_BYTES);
        if (count < 0 && errno == EAGAIN)
            return;
        if (count <= 0) {
            forget(peer);
            return;
        }
        ssize_t sent = wire_send(peer->fd, echo->bytes, (size_t)count);
        if (sent < count)
            keep(peer, echo->bytes + (sent > 0 ? sent : 0),
                 (size_t)(count - (sent > 0 ? sent : 0)));
        else if (count < ECHO_BYTES)
            return; /* the socket is empty; new data makes a new edge */
    }
}

/* Within a stall: sleeps to its end, and records how late it woke up. */
static void stall(struct echo *echo)
{
    struct timespec left;

    if (echo->stall_period_ns == 0)
        return;
    uint64_t now_ns = clock_now();
    uint64_t into_ns = (now_ns - echo->started_ns) % echo->stall_period_ns;
    if (into_ns >= echo->stall_length_ns)
        return;
    uint64_t end_ns = now_ns + echo->stall_length_ns - into_ns;
    while ((now_ns = clock_now()) < end_ns)
        (void)nanosleep(clock_left(end_ns, now_ns, &left), NULL);
    if (now_ns - end_ns > echo->late_ns)
        echo->late_ns = now_ns - end_ns;
}

/* A peer that has gone is freed only here: then no event of the batch can point to it any more. */
static void sweep(struct echo *echo)
{
    struct echo_peer **link = &echo->peers;

    while (*link != NULL) {
        struct echo_peer *peer = *link;
        if (peer->fd >= 0) {
            link = &peer->next;
            continue;
        }
        *link = peer->next;
        free(peer);
    }
}

static void serve(struct echo *echo)
{
    struct ready_event events[READINESS_BATCH];
    const uint64_t nap_ns = UINT64_C(20000000);

    while (!atomic_load(&echo->stop)) {
        int count = readiness_wait(echo->readiness, clock_now() + nap_ns, events);
        bool gone = false;
        if (count > 0)
            stall(echo);
        for (int i = 0; i < count; i++) {
            if (events[i].owner == echo) {
                accept_all(echo);
                continue;
            }
            give_back(echo, events[i].owner);
            gone |= ((struct echo_peer *)events[i].owner)->fd < 0;
        }
        if (gone)
            sweep(echo);
    }
}

/* Keeps this thread off the client's CPUs, if the machine has others. */
static void avoid_pins(const struct load *load)
{
#ifdef __linux__
    cpu_set_t set;

    if (load->pins == 0 || sched_getaffinity(0, sizeof set, &set) < 0)
        return;
    for (uint32_t i = 0; i < load->pins; i++)
        CPU_CLR((size_t)load->pin[i], &set);
    if (CPU_COUNT(&set) > 0)
        (void)sched_setaffinity(0, sizeof set, &set);
#else
    (void)load;
#endif
}

static void settle(struct echo *echo)
{
    (void)pthread_mutex_lock(&echo->lock);
    echo->settled = true;
    (void)pthread_cond_signal(&echo->changed);
    (void)pthread_mutex_unlock(&echo->lock);
}

static void *echo_main(void *argument)
{
    struct echo *echo = argument;

    usage_part_descriptors();
    avoid_pins(echo->load);
    usage_exact_timers();
    if (echo->load->urgent)
        usage_set_urgent(true);
    echo->bytes = malloc(ECHO_BYTES);
    echo->readiness = readiness_open(&echo->error);
    echo->status = echo->bytes == NULL || echo->readiness == NULL ? -1 : listen_somewhere(echo);
    if (echo->status == 0 && readiness_add(echo->readiness, echo->listener, echo) < 0)
        echo->status = error_set(&echo->error, "watching the listener", "", errno);
    echo->started_ns = clock_now();
    settle(echo);
    if (echo->status == 0)
        serve(echo);
    for (struct echo_peer *peer = echo->peers; peer != NULL; peer = peer->next)
        forget(peer);
    sweep(echo);
    if (echo->listener >= 0)
        (void)close(echo->listener);
    if (echo->readiness != NULL)
        readiness_close(echo->readiness);
    free(echo->bytes);
    return NULL;
}

int echo_start(struct echo *echo, const struct load *load, uint64_t stall_period_ns,
               uint64_t stall_length_ns, struct error *error)
{
    *echo = (struct echo){
        .load = load,
        .stall_period_ns = stall_period_ns,
        .stall_length_ns = stall_length_ns,
        .listener = -1,
    };
    (void)pthread_mutex_init(&echo->lock, NULL);
    (void)pthread_cond_init(&echo->changed, NULL);
    int number = pthread_create(&echo->thread, NULL, echo_main, echo);
    if (number != 0)
        return error_set(error, "pthread_create", "", number);
    (void)pthread_mutex_lock(&echo->lock);
    while (!echo->settled)
        (void)pthread_cond_wait(&echo->changed, &echo->lock);
    (void)pthread_mutex_unlock(&echo->lock);
    if (echo->status == 0)
        return 0;
    *error = echo->error;
    echo_stop(echo);
    return -1;
}

void echo_stop(struct echo *echo)
{
    atomic_store(&echo->stop, true);
    (void)pthread_join(echo->thread, NULL);
    (void)pthread_mutex_destroy(&echo->lock);
    (void)pthread_cond_destroy(&echo->changed);
}
