/* All that a server has besides its API: options, listener, connections, statistics; how it begins
 * and how it ends. */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include "connection.h"
#include "error.h"
#include "listener.h"
#include "options.h"
#include "stats.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { EXIT_STOPPED = 0, EXIT_CANNOT_RUN = 1, EXIT_BAD_USAGE = 2 };

struct service {
    const char *name;           /* of the server: its directory's */
    const char *implementation; /* what provides its API, where there is more than one; or NULL */
    struct options options;
    struct stats stats;
    struct listener listener;
    struct connections connections;
    FILE *stats_stream;
    uint64_t started_ns;
};

/* Reads the options, raises the descriptor limit as far as it goes (getrlimit(2)), opens the
 * statistics file and listens. descriptor_ceiling is the number of descriptors that the API can
 * handle, 0 for any. Returns true to go on; false with the exit status set when the program is
 * done, and nothing is left open. name and implementation must outlive the service. */
bool service_open(struct service *service, const char *name, const char *implementation,
                  size_t descriptor_ceiling, int argc, char **argv, int *status);

/* Prints the line that says that the server listens. Returns 0, or -1 with error filled. */
int service_announce(const struct service *service, struct error *error);

/* When the loop must wake up though no descriptor is ready: nanoseconds, or NEVER. */
uint64_t service_deadline(const struct service *service);

/* Reads the clock, for all that the coming turn does; wakes a listener that has rested enough. */
void service_tick(struct service *service);

/* Accepts one peer. After ACCEPT_DONE *connection is new; follow it by service_admit or
 * service_refuse. ACCEPT_REFUSED: there are too many connections, or no memory for one more. */
enum accept_result service_accept(struct service *service, struct connection **connection);

/* The loop watches the connection: it counts as accepted. */
void service_admit(struct service *service);

/* The loop cannot watch the connection: refuses the peer for that reason. */
void service_refuse(struct service *service, struct connection *connection, const char *reason);

/* One line of statistics on stream. Returns 0, or -1 with errno set. */
int service_print_stats(const struct service *service, FILE *stream);

/* Closes everything and prints the final statistics. error is what made the server give up, or NULL
 * after a stop. Returns the exit status. */
int service_close(struct service *service, const struct error *error);

#endif
