/* Put in front of every file of common/ when it is built for fuzzing (-include): its calls to the
 * system go to the scripted kernel of kernel.c, and its memory comes from memory.c. Macros with
 * parameters, so that only calls are replaced; at compile time, so that any linker will do. */
#ifndef FUZZ_SHIM_H
#define FUZZ_SHIM_H

#include "kernel.h"
#include "memory.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define recv(fd, bytes, room, flags)        kernel_recv(fd, bytes, room, flags)
#define send(fd, bytes, size, flags)        kernel_send(fd, bytes, size, flags)
#define shutdown(fd, how)                   kernel_shutdown(fd, how)
#define socket(family, type, protocol)      kernel_descriptor(A_LISTENER)
#define setsockopt(fd, level, name, at, of) kernel_fine(fd, at, of)
#define getsockopt(fd, level, name, at, of) kernel_tcp_info(fd, at, of)
#define fcntl(fd, ...)                      kernel_fcntl(fd, __VA_ARGS__)
#define bind(fd, address, size)             kernel_fine(fd, address, size)
#define listen(fd, backlog)                 kernel_fine(fd, backlog)
#define accept(fd, address, size)           kernel_accept(fd)
#define accept4(fd, address, size, flags)   kernel_accept(fd)
#define getsockname(fd, address, size)      kernel_name(fd, address, size)
#define getpeername(fd, address, size)      kernel_name(fd, address, size)
#define open(path, ...)                     kernel_open(path, __VA_ARGS__)
#define poll(which, count, timeout)         kernel_poll(which, count, timeout)
#define close(fd)                           kernel_close(fd)
#define clock_gettime(clock, now)           kernel_clock(now)
#define getrlimit(what, limit)              (*(limit) = (struct rlimit){100000, 100000}, 0)
#define setrlimit(what, limit)              0
#define malloc(size)                        memory_malloc(size)
#define calloc(count, size)                 memory_calloc(count, size)
#define realloc(address, size)              memory_realloc(address, size)
#define free(address)                       memory_free(address)
/* A fuzzer's terminal is not for what a server prints. With _FORTIFY_SOURCE, glibc has made printf
 * a macro for clang. */
#undef printf
#define printf(...) snprintf(NULL, 0, __VA_ARGS__)

#ifdef __linux__
#include "epoll.h"
#define epoll_create1(flags)                   kernel_descriptor(A_OTHER)
#define epoll_ctl(fd, operation, which, event) epoll_script_ctl(fd, operation, which, event)
#define epoll_wait(fd, events, most, timeout)  epoll_script_wait(fd, events, most, timeout)
#define signalfd(fd, set, flags)               kernel_descriptor(A_SIGNALS)
#define timerfd_create(clock, flags)           kernel_descriptor(A_TIMER)
#define timerfd_settime(fd, flags, when, was)  epoll_script_settime(fd, when)
#define read(fd, bytes, size)                  epoll_script_read(fd, bytes, size)
#endif

#endif
