/* Restart without a lost connection, as far as the new program goes: it is started with the
 * listening socket, and watched until it listens or has failed. What the old server does then is
 * in loop.c. docs/restart.md has the whole story. */
#ifndef COMMON_RESTART_H
#define COMMON_RESTART_H

#include "error.h"
#include "watch.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct restart {
    struct watch watch; /* the pipe by which the new program says that it listens; else fd is -1 */
    int word;           /* the other end of the pipe, until the new program has it; or -1 */
    pid_t pid;          /* of the new program */
    uint64_t deadline_ns; /* by when it must listen; after that, when this server ends; or NEVER */
};

enum restart_result { RESTART_WAITS, RESTART_LISTENS, RESTART_FAILED };

void restart_init(struct restart *restart);

/* Is a new program being waited for? */
bool restart_under_way(const struct restart *restart);

/* Opens the pipe. Afterwards restart->watch can be watched. Returns 0, or -1 with error filled and
 * nothing open. */
int restart_open(struct restart *restart, struct error *error);

/* Starts the program that argv[0] names, with the same arguments. It gets the listening socket as
 * sd_listen_fds(3) says, and READY_FD. Returns when the program has replaced the copy of this
 * process (execve(2)), which takes about as long as to copy its page tables. Returns 0, or -1 with
 * error filled; then no process is left. */
int restart_start(struct restart *restart, char **argv, int listener, struct error *error);

/* Call it when the pipe was reported ready, or the deadline has passed. Never waits, except for the
 * end of a process that it has killed. After RESTART_FAILED error is filled, and no process is
 * left. */
enum restart_result restart_hear(struct restart *restart, uint64_t now_ns, struct error *error);

/* Stops the new program. One that listens by now may have peers: it is asked to stop by SIGTERM,
 * and nobody waits for that. One that does not is killed, and no process is left. */
void restart_abandon(const struct restart *restart);

/* Closes the pipe, and forgets the deadline. Nothing may watch the pipe any more. */
void restart_close(struct restart *restart);

#endif
