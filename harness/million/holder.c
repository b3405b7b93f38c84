#include "holder.h"

#include "../../common/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static int register_one(const struct holder_plan *plan, int fd, uint32_t entry, struct error *error)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = holder_data(plan->place, entry)};
    char object[80];

    if (epoll_ctl(plan->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return 0;
    (void)snprintf(object, sizeof object, "entry %" PRIu32 " of process %" PRIu32 "%s", entry,
                   plan->place, errno == ENOSPC ? " (fs.epoll.max_user_watches)" : "");
    return error_set(error, "epoll_ctl", object, errno);
}

static int watch(const struct holder_plan *plan, const struct entries *entries, uint64_t *span_ns,
                 struct error *error)
{
    uint64_t begun_ns = clock_now();

    for (uint32_t i = 0; i < entries->count; i++)
        if (register_one(plan, entries->watched[i], i, error) < 0)
            return -1;
    *span_ns = clock_now() - begun_ns;
    return 0;
}

static int obey(const struct holder_plan *plan, struct entries *entries,
                const struct holder_order *order, struct holder_answer *answer)
{
    switch (order->work) {
    case HOLDER_MAKE:
        return entries_open(entries, plan->kind, plan->count, plan->place, &answer->error);
    case HOLDER_WATCH:
        return watch(plan, entries, &answer->span_ns, &answer->error);
    case HOLDER_FILL:
        return entries_fill(entries, order->entry, &answer->error);
    case HOLDER_DRAIN:
        break;
    }
    return entries_drain(entries, order->entry, &answer->error);
}

_Noreturn void holder_live(const struct holder_plan *plan, int orders)
{
    struct entries entries = {.count = 0};
    struct holder_order order;

    while (recv(orders, &order, sizeof order, 0) == (ssize_t)sizeof order) {
        struct holder_answer answer = {.result = 0};
        answer.result = obey(plan, &entries, &order, &answer);
        if (send(orders, &answer, sizeof answer, MSG_NOSIGNAL) != (ssize_t)sizeof answer)
            break;
    }
    _exit(0); /* closes the entries; drops the parent's buffers */
}
