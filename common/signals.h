/* Signals: SIGTERM, SIGINT and SIGUSR1 stay blocked but while the loop waits or lets them in, so
 * none can be lost between a check and the wait. How they come in is each API's own way. */
#ifndef COMMON_SIGNALS_H
#define COMMON_SIGNALS_H

#include "error.h"

#include <signal.h>

enum { SIGNALS = 3 };

/* SIGTERM, SIGINT, SIGUSR1. */
extern const int signals_wanted[SIGNALS];

/* Fills set with the wanted signals. */
void signals_set(sigset_t *set);

/* Takes one wanted signal out of set and returns its number; 0 when there is none. */
int signals_pop(sigset_t *set);

/* Ignores SIGPIPE, so that a send to a peer that is gone answers EPIPE; blocks the wanted signals
 * (sigprocmask(2)). Returns 0, or -1 with error filled. */
int signals_block(struct error *error);

/* For an API that takes a signal mask for the time of its wait: catches the wanted signals, and
 * fills mask with the one to wait under. Returns 0, or -1 with error filled. */
int signals_catch(sigset_t *mask, struct error *error);

/* Lets pending signals in, now: a wait that takes a mask delivers them only when it sleeps, not
 * when it finds something ready at once. Two system calls. */
void signals_let_in(void);

/* The number of a signal that was caught and not yet taken, or 0. */
int signals_take(void);

/* For a system without such a wait: the reading end of a pipe into which each caught signal puts a
 * byte (the self-pipe trick). Call signals_catch first. Returns -1 with error filled on failure;
 * the descriptor stays the module's own. signals_take empties it. */
int signals_pipe(struct error *error);

#endif
