/* Being asked to end. A signal ends what is going on: connecting, the warm-up, the measured time,
 * the wait for the last replies. It never ends the program before the results are out.
 *
 * Signals come to the process, so this is one state for all threads. */
#ifndef LOADGEN_STOP_H
#define LOADGEN_STOP_H

#include "../../common/error.h"

/* Takes SIGINT, SIGTERM, SIGHUP and the others that would end the program by default, except
 * SIGQUIT and SIGKILL: these end it at once. A signal that was ignored at the start stays ignored,
 * as nohup(1) wants it. SIGPIPE and SIGXFSZ are ignored, because the call that causes them fails
 * too. Returns 0, or -1 with error filled. */
int stop_catch(struct error *error);

/* How many such signals have come. Signals that come together may count as one (signal(7)). */
unsigned stop_count(void);

#endif
