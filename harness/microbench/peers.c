#include "peers_child.h"

#include "../../common/clock.h"
#include "descriptors.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static int open_listener(struct peers *peers, struct sockaddr_in *address, struct error *error)
{
    socklen_t size = sizeof *address;

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    peers->listener = socket(AF_INET, SOCK_STREAM, 0);
    if (peers->listener < 0)
        return error_set(error, "socket", "", errno);
    if (bind(peers->listener, (const struct sockaddr *)address, size) < 0)
        return error_set(error, "bind", "127.0.0.1", errno);
    if (listen(peers->listener, PEERS_BATCH) < 0)
        return error_set(error, "listen", "127.0.0.1", errno);
    if (getsockname(peers->listener, (struct sockaddr *)address, &size) < 0)
        return error_set(error, "getsockname", "", errno);
    return 0;
}

static void close_if_open(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

static int start_child(struct peers *peers, const struct peers_plan *plan,
                       const struct sockaddr_in *address, struct error *error)
{
    int commands[2] = {-1, -1};
    int answers[2] = {-1, -1};

    if (pipe(commands) < 0 || pipe(answers) < 0) {
        int number = errno;
        close_if_open(&commands[0]);
        close_if_open(&commands[1]);
        return error_set(error, "pipe", "to the other ends", number);
    }
    peers->commands = commands[1];
    peers->answers = answers[0];
    peers->process = fork();
    if (peers->process == 0) {
        (void)close(commands[1]); /* otherwise the child would not see its parent end */
        (void)close(answers[0]);
        (void)close(peers->listener);
        peers_live(plan, address, commands[0], answers[1]);
    }
    int number = errno;
    (void)close(commands[0]);
    (void)close(answers[1]);
    if (peers->process < 0)
        return error_set(error, "fork", "", number);
    return descriptors_unblock(peers->answers, "of a pipe", error);
}

static int command(struct peers *peers, enum command what, struct error *error)
{
    unsigned char byte = (unsigned char)what;

    if (write(peers->commands, &byte, 1) == 1)
        return 0;
    return error_set(error, "write", "to the process of the other ends", errno);
}

/* Yields and does not sleep: on one CPU the child then runs, on two it disturbs nobody. */
static int await(struct peers *peers, struct error *error)
{
    const uint64_t patience_ns = 60 * NANOSECONDS_A_SECOND;
    uint64_t deadline_ns = clock_after(clock_now(), patience_ns);
    struct answer answer;

    for (;;) {
        ssize_t got = read(peers->answers, &answer, sizeof answer);
        if (got == (ssize_t)sizeof answer)
            break;
        if (got >= 0)
            return error_set(error, "read", "from the process of the other ends", EPIPE);
        if (errno != EAGAIN && errno != EINTR)
            return error_set(error, "read", "from the process of the other ends", errno);
        if (clock_now() > deadline_ns)
            return error_set(error, "read", "from the process of the other ends", ETIMEDOUT);
        (void)sched_yield();
    }
    if (answer.result < 0)
        *error = answer.error;
    return answer.result;
}

static int accept_one(struct peers *peers, int *end, struct error *error)
{
    do
        *end = accept(peers->listener, NULL, NULL);
    while (*end < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (*end < 0)
        return error_set(error, "accept", "127.0.0.1", errno);
    return descriptors_unblock(*end, "of a socket", error);
}

/* Connecting and accepting alternate in batches. So the listener's queue never overflows, and the
 * order of accepting is the order of connecting. */
static int connect_all(struct peers *peers, uint32_t count, int *ends, struct error *error)
{
    uint32_t done = 0;

    while (done < count) {
        if (command(peers, COMMAND_CONNECT, error) < 0 || await(peers, error) < 0)
            return -1;
        for (uint32_t i = 0; i < PEERS_BATCH && done < count; i++)
            if (accept_one(peers, &ends[done++], error) < 0)
                return -1;
    }
    return 0;
}

int peers_open(struct peers *peers, const struct peers_plan *plan, int *ends, struct error *error)
{
    struct sockaddr_in address;

    *peers = (struct peers){.process = -1, .commands = -1, .answers = -1, .listener = -1};
    for (uint32_t i = 0; i < plan->count; i++)
        ends[i] = -1;
    (void)signal(SIGPIPE, SIG_IGN);
    if (open_listener(peers, &address, error) < 0 ||
        start_child(peers, plan, &address, error) < 0 ||
        connect_all(peers, plan->count, ends, error) < 0)
        return -1;
    close_if_open(&peers->listener);
    return 0;
}

int peers_write(struct peers *peers, struct error *error)
{
    return command(peers, COMMAND_WRITE, error) < 0 ? -1 : await(peers, error);
}

int peers_converse(struct peers *peers, struct error *error)
{
    return command(peers, COMMAND_CONVERSE, error);
}

int peers_conversed(struct peers *peers, struct error *error)
{
    return await(peers, error);
}

void peers_close(struct peers *peers)
{
    if (peers->process > 0) {
        (void)kill(peers->process, SIGKILL); /* the child has nothing to clean up */
        while (waitpid(peers->process, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    close_if_open(&peers->commands);
    close_if_open(&peers->answers);
    close_if_open(&peers->listener);
}
