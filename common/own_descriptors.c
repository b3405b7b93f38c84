#ifdef __linux__
#include "own_descriptors.h"

#include "clock.h"
#include "signals.h"

#include <errno.h>
#include <stddef.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

int own_open(struct own_descriptors *own, struct error *error)
{
    sigset_t set;

    signals_set(&set);
    *own = (struct own_descriptors){.signals.fd = -1, .timer.fd = -1, .timer_ns = NEVER};
    own->signals.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (own->signals.fd < 0)
        return error_set(error, "signalfd", "", errno);
    own->timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (own->timer.fd < 0)
        return error_set(error, "timerfd_create", "", errno);
    return 0;
}

void own_close(struct own_descriptors *own)
{
    if (own->signals.fd >= 0)
        (void)close(own->signals.fd);
    if (own->timer.fd >= 0)
        (void)close(own->timer.fd);
}

/* A read(2) takes the signal out of the process: it is pending no more. Several that came together
 * need several reads, so the watch stays ready until a read finds none. */
int own_signal(struct own_descriptors *own)
{
    struct signalfd_siginfo info;
    ssize_t count;

    if (own->signals.ready == NOTHING)
        return 0;
    do
        count = read(own->signals.fd, &info, sizeof info);
    while (count < 0 && errno == EINTR);
    if (count == sizeof info)
        return (int)info.ssi_signo;
    own->signals.ready = NOTHING;
    return 0;
}

void own_timer_fired(struct own_descriptors *own)
{
    uint64_t expirations;

    (void)!read(own->timer.fd, &expirations, sizeof expirations);
    own->timer.ready = NOTHING;
    own->timer_ns = NEVER;
}

int own_timer_move(struct own_descriptors *own, uint64_t deadline_ns)
{
    struct itimerspec when = {.it_value = clock_point(deadline_ns)};

    own->timer_ns = deadline_ns;
    return timerfd_settime(own->timer.fd, TFD_TIMER_ABSTIME, &when, NULL);
}

#else
extern int own_descriptors_are_for_linux;
#endif
