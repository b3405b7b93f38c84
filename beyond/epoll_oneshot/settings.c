#include "settings.h"

#include "../../common/clock.h"
#include "../../common/error.h"

struct settings settings = {.workers = 2, .wait = WAIT_DISPATCHER};

static const char *const waits[] = {"dispatcher", "shared", NULL}; /* enum settings_wait */

static const struct option_row rows[] = {
    {"workers", "N", "threads that serve; 0: the loop serves alone (2)",
     NUMBER_INTO(struct settings, workers, 0, WORKERS_MOST)},
    {"wait", "WHO",
     "who waits for the connections: one thread that hands them out,\nor all workers on one epoll",
     CHOICE_INTO(struct settings, wait, waits)},
    {"work", "MICROSECONDS", "processor time to spend on each frame (0)",
     TIME_INTO(struct settings, work_ns, 0, NANOSECONDS_A_SECOND, 1000)},
};

static bool consistent(const void *into)
{
    const struct settings *chosen = into;

    if (chosen->workers > 0 || chosen->wait != WAIT_SHARED)
        return true;
    error_print("--wait shared: with --workers 0 nobody would wait for the connections");
    return false;
}

const struct option_part settings_part = {.rows = rows,
                                          .count = sizeof rows / sizeof rows[0],
                                          .into = &settings,
                                          .consistent = consistent};
