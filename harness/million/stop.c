#include "stop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>

static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
static volatile sig_atomic_t came;
static sigset_t before;

static void note(int number)
{
    came = number;
}

void stop_begin(void)
{
    struct sigaction action = {.sa_handler = note};
    sigset_t blocked;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction old;
        (void)sigaddset(&blocked, numbers[i]);
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(numbers[i], &action, NULL);
    }
    (void)sigprocmask(SIG_BLOCK, &blocked, &before);
}

int stop_await(int fd, struct error *error)
{
    struct pollfd one = {.fd = fd, .events = POLLIN};

    while (came == 0)
        if (ppoll(&one, 1, NULL, &before) >= 0)
            return 0;
        else if (errno != EINTR)
            return error_set(error, "ppoll", "", errno);
    return error_set(error, "stopped", "by a signal", EINTR);
}

int stop_signal(void)
{
    return came;
}

void stop_end(void)
{
    if (came == 0)
        return;
    (void)signal(came, SIG_DFL);
    (void)raise(came); /* it is still blocked */
    (void)sigprocmask(SIG_SETMASK, &before, NULL);
}
