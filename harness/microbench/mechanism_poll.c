/* poll(2): with each call the kernel reads and writes the caller's array, and the caller searches
 * it afterwards. */
#include "mechanism.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

struct poll_state {
    struct pollfd *fds;
    nfds_t count;
    int ready;
};

static void *open_poll(uint32_t most, struct error *error)
{
    struct poll_state *state = calloc(1, sizeof *state);
    struct pollfd *fds = calloc((size_t)most + 1, sizeof *fds);

    if (state == NULL || fds == NULL) {
        (void)error_set(error, "calloc", "for poll", errno);
        free(state);
        free(fds);
        return NULL;
    }
    state->fds = fds;
    return state;
}

static void close_poll(void *opened)
{
    struct poll_state *state = opened;

    free(state->fds);
    free(state);
}

static int add(void *opened, int fd, struct error *error)
{
    struct poll_state *state = opened;

    (void)error;
    state->fds[state->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    return 0;
}

static int wait_poll(void *opened, int milliseconds)
{
    struct poll_state *state = opened;

    state->ready = poll(state->fds, state->count, milliseconds);
    return state->ready;
}

static void visit(void *opened, mechanism_visitor visitor, void *context)
{
    const struct poll_state *state = opened;
    int left = state->ready;

    for (nfds_t i = 0; i < state->count && left > 0; i++)
        if (state->fds[i].revents != 0) {
            left--;
            visitor(context, (uint32_t)i);
        }
}

const struct mechanism_kind mechanism_poll = {
    .name = "poll",
    .implementation = "native",
    .open = open_poll,
    .close = close_poll,
    .add = add,
    .wait = wait_poll,
    .visit = visit,
};
