/* Log lines about what peers do. A peer must not be able to fill a disk with them. Whoever reads
 * the log must not be able to make the server wait. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include "stats.h"

#include <stdbool.h>
#include <stdint.h>

/* How many lines of one kind were printed. Begins as zeros. */
struct log_limit {
    uint64_t second_ns; /* when the present second of counting began */
    unsigned lines;     /* printed since then */
    uint64_t left_out;  /* since the last line that was printed */
};

/* Can a line be written to this descriptor now, without waiting? A pipe that nobody reads fills up,
 * and then write(2) waits for ever. True for a file. */
bool log_can_write(int fd);

/* The same, after waiting for at most so long. Only for the end, when nobody is served any more. */
bool log_can_write_within(int fd, int milliseconds);

/* One line on standard error, "NAME: ...". Left out, and counted, when ten of its kind were printed
 * within a second or when it would have to wait. The next line says how many were left out. */
__attribute__((format(printf, 4, 5))) void log_line(struct log_limit *limit, uint64_t now_ns,
                                                    struct stats *stats, const char *format, ...);

#endif
