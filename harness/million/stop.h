/* Ctrl-C, and what else asks the program to stop. These signals are blocked, and come only while
 * the program waits in stop_await. So none comes between a look and a wait, and each finds the
 * program where it can end its children. */
#ifndef MILLION_STOP_H
#define MILLION_STOP_H

#include "../../common/error.h"

/* Blocks SIGINT, SIGTERM and SIGHUP. One that was ignored when the program began stays ignored.
 * Ignores SIGPIPE: a child that has died shows in its answer. */
void stop_begin(void);

/* Waits until fd is readable or at its end (ppoll(2)). Returns 0, or -1 with error filled when a
 * signal came instead. */
int stop_await(int fd, struct error *error);

/* The signal that came, or 0. */
int stop_signal(void);

/* Ends the program by the signal that came, as the shell expects it. Returns if none came. */
void stop_end(void);

#endif
