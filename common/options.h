/* The command line, the same for every server. */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include "option_table.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a stream is cut into messages: frame.h, line.h. */
enum framing { FRAMING_LENGTH, FRAMING_LINE };

struct options {
    const char *bind; /* points into argv, or at a constant */
    uint16_t port;    /* 0: the kernel picks */
    enum framing framing;
    uint32_t max_frame;
    size_t max_conns; /* 0: what the descriptor limit allows */
    uint32_t high_water;
    uint32_t low_water;
    uint64_t idle_timeout_ns; /* NEVER: off */
    uint64_t max_lifetime_ns; /* NEVER: off */
    uint64_t drain_timeout_ns;
    uint64_t restart_timeout_ns; /* NEVER: off */
    int backlog;
    const char *stats_path; /* NULL: standard error */
    bool reuse_port; /* no option: this listener shares its port with others of the process */
};

/* Fills options from the command line as option_table_read does, and what `part` says (NULL: no
 * more). The strings live as long as argv. */
enum options_result options_parse(struct options *options, const struct option_part *part, int argc,
                                  char **argv);

#endif
