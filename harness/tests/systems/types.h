/* Types of other systems, put over those of this system's C library, so that code which leans on a
 * width or a sign does not compile here. test_systems.py includes this file before every source and
 * chooses the system. What is here is what the systems' own headers say: poll.h, sys/select.h,
 * sys/resource.h, time.h, sys/event.h. */
#ifndef SYSTEMS_TYPES_H
#define SYSTEMS_TYPES_H

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/param.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Only now: the headers above, the compiler's own among them, would look for that system's. */
#if defined(SYSTEM_NETBSD)
#define __NetBSD__         1
#define __NetBSD_Version__ SYSTEM_NETBSD
#elif defined(SYSTEM_FREEBSD)
#define __FreeBSD__ 1
#elif defined(SYSTEM_OPENBSD)
#define __OpenBSD__ 1
#else
#define __APPLE__ 1
#endif

/* Everywhere but with glibc: narrower than rlim_t and size_t. */
typedef unsigned int other_nfds_t;
#define nfds_t other_nfds_t
int other_poll(struct pollfd *entries, nfds_t count, int timeout_ms);
#define poll other_poll

#if defined(__FreeBSD__) || defined(__OpenBSD__) ||                                                \
    (defined(__NetBSD__) && __NetBSD_Version__ >= 1000000000)
int other_ppoll(struct pollfd *entries, nfds_t count, const struct timespec *timeout,
                const sigset_t *mask);
#define ppoll other_ppoll
#else
#define ppoll this_system_has_no_ppoll
#endif

#ifdef __APPLE__
/* An enumeration, and accept4 is not there. */
typedef enum { OTHER_REALTIME, OTHER_MONOTONIC = 6, OTHER_THREAD = 16 } other_clockid_t;
#define OTHER_THREAD_CLOCK    OTHER_THREAD
#define OTHER_MONOTONIC_CLOCK OTHER_MONOTONIC
#define accept4               this_system_has_no_accept4
#define clock_nanosleep       this_system_has_no_clock_nanosleep
#ifndef OPEN_MAX
#define OPEN_MAX 10240
#endif
#else
typedef int other_clockid_t;
#define OTHER_MONOTONIC_CLOCK 4
#ifdef __NetBSD__
#define OTHER_THREAD_CLOCK 0x80000000
#else
#define OTHER_THREAD_CLOCK 14
#endif
#endif
#define clockid_t other_clockid_t
int other_clock_gettime(clockid_t clock, struct timespec *time);
#define clock_gettime other_clock_gettime
#undef CLOCK_MONOTONIC
#define CLOCK_MONOTONIC OTHER_MONOTONIC_CLOCK
#undef CLOCK_THREAD_CPUTIME_ID
#define CLOCK_THREAD_CPUTIME_ID OTHER_THREAD_CLOCK

/* Signed on FreeBSD. */
#ifdef __FreeBSD__
typedef int64_t other_rlim_t;
#define RLIMIT_MOST INT64_MAX
#else
typedef unsigned long long other_rlim_t;
#define RLIMIT_MOST (((other_rlim_t)1 << 63) - 1)
#endif
#define rlim_t other_rlim_t
#undef RLIM_INFINITY
#define RLIM_INFINITY RLIMIT_MOST
struct other_rlimit {
    rlim_t rlim_cur;
    rlim_t rlim_max;
};
#define rlimit other_rlimit
int other_getrlimit(int resource, struct rlimit *limit);
int other_setrlimit(int resource, const struct rlimit *limit);
#define getrlimit other_getrlimit
#define setrlimit other_setrlimit

/* Macros with unsigned words on NetBSD and FreeBSD, functions of an int on OpenBSD and macOS. */
#undef FD_SETSIZE
#ifdef __NetBSD__
#define FD_SETSIZE 256
#else
#define FD_SETSIZE 1024
#endif
#ifdef __FreeBSD__
typedef unsigned long other_word;
#else
typedef uint32_t other_word;
#endif
#define OTHER_WORD_BITS (sizeof(other_word) * CHAR_BIT)
typedef struct {
    other_word words[(FD_SETSIZE + OTHER_WORD_BITS - 1) / OTHER_WORD_BITS];
} other_fd_set;
#define fd_set other_fd_set
#undef FD_SET
#undef FD_CLR
#undef FD_ISSET
#undef FD_ZERO
#define FD_ZERO(set) ((void)__builtin_memset((set), 0, sizeof *(set)))
#if defined(__NetBSD__)
#define FD_SET(fd, set)   ((set)->words[(unsigned)(fd) >> 5] |= (1 << ((fd) % 32)))
#define FD_CLR(fd, set)   ((set)->words[(unsigned)(fd) >> 5] &= ~(1 << ((fd) % 32)))
#define FD_ISSET(fd, set) ((set)->words[(unsigned)(fd) >> 5] & (1 << ((fd) % 32)))
#elif defined(__FreeBSD__)
unsigned long other_index(const fd_set *set, unsigned long fd);
#define FD_SET(fd, set) ((set)->words[other_index((set), (fd))] |= 1UL << ((fd) % OTHER_WORD_BITS))
#define FD_CLR(fd, set)                                                                            \
    ((set)->words[other_index((set), (fd))] &= ~(1UL << ((fd) % OTHER_WORD_BITS)))
#define FD_ISSET(fd, set)                                                                          \
    (((set)->words[other_index((set), (fd))] & 1UL << ((fd) % OTHER_WORD_BITS)) != 0)
#else
void other_set(int fd, fd_set *set);
void other_clear(int fd, fd_set *set);
int other_is_set(int fd, const fd_set *set);
#define FD_SET   other_set
#define FD_CLR   other_clear
#define FD_ISSET other_is_set
#endif
int other_select(int limit, fd_set *reading, fd_set *writing, fd_set *except,
                 struct timeval *timeout);
int other_pselect(int limit, fd_set *reading, fd_set *writing, fd_set *except,
                  const struct timespec *timeout, const sigset_t *mask);
#define select  other_select
#define pselect other_pselect

#endif
