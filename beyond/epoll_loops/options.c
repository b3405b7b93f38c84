#include "../../common/clock.h"
#include "team.h"

static const char *const ways[] = {"reuseport", "shared", "exclusive", "handed", NULL};

static const struct option_row rows[] = {
    {"loops", "N", "event loops, each in a thread of its own (2)",
     NUMBER_INTO(struct chosen, loops, 1, LOOPS_MOST)},
    {"listen", "WAY", "who gets a new peer", CHOICE_INTO(struct chosen, listen, ways)},
    {"work", "MICROSECONDS", "compute for so long for each frame (0)",
     TIME_INTO(struct chosen, work_ns, 0, 1000 * NANOSECONDS_A_SECOND, 1e3)},
};

/* Handed: one queue of peers, as with one loop, and the same number of them for each loop. */
struct chosen chosen = {.loops = 2, .listen = LISTEN_HANDED};

const struct option_part chosen_part = {
    .rows = rows, .count = sizeof rows / sizeof rows[0], .into = &chosen};
