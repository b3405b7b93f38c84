/* What parent and child say to each other. peers.h is the interface for others. */
#ifndef MICRO_PEERS_CHILD_H
#define MICRO_PEERS_CHILD_H

#include "peers.h"

#include <netinet/in.h>

/* One byte on the pipe of commands. */
enum command {
    COMMAND_CONNECT, /* make the next PEERS_BATCH connections, or as many as are left */
    COMMAND_WRITE,
    COMMAND_CONVERSE,
};

/* Fits into any listener's queue. */
enum { PEERS_BATCH = 64 };

/* One answer for each command. It is smaller than PIPE_BUF, so it arrives whole. */
struct answer {
    int result; /* 0, or -1 and error is filled */
    struct error error;
};

/* The whole life of the child. It carries out commands until the pipe of commands ends, or until
 * something has failed and it has reported that. */
_Noreturn void peers_live(const struct peers_plan *plan, const struct sockaddr_in *address,
                          int commands, int answers);

#endif
