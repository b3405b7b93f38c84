/* Preloaded: a loop's thread takes 0.3 seconds from the call of read(2) to the read, if it has room
 * for many letters. What is written to its pipe meanwhile is read with the rest. */
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

enum { LETTERS_BYTES = 64 * sizeof(int) };

ssize_t read(int fd, void *bytes, size_t size)
{
    static ssize_t (*real)(int, void *, size_t);
    struct timespec delay = {.tv_nsec = 300000000};

    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "read");
    if (size == LETTERS_BYTES)
        while (nanosleep(&delay, &delay) != 0)
            continue;
    return real(fd, bytes, size);
}
