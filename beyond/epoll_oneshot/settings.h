/* The options that this server has besides those of all. */
#ifndef SETTINGS_H
#define SETTINGS_H

#include "../../common/option_table.h"

#include <stdint.h>

enum { WORKERS_MOST = 256 };
enum settings_wait { WAIT_DISPATCHER, WAIT_SHARED };

struct settings {
    unsigned workers; /* 0: the loop's thread serves, and there is no other */
    unsigned wait;    /* enum settings_wait */
    uint64_t work_ns; /* of processor time, spent on each frame */
};

/* Filled by the command line; it holds the defaults before. */
extern struct settings settings;
extern const struct option_part settings_part;

#endif
