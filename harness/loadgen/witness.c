#include "witness.h"

#include "../../common/clock.h"
#include "usage.h"

#include <errno.h>
#include <sched.h>
#include <time.h>

static const uint64_t period_ns = 2000000;

/* A smaller delay is usual, and is not a stall. */
static const uint64_t allowed_ns = 1000000;

static void sleep_until(uint64_t when_ns)
{
#ifdef __APPLE__
    /* This system has no absolute sleep: sleep for the time that is left. */
    struct timespec left;

    (void)nanosleep(clock_left(when_ns, clock_now(), &left), NULL);
#else
    struct timespec when = clock_point(when_ns);

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &when, NULL) == EINTR)
        continue;
#endif
}

static void *look(void *argument)
{
    struct witness *witness = argument;
    uint64_t due_ns = clock_now();

    usage_exact_timers();
    if (witness->cpu >= 0)
        (void)usage_pin(witness->cpu);
    while (!atomic_load(&witness->stop)) {
        due_ns += period_ns;
        sleep_until(due_ns);
        uint64_t now_ns = clock_now();
        uint64_t late_ns = now_ns > due_ns ? now_ns - due_ns : 0;
        if (atomic_load(&witness->counting)) {
            witness->looks++;
            if (late_ns > witness->most_ns)
                witness->most_ns = late_ns;
            if (late_ns > allowed_ns)
                witness->lost_ns += late_ns - allowed_ns;
        }
        if (late_ns > period_ns) /* one stall is counted once */
            due_ns = now_ns;
    }
    return NULL;
}

/* A thread with priority over all others is late only when the machine itself stood still. An
 * ordinary thread also waits for its turn. The client asks for this privilege, but does not require
 * it. */
static int start(struct witness *witness)
{
    const struct sched_param first = {.sched_priority = 50}; /* above other threads of this class */
    pthread_attr_t attributes;
    int result = pthread_attr_init(&attributes);

    if (result != 0)
        return result;
    (void)pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    (void)pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    (void)pthread_attr_setschedparam(&attributes, &first);
    witness->privileged = true;
    result = pthread_create(&witness->thread, &attributes, look, witness);
    if (result != 0) {
        witness->privileged = false;
        result = pthread_create(&witness->thread, NULL, look, witness);
    }
    (void)pthread_attr_destroy(&attributes);
    return result;
}

int witness_start(struct witness *witness, int cpu, struct error *error)
{
    *witness = (struct witness){.cpu = cpu};
    int result = start(witness);
    if (result != 0)
        return error_set(error, "pthread_create", "", result);
    witness->running = true;
    return 0;
}

void witness_count(struct witness *witness, bool counting)
{
    atomic_store(&witness->counting, counting);
}

void witness_stop(struct witness *witness)
{
    if (!witness->running)
        return;
    atomic_store(&witness->stop, true);
    (void)pthread_join(witness->thread, NULL);
    witness->running = false;
}

uint64_t witness_lost_ns(const struct witness *witness, uint64_t counted_ns)
{
    const uint64_t at_the_ends = 4; /* readings that may fall before or after the counted time */
    uint64_t looked_ns = (witness->looks + at_the_ends) * period_ns;
    uint64_t unseen_ns = counted_ns > looked_ns ? counted_ns - looked_ns : 0;

    return unseen_ns > witness->lost_ns ? unseen_ns : witness->lost_ns;
}
