#include "stages.h"

#include "exchange.h"
#include "site.h"

#include "../../common/clock.h"

#include <stdbool.h>

void stages_init(struct stages *stages)
{
    for (int i = 0; i < STAGE_COUNT; i++)
        TAILQ_INIT(&stages->queues[i]);
}

static uint64_t timeout_of(enum stage stage)
{
    switch (stage) {
    case STAGE_WAITING:
        return site.keep_alive_timeout_ns;
    case STAGE_HEADER:
        return site.header_timeout_ns;
    case STAGE_BODY:
        return site.body_timeout_ns;
    default:
        return NEVER;
    }
}

void stages_leave(struct stages *stages, struct connection *connection)
{
    struct staying *staying = &exchange_of(connection)->staying;

    if (staying->stage != STAGE_NONE)
        TAILQ_REMOVE(&stages->queues[staying->stage], staying, next);
    staying->stage = STAGE_NONE;
}

/* The time of a head does not begin again with every byte: a peer that sends one byte every nine
 * seconds would stay for a day, and ten thousand of them cost it nothing (Slowloris). That of a
 * body does, because how long a body takes is a matter of the peer's line. Only content counts.
 * Earlier replies that are still leaving say nothing about the body, and what frames its chunks
 * could go on for ever. */
void stages_update(struct stages *stages, struct connection *connection)
{
    struct exchange *exchange = exchange_of(connection);
    struct staying *staying = &exchange->staying;
    enum stage stage = exchange_stage(connection);
    bool again = exchange->completed || exchange->body_came;

    exchange->completed = exchange->body_came = false;
    if (stage == staying->stage && !again)
        return;
    stages_leave(stages, connection);
    if (timeout_of(stage) == NEVER)
        return;
    staying->connection = connection;
    staying->stage = (uint8_t)stage;
    staying->since_ns = clock_now(); /* not now_ns: see connections_touch() */
    TAILQ_INSERT_TAIL(&stages->queues[stage], staying, next);
}

static uint64_t deadline_of(const struct stages *stages, enum stage stage)
{
    const struct staying *first = TAILQ_FIRST(&stages->queues[stage]);

    return first == NULL ? NEVER : clock_after(first->since_ns, timeout_of(stage));
}

uint64_t stages_deadline(const struct stages *stages)
{
    uint64_t deadline = NEVER;

    for (int i = STAGE_WAITING; i < STAGE_COUNT; i++)
        if (deadline_of(stages, (enum stage)i) < deadline)
            deadline = deadline_of(stages, (enum stage)i);
    return deadline;
}

struct connection *stages_overdue(const struct stages *stages, uint64_t now_ns)
{
    for (int i = STAGE_WAITING; i < STAGE_COUNT; i++)
        if (deadline_of(stages, (enum stage)i) <= now_ns)
            return TAILQ_FIRST(&stages->queues[i])->connection;
    return NULL;
}
