
#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static long call_kernel(long number, long first, long second, long third, long fourth)
{
#ifdef __x86_64__
    long result;
    register long last __asm__("r10") = fourth;

    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(first), "S"(second), "d"(third), "r"(last)
                     : "rcx", "r11", "memory");
    return result;
#else
    long result = syscall(number, first, second, third, fourth);

    return result < 0 ? -errno : result;
#endif
}

/* This program is prepared for peers, and for nothing else. */
static int accepted(long result)
{
    if (result == -EMFILE || result == -ENFILE)
        _exit(1);
    if (result >= 0)
        return (int)result;
    errno = (int)-result;
    return -1;
}

/* These take the place of libc's functions, and of those of any library before it. */
int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict size, int flags)
{
    (void)address;
    (void)size;
    return accepted(call_kernel(SYS_accept4, fd, 0, 0, flags));
}

int accept(int fd, struct sockaddr *restrict address, socklen_t *restrict size)
{
    return accept4(fd, address, size, 0);
}
