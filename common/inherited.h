/* What a program inherits from whoever started it: a listening socket, and somebody who waits.
 *
 * The socket comes by the convention of sd_listen_fds(3), which systemd and other supervisors
 * follow: LISTEN_PID is the process that is meant, LISTEN_FDS says how many descriptors there are,
 * and the first is number 3. A server that restarts starts its successor in the same way, and adds
 * READY_FD: the number of a pipe that it reads until the successor listens. */
#ifndef COMMON_INHERITED_H
#define COMMON_INHERITED_H

#include "error.h"

enum { INHERITED_LISTENER = 3 };

struct inherited {
    int listener; /* or -1 */
    int ready;    /* the writing end of the pipe, or -1 */
};

/* Reads the environment. What is meant for another process is ignored: a variable can pass through
 * a program that does not know it. Each descriptor is made close-on-exec (fcntl(2)). Returns 0, or
 * -1 with error filled. What is there stays open, after a failure too: the end of the process
 * closes the pipe. Whoever waits then finds a process that has ended, and its exit status. */
int inherited_find(struct inherited *inherited, struct error *error);

/* For a server that somebody waits for: inherited->ready is a descriptor. Tells that this server
 * listens, and closes the pipe. Returns 0, or -1 with error filled: nobody waits any more. */
int inherited_tell(struct inherited *inherited, struct error *error);

#endif
