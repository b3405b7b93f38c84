/* epoll(7), level-triggered and edge-triggered: the kernel keeps the set, and returns only what is
 * ready. */
#include "mechanism.h"

#include <errno.h>
#include <stddef.h>

#if defined(__linux__)

#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

struct epoll_state {
    int fd;
    uint32_t interest;
    int *fds;
    uint32_t count;
    uint32_t most;
    int ready;
    struct epoll_event events[];
};

static void close_epoll(void *opened)
{
    struct epoll_state *state = opened;

    if (state->fd >= 0)
        (void)close(state->fd);
    free(state->fds);
    free(state);
}

static struct epoll_state *open_epoll(uint32_t most, uint32_t interest, struct error *error)
{
    struct epoll_state *state =
        calloc(1, sizeof *state + ((size_t)most + 1) * sizeof state->events[0]);
    int *fds = calloc((size_t)most + 1, sizeof *fds);

    if (state == NULL || fds == NULL) {
        (void)error_set(error, "calloc", "for epoll", errno);
        free(state);
        free(fds);
        return NULL;
    }
    *state = (struct epoll_state){.interest = interest, .fds = fds, .most = most + 1};
    state->fd = epoll_create1(EPOLL_CLOEXEC);
    if (state->fd < 0) {
        (void)error_set(error, "epoll_create1", "", errno);
        close_epoll(state);
        return NULL;
    }
    return state;
}

static void *open_level(uint32_t most, struct error *error)
{
    return open_epoll(most, EPOLLIN, error);
}

static void *open_edge(uint32_t most, struct error *error)
{
    return open_epoll(most, EPOLLIN | EPOLLET, error);
}

static int add(void *opened, int fd, struct error *error)
{
    struct epoll_state *state = opened;
    struct epoll_event event = {.events = state->interest, .data.u32 = state->count};

    if (epoll_ctl(state->fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return error_set(error, "epoll_ctl", "EPOLL_CTL_ADD", errno);
    state->fds[state->count++] = fd;
    return 0;
}

static int wait_epoll(void *opened, int milliseconds)
{
    struct epoll_state *state = opened;

    state->ready = epoll_wait(state->fd, state->events, (int)state->most, milliseconds);
    return state->ready;
}

static void visit(void *opened, mechanism_visitor visitor, void *context)
{
    const struct epoll_state *state = opened;

    for (int i = 0; i < state->ready; i++)
        visitor(context, state->events[i].data.u32);
}

/* EPOLL_CTL_MOD makes the kernel look at the descriptor again: what is readable now counts as an
 * edge. */
static int again(void *opened, uint32_t number)
{
    const struct epoll_state *state = opened;
    struct epoll_event event = {.events = state->interest, .data.u32 = number};

    return epoll_ctl(state->fd, EPOLL_CTL_MOD, state->fds[number], &event);
}

const struct mechanism_kind mechanism_epoll_level = {
    .name = "epoll_lt",
    .implementation = "native",
    .open = open_level,
    .close = close_epoll,
    .add = add,
    .wait = wait_epoll,
    .visit = visit,
};

const struct mechanism_kind mechanism_epoll_edge = {
    .name = "epoll_et",
    .implementation = "native",
    .open = open_edge,
    .close = close_epoll,
    .add = add,
    .wait = wait_epoll,
    .visit = visit,
    .again = again,
};

#else

static void *absent(uint32_t most, struct error *error)
{
    (void)most;
    (void)error_set(error, "epoll", "needs Linux", ENOSYS);
    return NULL;
}

const struct mechanism_kind mechanism_epoll_level = {
    .name = "epoll_lt",
    .implementation = "absent",
    .open = absent,
};

const struct mechanism_kind mechanism_epoll_edge = {
    .name = "epoll_et",
    .implementation = "absent",
    .open = absent,
};

#endif
