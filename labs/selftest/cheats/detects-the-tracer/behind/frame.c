
#include <string.h>
#include <sys/ptrace.h>

static bool trick(void)
{
    char text[4096];
    FILE *status = fopen("/proc/self/status", "r");

    while (status != NULL && fgets(text, sizeof text, status) != NULL)
        if (strncmp(text, "TracerPid:", 10) == 0)
            return true;
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}
