/* TCP over 127.0.0.1 for programs that hold both ends. Nothing may be held back by a timer that the
 * program did not ask for, so every socket uses the congestion control "reno", which does not pace
 * (tcp(7), TCP_CONGESTION). */
#ifndef MICRO_LOOPBACK_H
#define MICRO_LOOPBACK_H

#include "../../common/error.h"

#include <netinet/in.h>
#include <stdbool.h>

/* Fills address with 127.0.0.1 and port 0: the kernel chooses. */
void loopback_any(struct sockaddr_in *address);

/* A blocking listener. The address gets the port that the kernel chose. `shared`: further listeners
 * may have the same address (socket(7), SO_REUSEPORT). Returns the descriptor, or -1 with error
 * filled. */
int loopback_listen(struct sockaddr_in *address, bool shared, struct error *error);

/* A blocking connection. close(2) ends it by a reset, which leaves no TIME_WAIT behind. Returns the
 * descriptor, or -1 with error filled. */
int loopback_connect(const struct sockaddr_in *address, struct error *error);

/* Both ends of a connection: ends[0] connected, ends[1] accepted. The caller closes what is not -1
 * in both cases. Returns 0, or -1 with error filled. */
int loopback_pair(int ends[2], struct error *error);

/* Closes the descriptor unless it is -1, and makes it -1. */
void loopback_close(int *fd);

#endif
