#include "extra.h"

const size_t extra_bytes = 0;

void extra_end(struct connection *connection)
{
    (void)connection;
}
