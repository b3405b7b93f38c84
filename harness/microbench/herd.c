#include "herd.h"

#include "../../common/clock.h"
#include "descriptors.h"
#include "loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const herd_names[] = {"shared", "edge", "exclusive", "one_epoll", "reuseport", NULL};

enum { PATIENCE_SECONDS = 60, STATUS_BYTES = 4096 };

/* In memory that worker and parent share. */
struct tally {
    atomic_uint accepted;
    atomic_uint would_block;
    atomic_uint waits;
    atomic_uint listens; /* the worker has registered its listener */
    atomic_int failed;   /* errno of the call that ended the worker */
};

struct herd {
    const struct herd_plan *plan;
    uint32_t count; /* of workers */
    struct sockaddr_in address;
    int epoll; /* of HERD_ONE_EPOLL, else -1 */
    struct tally *tallies;
    struct {
        pid_t process;
        int listener;
        int status; /* /proc/PID/status */
    } workers[HERD_WORKERS_MOST];
};

/* -- a worker --------------------------------------------------------------------------------- */

static int watch(int epoll, int listener, enum herd_way way)
{
    struct epoll_event event = {.events = EPOLLIN};

    if (way == HERD_EDGE)
        event.events |= EPOLLET;
    if (way == HERD_EXCLUSIVE)
        event.events |= EPOLLEXCLUSIVE;
    return epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
}

/* Accepts one connection. After an edge it accepts all, because no further edge announces those
 * that wait. The count comes before close(2), by which the client learns of it. Returns 0, or -1
 * with errno set. */
static int accept_ready(const struct herd_plan *plan, int listener, struct tally *tally)
{
    char byte;

    do {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0 && errno == EAGAIN) {
            atomic_fetch_add(&tally->would_block, 1);
            return 0;
        }
        if (fd < 0)
            return -1;
        atomic_fetch_add(&tally->accepted, 1);
        if (plan->busy > 0)
            (void)recv(fd, &byte, 1, 0); /* returns when the client ends the connection */
        (void)close(fd);
    } while (plan->way == HERD_EDGE);
    return 0;
}

static void serve(const struct herd *herd, int listener, struct tally *tally)
{
    int epoll = herd->epoll >= 0 ? herd->epoll : epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    int status = epoll;

    if (epoll >= 0 && epoll != herd->epoll)
        status = watch(epoll, listener, herd->plan->way);
    atomic_store(&tally->listens, 1);
    while (status >= 0) {
        status = epoll_wait(epoll, &event, 1, -1);
        if (status < 0)
            break;
        atomic_fetch_add(&tally->waits, 1);
        status = accept_ready(herd->plan, listener, tally);
    }
    atomic_store(&tally->failed, errno);
}

/* The parent may have ended before prctl(2) asked for a signal of that. */
static _Noreturn void live(const struct herd *herd, uint32_t number, pid_t parent)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent)
        serve(herd, herd->workers[number].listener, &herd->tallies[number]);
    _exit(1);
}

/* -- their parent ----------------------------------------------------------------------------- */

/* The count of voluntary context switches if the process sleeps, -1 if it does not (proc(5)). */
static int64_t switches_if_asleep(int status)
{
    static const char state[] = "\nState:\t", switches[] = "\nvoluntary_ctxt_switches:\t";
    char text[STATUS_BYTES];
    ssize_t size = pread(status, text, sizeof text - 1, 0);

    if (size <= 0)
        return -1;
    text[size] = '\0';
    const char *found = strstr(text, state);
    if (found == NULL || found[sizeof state - 1] != 'S')
        return -1;
    found = strstr(text, switches);
    return found == NULL ? -1 : (int64_t)strtoull(found + sizeof switches - 1, NULL, 10);
}

/* Waits until all of the first `count` workers sleep in epoll_wait. Returns the sum of their
 * switches, -1 with error filled. It yields and does not sleep: on one CPU the workers then run. */
static int64_t settle(const struct herd *herd, uint32_t count, struct herd_worker *found,
                      struct error *error)
{
    uint64_t deadline_ns = clock_after(clock_now(), PATIENCE_SECONDS * NANOSECONDS_A_SECOND);
    int64_t sum = 0;

    for (uint32_t i = 0; i < count; i++) {
        struct tally *tally = &herd->tallies[i];
        int64_t switches = -1;
        while (!atomic_load(&tally->listens) ||
               (switches = switches_if_asleep(herd->workers[i].status)) < 0) {
            int failed = atomic_load(&tally->failed);
            if (failed != 0)
                return error_set(error, "epoll", "of a worker", failed);
            if (clock_now() > deadline_ns)
                return error_set(error, "epoll_wait", "of a worker", ETIMEDOUT);
            (void)sched_yield();
        }
        if (found != NULL)
            found[i].switches = (uint64_t)switches;
        sum += switches;
    }
    return sum;
}

static int open_listener(struct herd *herd, int *listener, struct error *error)
{
    *listener = loopback_listen(&herd->address, herd->plan->way == HERD_REUSEPORT, error);
    return *listener < 0 ? -1 : descriptors_unblock(*listener, "of a listener", error);
}

