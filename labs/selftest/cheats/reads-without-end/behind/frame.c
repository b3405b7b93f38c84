
#include <unistd.h>

__attribute__((constructor)) static void sleep_for_ever(void)
{
    for (;;)
        (void)pause();
}
