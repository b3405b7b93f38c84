/* Preloaded: takes the slot that the server frees for its first refusal. Another thread could take
 * it, and another process when the whole system is short (ENFILE). It opens /dev/zero, which no
 * server does. With ROBBED_ONCE=1 the process aborts when the thread that was robbed tries to
 * refuse again. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

int accept(int fd, struct sockaddr *address, socklen_t *size)
{
    static int (*_Atomic real)(int, struct sockaddr *, socklen_t *);
    static atomic_flag is_taken = ATOMIC_FLAG_INIT;
    static _Thread_local int robbed;

    if (real == NULL)
        real = (int (*)(int, struct sockaddr *, socklen_t *))dlsym(RTLD_NEXT, "accept");
    if (robbed && getenv("ROBBED_ONCE") != NULL)
        abort();
    if (!atomic_flag_test_and_set(&is_taken))
        robbed = open("/dev/zero", O_RDONLY | O_CLOEXEC) >= 0;
    return real(fd, address, size);
}
