/* send(2) and recv(2) without flags, called as directly as possible. In a process with threads,
 * glibc adds steps to both that make them cancellation points. No thread here is ever cancelled.
 * The servers, which have one thread, do not pay for these steps either. */
#ifndef LOADGEN_WIRE_H
#define LOADGEN_WIRE_H

#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

static inline ssize_t wire_send(int fd, const void *bytes, size_t size)
{
#if defined(__linux__) && defined(SYS_sendto)
    return syscall(SYS_sendto, fd, bytes, size, 0, NULL, 0);
#else
    return send(fd, bytes, size, 0);
#endif
}

static inline ssize_t wire_receive(int fd, void *bytes, size_t size)
{
#if defined(__linux__) && defined(SYS_recvfrom)
    return syscall(SYS_recvfrom, fd, bytes, size, 0, NULL, NULL);
#else
    return recv(fd, bytes, size, 0);
#endif
}

#endif
