#include "waited.h"

#include <inttypes.h>
#include <stdio.h>

uint64_t waited_ns_of(const char *path)
{
    uint64_t ran = 0;
    uint64_t waited = 0;
#ifdef __linux__
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return 0;
    if (fscanf(file, "%" SCNu64 " %" SCNu64, &ran, &waited) != 2)
        waited = 0;
    (void)fclose(file);
#endif
    (void)ran;
    (void)path;
    return waited;
}

uint64_t waited_ns(void)
{
    return waited_ns_of("/proc/thread-self/schedstat");
}
