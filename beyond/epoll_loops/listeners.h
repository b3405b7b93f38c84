/* A listener for each loop, by --listen. */
#ifndef EPOLL_LOOPS_LISTENERS_H
#define EPOLL_LOOPS_LISTENERS_H

#include "team.h"

/* Makes the listeners of the loops from the one of team->service, which is open; with --listen
 * handed it stays where it is. Returns 0, or -1 with error filled; what was opened is in the
 * services of the members, as they close it. */
int listeners_open(struct team *team, struct error *error);

#endif
