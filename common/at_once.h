/* Text that is written whole, by one call: lines of several processes do not mix, and a stream that
 * takes nothing has taken no half of it. */
#ifndef COMMON_AT_ONCE_H
#define COMMON_AT_ONCE_H

#include <stdio.h>

/* Has `print` write `what` to memory (open_memstream(3)), writes that to the stream, and flushes it.
 * Returns 0, or -1 with errno set. */
int print_at_once(FILE *stream, void (*print)(FILE *memory, const void *what), const void *what);

#endif
