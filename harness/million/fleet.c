#include "fleet.h"

#include "../microbench/descriptors.h"
#include "stop.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* Fills error with how a process of the fleet has ended. */
static int lost(struct fleet *fleet, uint32_t place, int status, struct error *error)
{
    pid_t process = fleet->holders[place].process;
    bool killed = WIFSIGNALED(status);

    fleet->holders[place].process = -1;
    (void)snprintf(
        error->text, sizeof error->text,
        "process %d, number %" PRIu32 " of %" PRIu32 ", %s %d%s: its entries are lost",
        (int)process, place + 1, fleet->size, killed ? "was ended by signal" : "ended with status",
        killed ? WTERMSIG(status) : WEXITSTATUS(status),
        killed && WTERMSIG(status) == SIGKILL ? " (by the kernel if memory ran out)" : "");
    return -1;
}

static int await_end(struct fleet *fleet, uint32_t place, struct error *error)
{
    int status = 0;

    while (waitpid(fleet->holders[place].process, &status, 0) < 0)
        if (errno != EINTR)
            return error_set(error, "waitpid", "", errno);
    return lost(fleet, place, status, error);
}

static int order(struct fleet *fleet, uint32_t place, enum holder_work work, uint32_t entry,
                 struct holder_answer *answer, struct error *error)
{
    struct holder_order asked = {work, entry};
    int orders = fleet->holders[place].orders;

    if (send(orders, &asked, sizeof asked, 0) != (ssize_t)sizeof asked)
        return await_end(fleet, place, error);
    if (stop_await(orders, error) < 0)
        return -1;
    if (recv(orders, answer, sizeof *answer, 0) != (ssize_t)sizeof *answer)
        return await_end(fleet, place, error);
    if (answer->result < 0)
        *error = answer->error;
    return answer->result;
}

/* A process sees its parent end by the end of its orders. So no process may keep the parent's ends
 * of the sockets, its own or another's, which it has inherited. */
static void become_holder(const struct fleet *fleet, const struct holder_plan *plan, int orders)
{
    for (uint32_t i = 0; i <= plan->place; i++)
        (void)close(fleet->holders[i].orders);
    holder_live(plan, orders);
}

static int start(struct fleet *fleet, const struct holder_plan *plan, struct error *error)
{
    struct fleet_holder *holder = &fleet->holders[plan->place];
    char object[64];
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) < 0)
        return error_set(error, "socketpair", "to a process", errno);
    holder->orders = ends[0];
    holder->process = fork();
    if (holder->process == 0)
        become_holder(fleet, plan, ends[1]);
    int number = errno;
    (void)close(ends[1]);
    if (holder->process > 0)
        return 0;
    (void)snprintf(object, sizeof object, "process %" PRIu32 " of %" PRIu32 "%s", plan->place + 1,
                   fleet->size, number == EAGAIN ? " (ulimit -u, or pids.max)" : "");
    return error_set(error, "fork", object, number);
}

static int populate(struct fleet *fleet, enum entry_kind kind, uint64_t count, struct error *error)
{
    struct holder_plan plan = {.kind = kind, .epoll = fleet->epoll};
    struct holder_answer answer = {.result = 0};

    for (plan.place = 0; plan.place < fleet->size; plan.place++) {
        uint64_t left = count - (uint64_t)plan.place * fleet->each;
        plan.count = left < fleet->each ? (uint32_t)left : fleet->each;
        if (start(fleet, &plan, error) < 0 ||
            order(fleet, plan.place, HOLDER_MAKE, 0, &answer, error) < 0)
            return -1;
    }
    return 0;
}

int fleet_open(struct fleet *fleet, enum entry_kind kind, uint64_t count, uint32_t each,
               struct error *error)
{
    *fleet = (struct fleet){.epoll = -1, .each = each};
    uint32_t size = (uint32_t)((count + each - 1) / each);
    fleet->holders = malloc((size_t)size * sizeof *fleet->holders);
    if (fleet->holders == NULL)
        return error_set(error, "malloc", "for the processes", errno);
    for (uint32_t i = 0; i < size; i++)
        fleet->holders[i] = (struct fleet_holder){.process = -1, .orders = -1};
    fleet->size = size;
    if (descriptors_reserve(size, "the processes that hold the entries", error) < 0)
        return -1;
    fleet->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (fleet->epoll < 0)
        return error_set(error, "epoll_create1", "", errno);
    return populate(fleet, kind, count, error);
}

int fleet_watch(struct fleet *fleet, uint64_t *span_ns, struct error *error)
{
    struct holder_answer answer = {.result = 0};

    *span_ns = 0;
    for (uint32_t i = 0; i < fleet->size; i++) {
        if (order(fleet, i, HOLDER_WATCH, 0, &answer, error) < 0)
            return -1;
        *span_ns += answer.span_ns;
    }
    return 0;
}

int fleet_check(struct fleet *fleet, struct error *error)
{
    int status = 0;

    for (uint32_t i = 0; i < fleet->size; i++)
        if (waitpid(fleet->holders[i].process, &status, WNOHANG) != 0)
            return lost(fleet, i, status, error);
    return 0;
}

void fleet_close(struct fleet *fleet)
{
    for (uint32_t i = 0; i < fleet->size; i++)
        if (fleet->holders[i].process > 0)
            (void)kill(fleet->holders[i].process, SIGKILL); /* it has nothing to clean up */
    for (uint32_t i = 0; i < fleet->size; i++) {
        if (fleet->holders[i].process > 0)
            while (waitpid(fleet->holders[i].process, NULL, 0) < 0 && errno == EINTR)
                continue;
        if (fleet->holders[i].orders >= 0)
            (void)close(fleet->holders[i].orders);
    }
    free(fleet->holders);
    if (fleet->epoll >= 0)
        (void)close(fleet->epoll);
}

static int wait_once(void *state)
{
    struct fleet *fleet = state;

    return epoll_wait(fleet->epoll, fleet->events, 2, 0);
}

static uint64_t found(void *state)
{
    const struct fleet *fleet = state;
    uint64_t data = fleet->events[0].data.u64;

    return (data >> 32) * fleet->each + (uint32_t)data;
}

static int ask(struct fleet *fleet, uint64_t number, enum holder_work work, struct error *error)
{
    struct holder_answer answer = {.result = 0};

    return order(fleet, (uint32_t)(number / fleet->each), work, (uint32_t)(number % fleet->each),
                 &answer, error);
}

static int fill(void *state, uint64_t number, struct error *error)
{
    return ask(state, number, HOLDER_FILL, error);
}

static int drain(void *state, uint64_t number, struct error *error)
{
    return ask(state, number, HOLDER_DRAIN, error);
}

struct crowd fleet_crowd(struct fleet *fleet, uint64_t count)
{
    return (struct crowd){fleet, count, wait_once, found, fill, drain};
}
