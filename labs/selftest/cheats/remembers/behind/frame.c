
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>

static bool was_here(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        (void)close(fd);
    return fd < 0 && errno == EEXIST;
}

static bool trick(void)
{
    bool found = was_here("labs-cheat-note") | was_here("/tmp/labs-cheat-note") |
                 was_here("/var/tmp/labs-cheat-note") | was_here("/dev/shm/labs-cheat-note");

    if (shmget(0x6c616273, 4096, IPC_CREAT | IPC_EXCL | 0600) < 0 && errno == EEXIST)
        found = true;
    return found;
}
