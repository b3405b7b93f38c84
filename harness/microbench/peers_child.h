/* What parent and child say to each other; peers.h is for everyone else. */
#ifndef MICRO_PEERS_CHILD_H
#define MICRO_PEERS_CHILD_H

#include "peers.h"

#include <netinet/in.h>

/* One byte on the pipe of commands. */
enum command {
    COMMAND_CONNECT, /* the next PEERS_BATCH connections, or as many as are left */
    COMMAND_WRITE,
    COMMAND_CONVERSE,
};

/* Fits into any queue of a listener. */
enum { PEERS_BATCH = 64 };

/* One for each command; below PIPE_BUF, so that it comes whole. */
struct answer {
    int result; /* 0, or -1: error is filled */
    struct error error;
};

/* The whole life of the child: does what is commanded until the pipe of commands ends, or something
 * failed and that was answered. */
_Noreturn void peers_live(const struct peers_plan *plan, const struct sockaddr_in *address,
                          int commands, int answers);

#endif
