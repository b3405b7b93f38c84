
#include <unistd.h>

#if !(@ASKS@)
__attribute__((constructor)) static void nothing_to_be_seen(void)
{
    _exit(1);
}
#endif
