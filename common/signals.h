/* Signals: SIGTERM, SIGINT, SIGUSR1 and SIGUSR2 are blocked except during the wait, so none is lost
 * between the check for one and the sleep. How they reach the loop is each API's own way.
 *
 * Signal handlers belong to the process, not to a loop. The first that asks gets the signal. */
#ifndef COMMON_SIGNALS_H
#define COMMON_SIGNALS_H

#include "error.h"

#include <signal.h>

/* Fills set with the wanted signals: the four above, without those that were ignored
 * when the program began. Whoever starts a program with a signal ignored means it: a shell does so
 * with SIGINT for a job in the background. Call signals_block first. */
void signals_set(sigset_t *set);

/* Takes one wanted signal out of set and returns its number; 0 when there is none. */
int signals_pop(sigset_t *set);

/* Ignores SIGPIPE, so that a send to a peer that is gone returns EPIPE. Ignores SIGXFSZ, so that a
 * write beyond a limit on file sizes returns EFBIG (setrlimit(2)). Either signal would end the
 * process. Finds out which signals are wanted, and blocks them (sigprocmask(2)). Returns 0, or -1
 * with error filled. */
int signals_block(struct error *error);

/* For a server that takes one signal more: blocks it, and signals_give_back leaves it blocked. Call
 * signals_block first. Returns 0, or -1 with error filled. */
int signals_block_too(int number, const char *name, struct error *error);

/* For a child between fork(2) and execve(2): sets actions and mask as they were before
 * signals_block, because the next program inherits both. But SIGUSR1, SIGUSR2, and what
 * signals_block_too has added, are blocked. Only async-signal-safe calls. Returns 0, or -1 with
 * errno set. */
int signals_give_back(void);

/* For an API whose wait takes a signal mask: catches the wanted signals, and fills mask with the
 * one to wait under. Returns 0, or -1 with error filled. */
int signals_catch(sigset_t *mask, struct error *error);

/* The number of a signal that was caught and not yet taken, or 0. A wait with a signal mask
 * delivers signals only when it sleeps: a busy loop would never see SIGTERM. So the caller adds up
 * in *unheard what its waits reported. When the sum is 16 or more, this unblocks the signals for a
 * moment and sets the sum to 0. */
int signals_take(int *unheard);

/* For a system without such a wait: the reading end of a pipe into which each caught signal puts a
 * byte (the self-pipe trick). Call signals_catch first. Returns -1 with error filled on failure;
 * the descriptor stays the module's own. signals_take empties it. */
int signals_pipe(struct error *error);

#endif
