/* A timeout for each stage of a request. Each is one constant for all connections, so a queue in
 * order of arrival is in order of expiry, as in common/connections.h. */
#ifndef HTTP_STAGES_H
#define HTTP_STAGES_H

#include "../../common/connection.h"

#include <stdint.h>
#include <sys/queue.h>

enum stage {
    STAGE_NONE,    /* no timeout of this kind runs */
    STAGE_WAITING, /* for the first byte of a request: keep-alive-timeout */
    STAGE_HEADER,  /* header-timeout, for the whole head */
    STAGE_BODY,    /* body-timeout, for each piece */
    STAGE_COUNT
};

/* What a connection keeps for it. */
struct staying {
    struct connection *connection;
    uint64_t since_ns;
    TAILQ_ENTRY(staying) next;
    uint8_t stage; /* enum stage */
};

TAILQ_HEAD(stage_queue, staying);

struct stages {
    struct stage_queue queues[STAGE_COUNT];
};

void stages_init(struct stages *stages);

/* After a turn: moves the connection to the stage that it is in, and begins its time where that is
 * due. */
void stages_update(struct stages *stages, struct connection *connection);

/* It is not watched any more. */
void stages_leave(struct stages *stages, struct connection *connection);

/* When the next time is over: nanoseconds, or NEVER. */
uint64_t stages_deadline(const struct stages *stages);

/* A connection whose time is over at now_ns, or NULL. Nothing is done to it. */
struct connection *stages_overdue(const struct stages *stages, uint64_t now_ns);

#endif
