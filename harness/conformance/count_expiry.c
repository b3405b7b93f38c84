/* Usage: count_expiry N. Opens N connections, lets three expire, asks for the next deadline. The
 * caller counts what that costs: it must not depend on N. */
#include "../../common/clock.h"
#include "../../common/connections.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct options options = {
        .idle_timeout_ns = 1000,
        .max_lifetime_ns = NEVER,
        .drain_timeout_ns = 1000,
    };
    struct stats stats = {0};
    struct context context = {.options = &options, .stats = &stats};
    struct connections connections;
    struct connection *expired;
    enum close_reason why;
    int count = argc == 2 ? atoi(argv[1]) : 0;
    int expired_count = 0;

    connections_init(&connections);
    for (int i = 0; i < count; i++) {
        struct connection *connection = connections_open(&connections, -1);
        if (connection == NULL)
            return 1;
        connection->opened_ns = connection->activity_ns = i < 3 ? 1 : 2000;
    }
    context.now_ns = 2001;
    while ((expired = connections_overdue(&connections, &context, &why)) != NULL) {
        connections_retire(&connections, &context, expired);
        expired_count++;
    }
    (void)connections_deadline(&connections, &options);
    (void)printf("expired %d\n", expired_count);
    connections_destroy(&connections, &context);
    return 0;
}
