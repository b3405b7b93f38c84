/* How a server begins and how it ends: options, descriptor limit, statistics, listening socket. */
#ifndef COMMON_SERVICE_H
#define COMMON_SERVICE_H

#include "error.h"
#include "inherited.h"
#include "listener.h"
#include "log.h"
#include "options.h"
#include "restart.h"
#include "stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { EXIT_STOPPED = 0, EXIT_CANNOT_RUN = 1, EXIT_BAD_USAGE = 2 };

/* What a server says of itself. The strings are constants. */
struct server {
    const char *name;           /* of the program, and of its directory */
    const char *wait;           /* the call that waits, for a message when it fails */
    const char *implementation; /* what provides the API, where there is more than one; or NULL */
    size_t descriptor_ceiling;  /* how many descriptors the API can handle; 0: any number */
    const struct option_part *options; /* of its own; or NULL */
};

struct service {
    const struct server *server;
    struct options options;
    struct stats stats;
    struct listener listener;
    struct inherited inherited; /* from whoever started it */
    struct restart restart;     /* of this server by a new program */
    struct log_limit restart_log;
    size_t descriptor_limit; /* getrlimit(2) */
    const char *full;        /* what a peer that is one too many is refused for */
    char **argv;
    FILE *stats_stream;
    uint64_t started_ns;
    const struct stats_of_loop *loops; /* of a server with several: what each has counted */
    unsigned loop_count;               /* 0: the server has one loop */
};

/* Reads the options, raises the descriptor limit as far as it goes (getrlimit(2)), opens the
 * statistics file and listens. Returns true to go on; false with the exit status set when the
 * program is done, and nothing is left open. server must outlive the service. */
bool service_open(struct service *service, const struct server *server, int argc, char **argv,
                  int *status);

/* To be called when all is open: sets the default of --max-conns by the descriptors that are left.
 * Prints the line that says that the server listens, and tells the old server, if there is one.
 * Returns 0, or -1 with error filled. */
int service_announce(struct service *service, struct error *error);

/* A restart does not take place: says so in the log. */
void service_no_restart(struct service *service, const char *reason, uint64_t now_ns);

/* The new program, whose process is pid, listens, and this server will end: says so in the log. */
void service_hand_over(struct service *service, pid_t pid, uint64_t now_ns);

/* Prints one line of statistics on stream. connections: how many are open now. Never waits for a
 * reader: it fails with EAGAIN instead. Returns 0, or -1 with errno set. */
int service_print_stats(const struct service *service, size_t connections, FILE *stream);

/* Closes the listener and prints the final statistics. error is what made the server give up, or
 * NULL after a stop. Returns the exit status. */
int service_close(struct service *service, const struct error *error);

#endif
