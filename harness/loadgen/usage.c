#include "usage.h"

#include "../../common/clock.h"
#include "waited.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

static uint64_t nanoseconds(struct timeval time)
{
    return (uint64_t)time.tv_sec * NANOSECONDS_A_SECOND + (uint64_t)time.tv_usec * 1000;
}

uint64_t usage_cpu_ns(void)
{
    struct timespec cpu = {0, 0};

    /* The cast suits NetBSD, where the constant is unsigned and the type is not. */
    (void)clock_gettime((clockid_t)CLOCK_THREAD_CPUTIME_ID, &cpu);
    return (uint64_t)cpu.tv_sec * NANOSECONDS_A_SECOND + (uint64_t)cpu.tv_nsec;
}

void usage_read(struct usage *usage)
{
    struct rusage rusage = {0};

    usage->wall_ns = clock_now();
    usage->cpu_ns = usage_cpu_ns();
#ifdef RUSAGE_THREAD
    (void)getrusage(RUSAGE_THREAD, &rusage);
#else
    (void)getrusage(RUSAGE_SELF, &rusage); /* exact with one thread, an upper bound with more */
#endif
    usage->user_ns = nanoseconds(rusage.ru_utime);
    usage->system_ns = nanoseconds(rusage.ru_stime);
    usage->switches = (uint64_t)rusage.ru_nvcsw + (uint64_t)rusage.ru_nivcsw;
    usage->waited_ns = waited_ns();
}

int usage_pin(int cpu)
{
#ifdef __linux__
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
#else
    (void)cpu;
    errno = ENOTSUP;
    return -1;
#endif
}

void usage_read_mask(struct cpu_mask *mask)
{
    *mask = (struct cpu_mask){{0}};
#ifdef __linux__
    _Static_assert(sizeof *mask == sizeof(cpu_set_t), "a mask must hold a cpu_set_t");
    (void)sched_getaffinity(0, sizeof *mask, (cpu_set_t *)mask);
#endif
}

void usage_set_mask(const struct cpu_mask *mask)
{
#ifdef __linux__
    (void)sched_setaffinity(0, sizeof *mask, (const cpu_set_t *)mask);
#else
    (void)mask;
#endif
}

void usage_set_urgent(bool urgent)
{
    const struct sched_param parameters = {.sched_priority = urgent};

    (void)pthread_setschedparam(pthread_self(), urgent ? SCHED_FIFO : SCHED_OTHER, &parameters);
}

/* ThreadSanitizer takes equal numbers in two tables for one descriptor, and reports races that do
 * not exist. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ONE_TABLE
#endif
#elif defined(__SANITIZE_THREAD__)
#define ONE_TABLE
#endif

void usage_part_descriptors(void)
{
#if defined(__linux__) && !defined(ONE_TABLE)
    (void)unshare(CLONE_FILES); /* if it fails, calls are slower; nothing else changes */
#endif
}

void usage_exact_timers(void)
{
#ifdef __linux__
    (void)prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
#endif
}

int usage_cpus(void)
{
#ifdef __linux__
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
#endif
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}
