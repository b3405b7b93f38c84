#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

enum { SIGNALS = 4, PREVENTED = 2 };

static const int known[SIGNALS] = {SIGTERM, SIGINT, SIGUSR1, SIGUSR2};
static sigset_t wanted; /* those of them that were not ignored at the start */

/* They would end the process: see signals_block(). */
static const int prevented[PREVENTED] = {SIGPIPE, SIGXFSZ};
static const char *const prevented_names[] = {"SIGPIPE", "SIGXFSZ"};

/* What this process was started with. */
static struct sigaction given[PREVENTED];
static sigset_t given_mask;

static int one_more; /* see signals_block_too(); 0: none */

/* How many events a busy loop handles before it looks for signals. To look costs two system calls.
 */
enum { EVENTS_UNHEARD = 16 };

/* A counter and not a flag: a second SIGTERM means something else than the first. The handler runs
 * only while the signals are unblocked, so plain reads and writes do not race with it. */
static volatile sig_atomic_t caught[SIGNALS];
static int pipe_ends[2] = {-1, -1};

void signals_set(sigset_t *set)
{
    *set = wanted;
}

int signals_pop(sigset_t *set)
{
    for (size_t i = 0; i < SIGNALS; i++)
        if (sigismember(set, known[i])) {
            (void)sigdelset(set, known[i]);
            return known[i];
        }
    return 0;
}

int signals_block(struct error *error)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    for (size_t i = 0; i < PREVENTED; i++)
        if (sigaction(prevented[i], &ignore, &given[i]) < 0)
            return error_set(error, "sigaction", prevented_names[i], errno);
    (void)sigemptyset(&wanted);
    for (size_t i = 0; i < SIGNALS; i++) {
        struct sigaction inherited;
        if (sigaction(known[i], NULL, &inherited) < 0 || inherited.sa_handler != SIG_IGN)
            (void)sigaddset(&wanted, known[i]);
    }
    if (sigprocmask(SIG_BLOCK, &wanted, &given_mask) < 0)
        return error_set(error, "sigprocmask", "", errno);
    return 0;
}

int signals_block_too(int number, const char *name, struct error *error)
{
    sigset_t set;

    one_more = number;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return error_set(error, "sigprocmask", name, errno);
    return 0;
}

/* The handlers go first: one that runs in the child would take a signal that is meant for the next
 * program, and write to a pipe that is the parent's, too. SIGUSR1, SIGUSR2, and what the server
 * takes besides (tls: SIGHUP) stay blocked. They reach all processes of a service
 * (docs/restart.md), and would end a program that has not begun to look after them. A blocked
 * signal waits, also over execve(2). */
int signals_give_back(void)
{
    const struct sigaction usual = {.sa_handler = SIG_DFL};
    sigset_t left = wanted;
    sigset_t mask = given_mask;
    int number;

    while ((number = signals_pop(&left)) != 0)
        if (sigaction(number, &usual, NULL) < 0)
            return -1;
    for (size_t i = 0; i < PREVENTED; i++)
        if (sigaction(prevented[i], &given[i], NULL) < 0)
            return -1;
    (void)sigaddset(&mask, SIGUSR1);
    (void)sigaddset(&mask, SIGUSR2);
    if (one_more != 0)
        (void)sigaddset(&mask, one_more);
    return sigprocmask(SIG_SETMASK, &mask, NULL);
}

static void note(int number)
{
    int saved = errno;

    for (size_t i = 0; i < SIGNALS; i++)
        if (known[i] == number)
            caught[i]++;
    if (pipe_ends[1] >= 0) /* may be full: then a byte in it wakes the loop already */
        (void)!write(pipe_ends[1], "", 1);
    errno = saved;
}

int signals_catch(sigset_t *mask, struct error *error)
{
    struct sigaction action = {.sa_handler = note};
    sigset_t left = wanted;
    int number;

    (void)sigfillset(&action.sa_mask);
    if (sigprocmask(SIG_BLOCK, NULL, mask) < 0)
        return error_set(error, "sigprocmask", "", errno);
    while ((number = signals_pop(&left)) != 0) {
        if (sigaction(number, &action, NULL) < 0)
            return error_set(error, "sigaction", "", errno);
        (void)sigdelset(mask, number);
    }
    return 0;
}

static void let_in(void)
{
    (void)sigprocmask(SIG_UNBLOCK, &wanted, NULL);
    (void)sigprocmask(SIG_BLOCK, &wanted, NULL);
}

static void empty_pipe(void)
{
    char bytes[16];

    while (pipe_ends[0] >= 0 && read(pipe_ends[0], bytes, sizeof bytes) > 0)
        continue;
}

int signals_take(int *unheard)
{
    if (*unheard >= EVENTS_UNHEARD) {
        *unheard = 0;
        let_in();
    }
    for (size_t i = 0; i < SIGNALS; i++)
        if (caught[i] > 0) {
            caught[i]--;
            return known[i];
        }
    empty_pipe();
    return 0;
}

int signals_pipe(struct error *error)
{
    if (pipe(pipe_ends) < 0)
        return error_set(error, "pipe", "", errno);
    for (int end = 0; end < 2; end++)
        if (fcntl(pipe_ends[end], F_SETFL, O_NONBLOCK) < 0 ||
            fcntl(pipe_ends[end], F_SETFD, FD_CLOEXEC) < 0)
            return error_set(error, "fcntl", "signal pipe", errno);
    return pipe_ends[0];
}
