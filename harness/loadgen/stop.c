#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGXCPU};

static atomic_uint count;

static void note(int number)
{
    (void)number;
    atomic_fetch_add(&count, 1);
}

unsigned stop_count(void)
{
    return atomic_load(&count);
}

static int ignore(int number, struct error *error)
{
    const struct sigaction action = {.sa_handler = SIG_IGN};

    return sigaction(number, &action, NULL) < 0 ? error_set(error, "sigaction", "", errno) : 0;
}

/* Without SA_RESTART: a call that waits is to end. Each of them is repeated where it must be. */
int stop_catch(struct error *error)
{
    const struct sigaction action = {.sa_handler = note};
    sigset_t taken;

    if (ignore(SIGPIPE, error) < 0 || ignore(SIGXFSZ, error) < 0)
        return -1;
    (void)sigemptyset(&taken);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct sigaction inherited;
        if (sigaction(ends[i], NULL, &inherited) == 0 && inherited.sa_handler == SIG_IGN)
            continue;
        if (sigaction(ends[i], &action, NULL) < 0)
            return error_set(error, "sigaction", "", errno);
        (void)sigaddset(&taken, ends[i]);
    }
    /* A parent may have blocked them. No thread has been started yet, so all get this mask. */
    return sigprocmask(SIG_UNBLOCK, &taken, NULL) < 0 ? error_set(error, "sigprocmask", "", errno)
                                                      : 0;
}
