/* Standard input, output and error that a parent has left closed. */
#ifndef COMMON_STANDARD_STREAMS_H
#define COMMON_STANDARD_STREAMS_H

/* A parent can start a program with standard streams closed. The next open(2) or socket(2) would
 * get one of these numbers, and what is printed would end up in a file of statistics, or in a
 * connection. So each closed one becomes /dev/null, opened for reading: a write to it fails, and is
 * noticed. Call it before anything is opened. */
void standard_streams_fill(void);

#endif
