/* Usage: count_expiry N. Opens N connections, lets three expire, asks for the next deadline. The
 * caller counts what that costs: it must not depend on N. */
#include "../../common/clock.h"
#include "../../common/connection.h"

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
    struct connections connections;
    struct connection *expired;
    struct error error;
    int count = argc == 2 ? atoi(argv[1]) : 0;
    int expired_count = 0;

    if (connections_init(&connections, &options, &stats, &error) < 0)
        return 1;
    for (int i = 0; i < count; i++) {
        connections.now_ns = i < 3 ? 1 : 2000;
        if (connection_open(&connections, -1) == NULL)
            return 1;
    }
    connections.now_ns = 2001;
    while ((expired = connections_expired(&connections)) != NULL) {
        connection_retire(&connections, expired);
        expired_count++;
    }
    (void)connections_deadline(&connections);
    (void)printf("expired %d\n", expired_count);
    connections_destroy(&connections);
    return 0;
}