static int open_listeners(struct herd *herd, struct error *error)
{
    for (uint32_t i = 0; i < herd->count; i++) {
        if (i > 0 && herd->plan->way != HERD_REUSEPORT)
            herd->workers[i].listener = herd->workers[0].listener;
        else if (open_listener(herd, &herd->workers[i].listener, error) < 0)
            return -1;
    }
    if (herd->plan->way != HERD_ONE_EPOLL)
        return 0;
    herd->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (herd->epoll < 0 || watch(herd->epoll, herd->workers[0].listener, herd->plan->way) < 0)
        return error_set(error, "epoll", "of all workers", errno);
    return 0;
}

static int start_worker(struct herd *herd, uint32_t number, struct error *error)
{
    char path[64];
    pid_t parent = getpid();
    pid_t process = fork();

    if (process == 0)
        live(herd, number, parent);
    if (process < 0)
        return error_set(error, "fork", "of a worker", errno);
    herd->workers[number].process = process;
    (void)snprintf(path, sizeof path, "/proc/%ld/status", (long)process);
    herd->workers[number].status = open(path, O_RDONLY | O_CLOEXEC);
    if (herd->workers[number].status < 0)
        return error_set(error, "open", path, errno);
    return settle(herd, number + 1, NULL, error) < 0 ? -1 : 0;
}

static void stop(struct herd *herd)
{
    for (uint32_t i = 0; i < herd->count; i++) {
        if (herd->workers[i].process > 0) {
            (void)kill(herd->workers[i].process, SIGKILL);
            while (waitpid(herd->workers[i].process, NULL, 0) < 0 && errno == EINTR)
                continue;
        }
        loopback_close(&herd->workers[i].status);
        if (i == 0 || herd->plan->way == HERD_REUSEPORT)
            loopback_close(&herd->workers[i].listener);
    }
    loopback_close(&herd->epoll);
    if (herd->tallies != MAP_FAILED)
        (void)munmap(herd->tallies, herd->count * sizeof *herd->tallies);
}

/* A connection that a worker accepts and closes; the client sees the end of the stream. */
static int connect_once(const struct herd *herd, struct error *error)
{
    const struct timeval patience = {.tv_sec = PATIENCE_SECONDS};
    int fd = loopback_connect(&herd->address, error);
    char byte;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ssize_t got = recv(fd, &byte, 1, 0);
    int status = got == 0 ? 0 : error_set(error, "recv", "of the end of a connection", errno);
    loopback_close(&fd);
    return status;
}

static uint64_t accepted(const struct herd *herd)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < herd->count; i++)
        sum += atomic_load(&herd->tallies[i].accepted);
    return sum;
}

/* Replaces the oldest connection by a new one. The one that a worker was free for is accepted by
 * now; the one that was queued to a busy worker is not. */
static int replace(const struct herd *herd, int *held, uint64_t *waited, struct error *error)
{
    loopback_close(held);
    if (settle(herd, herd->count, NULL, error) < 0)
        return -1;
    uint64_t before = accepted(herd);
    *held = loopback_connect(&herd->address, error);
    if (*held < 0 || settle(herd, herd->count, NULL, error) < 0)
        return -1;
    *waited += accepted(herd) == before;
    return 0;
}

static int connect_all(const struct herd *herd, uint64_t *waited, struct error *error)
{
    int held[HERD_WORKERS_MOST];
    int status = 0;

    for (uint32_t i = 0; i < herd->plan->busy; i++)
        held[i] = -1;
    for (uint32_t i = 0; status == 0 && i < herd->plan->connections; i++) {
        if (herd->plan->busy == 0)
            status = connect_once(herd, error);
        else
            status = replace(herd, &held[i % herd->plan->busy], waited, error);
        if (status == 0 && settle(herd, herd->count, NULL, error) < 0)
            status = -1;
    }
    for (uint32_t i = 0; i < herd->plan->busy; i++)
        loopback_close(&held[i]);
    return status;
}

static int measure(const struct herd *herd, struct herd_counts *counts, struct error *error)
{
    struct herd_worker before[HERD_WORKERS_MOST] = {{0}};

    if (settle(herd, herd->count, before, error) < 0 ||
        connect_all(herd, &counts->waited, error) < 0 ||
        settle(herd, herd->count, counts->workers, error) < 0)
        return -1;
    for (uint32_t i = 0; i < herd->count; i++) {
        struct herd_worker *worker = &counts->workers[i];
        worker->switches -= before[i].switches;
        worker->accepted = atomic_load(&herd->tallies[i].accepted);
        worker->would_block = atomic_load(&herd->tallies[i].would_block);
        worker->waits = atomic_load(&herd->tallies[i].waits);
    }
    return 0;
}

int herd_run(const struct herd_plan *plan, struct herd_counts *counts, struct error *error)
{
    struct herd herd = {.plan = plan, .count = plan->workers, .epoll = -1};

    *counts = (struct herd_counts){0};
    loopback_any(&herd.address);
    for (uint32_t i = 0; i < herd.count; i++)
        herd.workers[i].listener = herd.workers[i].status = -1;
    herd.tallies = mmap(NULL, herd.count * sizeof *herd.tallies, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = herd.tallies == MAP_FAILED
                     ? error_set(error, "mmap", "for the workers' counts", errno)
                     : open_listeners(&herd, error);
    for (uint32_t i = 0; status == 0 && i < herd.count; i++)
        status = start_worker(&herd, i, error);
    if (status == 0)
        status = measure(&herd, counts, error);
    stop(&herd);
    return status;
}
