/* The event loop, and the contract between it and an API.
 *
 * The loop stands once. A server is this loop linked with one implementation of the eight functions
 * below: the linker binds them, so there is no function pointer and no table. Each server.c defines
 * them in the order of this file. To read a server: this file, loop.c, level.c, then server.c. */
#ifndef COMMON_LOOP_H
#define COMMON_LOOP_H

#include "burst.h"
#include "connections.h"
#include "context.h"
#include "error.h"
#include "service.h"
#include "watch.h"

#include <stdbool.h>
#include <stdint.h>

/* What an API needs to remember. Each server.c defines it. */
struct mux;

struct loop {
    struct service service;
    struct context context;
    struct connections connections;
    struct mux *mux;
    struct burst burst;
    uint64_t deadline_ns; /* when the next timeout is over, as known before the wait; or NEVER */
    bool peers_wait;      /* the listener was ready in this wake-up */
    bool stopping;        /* accepts nobody, and ends when the last connection has ended */
    bool finishing;       /* has told each connection to end, and takes no more frames */
    bool done;
};

/* -- what a server provides ------------------------------------------------------------------ */

/* Sets loop->mux. Returns 0, or -1 with error filled; mux_close is called either way, unless there
 * was no memory for the mux itself. */
int mux_open(struct loop *loop, struct error *error);

/* Frees what mux_open and the others made. */
void mux_close(struct mux *mux);

/* Begins to watch a descriptor, for READABLE. Returns 0, or -1 with error filled and nothing
 * changed. */
int mux_add(struct mux *mux, struct watch *watch, struct error *error);

/* Says what to report from now on. Called after every turn, so it must cost nothing when nothing
 * changes. Returns 0, or -1 with errno set. */
int mux_update(struct mux *mux, struct watch *watch, unsigned wants);

/* Stops watching. The descriptor is still open. The loop closes it before the next wait. If it is
 * of the service, another process may keep it open. Nothing may be reported of it all the same. */
void mux_remove(struct mux *mux, struct watch *watch);

/* Waits until something is ready or deadline_ns (CLOCK_MONOTONIC; NEVER: no limit) has passed, and
 * hands what is ready to loop_ready, with watch->ready set. Returns 0, also after a signal, or -1
 * with errno set. */
int mux_wait(struct mux *mux, struct loop *loop, uint64_t deadline_ns);

/* The number of a signal that has come, or 0. */
int mux_signal(struct mux *mux);

/* One connection's turn: reads and writes as its watch->ready allows, then calls loop_settle.
 * level.c has the one for level-triggered APIs; an edge-triggered server brings its own. */
void serve(struct loop *loop, struct connection *connection);

/* -- what the loop provides to a server ------------------------------------------------------ */

/* To be called with the result of each wait, before anything else. Counts the wait, reads the
 * clock, and returns the number of results: 0 when a signal ended the wait, -1 for any other
 * error. */
int loop_woke(struct loop *loop, int result);

/* A descriptor is ready: gives its connection a turn, or notes that peers wait. */
void loop_ready(struct loop *loop, struct watch *watch);

/* Takes over a connected non-blocking socket, or refuses the peer. For an API that accepts itself,
 * and for a thread that is given what another one has accepted. For the others the loop does so
 * when loop_ready has been told of the listener. */
void loop_admit(struct loop *loop, int fd);

/* Stops accepting: another program has the listener. The loop serves the connections that it has,
 * and ends with the last of them, or when drain-timeout is over. */
void loop_leave(struct loop *loop);

/* Ends a connection's turn: takes the next step of a close, tells the API what is wanted now, and
 * retires what is done. */
void loop_settle(struct loop *loop, struct connection *connection);

/* -- what the loop provides to main ----------------------------------------------------------- */

/* Opens the loop: the API, which watches the listener from now on. loop->service is open, and the
 * rest of the loop is zeros. Returns 0, or -1 with error filled; loop_close is needed either way.
 * Several loops may run in one process, each in a thread of its own with a service of its own. */
int loop_open(struct loop *loop, struct error *error);

/* Runs the loop until it is done. Returns 0, or -1 with error filled when the wait failed. */
int loop_run(struct loop *loop, struct error *error);

/* Ends what connections are left, and frees what the loop holds. The service stays open. */
void loop_close(struct loop *loop);

/* The body of main of a server with one loop: runs it until it is told to stop. Returns the exit
 * status. */
int loop_main(const struct server *server, int argc, char **argv);

#endif
