/* The edge-triggered server, with names of its own for what every server defines, so that one
 * program can hold it beside the made-up API of loop_mux.c. */
#ifdef __linux__
#include "shim.h"

#define mux_open   edge_open
#define mux_close  edge_close
#define mux_add    edge_add
#define mux_update edge_update
#define mux_remove edge_remove
#define mux_wait   edge_wait
#define mux_signal edge_signal
#define serve      edge_serve
#define main       edge_main

int edge_main(int argc, char **argv);

#include "../../epoll_et/server.c" /* NOLINT(bugprone-suspicious-include) */

#else
extern int edge_unused;
#endif
