/* SIGUSR2 with several loops: a restart without a lost connection, as common/loop.c makes it with
 * one. The main thread starts the new program and listens to it. What differs is that the loops go
 * on meanwhile.
 *
 * Between fork(2) and execve(2) the child has a twin of each descriptor. A loop that closes a
 * connection then closes one of two: its epoll set keeps the open file, reports it, and the memory
 * behind it is free. So the loops get an order first. Until it is taken back, each takes out of
 * its set whatever it closes: a system call more, and for some milliseconds only. The copy is made
 * when all loops obey.
 *
 * The second order comes when the new program listens: leave. The line that says so is printed when
 * all loops have left. Whoever connects after it reaches the new program. */
#include "../../common/clock.h"
#include "team.h"

#include <stddef.h>

static void give_order(struct team *team)
{
    (void)atomic_fetch_add(&team->orders, 1);
    team_ring_loops(team);
}

static bool all_obey(struct team *team)
{
    unsigned orders = atomic_load(&team->orders);

    for (uint32_t i = 0; i < team->count; i++)
        if (!atomic_load(&team->members[i].ended) &&
            atomic_load(&team->members[i].obeyed) != orders)
            return false;
    return true;
}

/* NULL: nothing does. A restart hands one listener on, and --listen reuseport has several: those
 * who wait in the queues of the others would be lost. */
static const char *forbids(const struct team *team)
{
    if (chosen.listen == LISTEN_REUSEPORT && team->count > 1)
        return "--listen reuseport has a listener for each loop";
    if (atomic_load(&team->leaving) || atomic_load(&team->stops) != 0)
        return "this server is ending";
    if (atomic_load(&team->copying) || restart_under_way(&team->service.restart))
        return "one is under way";
    return NULL;
}

void handover_begin(struct team *team, uint64_t now_ns)
{
    const char *reason = forbids(team);

    if (reason != NULL) {
        service_no_restart(&team->service, reason, now_ns);
        return;
    }
    atomic_store(&team->copying, true);
    give_order(team);
}

/* With --listen handed the main thread has the listener. Else each loop has a number for it, and
 * only the main thread's orders make a loop close its own. */
static int listener_of(const struct team *team)
{
    return chosen.listen == LISTEN_HANDED ? team->service.listener.watch.fd
                                          : team->members[0].loop.service.listener.watch.fd;
}

/* When this returns, the child has become another program, or has ended: no twins are left. */
static void start(struct team *team, uint64_t now_ns)
{
    struct service *service = &team->service;
    struct restart *restart = &service->restart;
    struct error error;
    int result = restart_open(restart, &error);

    if (result == 0 &&
        (result = restart_start(restart, service->argv, listener_of(team), &error)) < 0)
        restart_close(restart);
    atomic_store(&team->copying, false);
    if (result < 0)
        service_no_restart(service, error.text, now_ns);
    else
        restart->deadline_ns = clock_after(clock_now(), service->options.restart_timeout_ns);
}

static void hear(struct team *team, uint64_t now_ns)
{
    struct service *service = &team->service;
    struct error error;
    enum restart_result result = restart_hear(&service->restart, now_ns, &error);

    if (result == RESTART_WAITS)
        return;
    pid_t pid = service->restart.pid;
    restart_close(&service->restart);
    if (result == RESTART_FAILED) {
        service_no_restart(service, error.text, now_ns);
        return;
    }
    team->successor = pid;
    listener_close(&service->listener);
    atomic_store(&team->leaving, true);
    give_order(team);
}

void handover_continue(struct team *team, uint64_t now_ns)
{
    if (restart_under_way(&team->service.restart))
        hear(team, now_ns);
    if (!all_obey(team))
        return;
    if (atomic_load(&team->copying))
        start(team, now_ns);
    if (team->successor != 0)
        service_hand_over(&team->service, team->successor, now_ns);
    team->successor = 0;
}

/* A stop stops a new program that does not listen yet, too. */
void handover_abandon(struct team *team)
{
    atomic_store(&team->copying, false);
    if (!restart_under_way(&team->service.restart))
        return;
    restart_abandon(&team->service.restart);
    restart_close(&team->service.restart);
}
