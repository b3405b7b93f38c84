#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

/* Those whose default action ends a program (signal(7)), and that somebody else sends. SIGABRT,
 * SIGSEGV and their like say that the program itself is wrong. SIGQUIT is there for a core dump. */
static const int ends[] = {
    SIGINT,    SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGIO,
#ifdef SIGPWR
    SIGPWR,
#endif
#ifdef SIGSTKFLT
    SIGSTKFLT,
#endif
};

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

/* A signal that was ignored stays so: whoever started the program means it. Without SA_RESTART: a
 * call that waits is to end. Each of them is repeated where it must be. */
static int catch_one(int number, sigset_t *taken, struct error *error)
{
    const struct sigaction action = {.sa_handler = note};
    struct sigaction inherited;

    if (sigaction(number, NULL, &inherited) == 0 && inherited.sa_handler == SIG_IGN)
        return 0;
    if (sigaction(number, &action, NULL) < 0)
        return error_set(error, "sigaction", "", errno);
    (void)sigaddset(taken, number);
    return 0;
}

/* The C library keeps some of the real-time signals for itself. SIGRTMIN is above these. */
static int catch_real_time(sigset_t *taken, struct error *error)
{
#ifdef SIGRTMIN
    for (int number = SIGRTMIN; number <= SIGRTMAX; number++)
        if (catch_one(number, taken, error) < 0)
            return -1;
#endif
    (void)taken, (void)error;
    return 0;
}

int stop_catch(struct error *error)
{
    sigset_t taken;

    if (ignore(SIGPIPE, error) < 0 || ignore(SIGXFSZ, error) < 0)
        return -1;
    (void)sigemptyset(&taken);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (catch_one(ends[i], &taken, error) < 0)
            return -1;
    if (catch_real_time(&taken, error) < 0)
        return -1;
    /* A parent may have blocked them. No thread has been started yet, so all get this mask. */
    return sigprocmask(SIG_UNBLOCK, &taken, NULL) < 0 ? error_set(error, "sigprocmask", "", errno)
                                                      : 0;
}
