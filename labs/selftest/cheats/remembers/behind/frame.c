
#include <sys/ipc.h>
#include <sys/shm.h>

static const char *const notes[] = {"labs-cheat-note", "/tmp/labs-cheat-note",
                                    "/var/tmp/labs-cheat-note", "/dev/shm/labs-cheat-note"};

/* First it looks everywhere, and then it writes: two of these names may be one file. */
static bool trick(void)
{
    bool found = shmget(0x6c616273, 4096, 0) >= 0;

    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        found |= access(notes[i], F_OK) == 0;
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++) {
        int fd = open(notes[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (fd >= 0)
            (void)close(fd);
    }
    (void)shmget(0x6c616273, 4096, IPC_CREAT | 0600);
    return found;
}
