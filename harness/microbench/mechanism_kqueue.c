/* kqueue(2), level-triggered as in kqueue_srv. It is native on macOS and the BSDs. On Linux this
 * file measures the stand-in, and every output says which one. */
#include "mechanism.h"

#include "../../kqueue_srv/kevent.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

struct kqueue_state {
    int fd;
    uint32_t count;
    kevent_count room;
    int ready;
    struct kevent events[];
};

static void *open_kqueue(uint32_t most, struct error *error)
{
    struct kqueue_state *state =
        calloc(1, sizeof *state + ((size_t)most + 1) * sizeof state->events[0]);

    if (state == NULL) {
        (void)error_set(error, "calloc", "for kqueue", errno);
        return NULL;
    }
    state->room = (kevent_count)most + 1;
    state->fd = kqueue();
    if (state->fd < 0) {
        (void)error_set(error, "kqueue", "", errno);
        free(state);
        return NULL;
    }
    return state;
}

static void close_kqueue(void *opened)
{
    struct kqueue_state *state = opened;

    (void)close(state->fd);
    free(state);
}

static int add(void *opened, int fd, struct error *error)
{
    struct kqueue_state *state = opened;
    struct kevent change;

    /* NOLINTNEXTLINE(performance-no-int-to-ptr): the API's way */
    EV_SET(&change, (uintptr_t)fd, EVFILT_READ, EV_ADD, 0, 0,
           (kevent_udata)(uintptr_t)state->count);
    if (kevent(state->fd, &change, 1, NULL, 0, NULL) < 0)
        return error_set(error, "kevent", "EV_ADD", errno);
    state->count++;
    return 0;
}

static int wait_kqueue(void *opened, int milliseconds)
{
    struct kqueue_state *state = opened;
    const struct timespec timeout = {0, milliseconds * 1000000L};

    state->ready = kevent(state->fd, NULL, 0, state->events, state->room, &timeout);
    return state->ready;
}

static void visit(void *opened, mechanism_visitor visitor, void *context)
{
    const struct kqueue_state *state = opened;

    for (int i = 0; i < state->ready; i++)
        visitor(context, (uint32_t)(uintptr_t)state->events[i].udata);
}

const struct mechanism_kind mechanism_kqueue = {
    .name = "kqueue",
    .implementation = KQUEUE_IMPLEMENTATION,
    .open = open_kqueue,
    .close = close_kqueue,
    .add = add,
    .wait = wait_kqueue,
    .visit = visit,
};
