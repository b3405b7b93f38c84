#include "restart.h"

#include "clock.h"
#include "inherited.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef __GLIBC__ /* which declares it in unistd.h */
extern char **environ;
#endif

/* The new program's pipe has the number behind its listener. The child first moves what it needs
 * above both, so that neither dup2(2) closes something that is still needed. */
enum { READY_NUMBER = INHERITED_LISTENER + 1, ABOVE = READY_NUMBER + 1 };

/* All that the child needs, prepared before fork(2): between fork and exec it may call hardly any
 * function, because another thread may hold the lock of malloc(3) for ever (signal-safety(7)). */
struct command {
    char path[PATH_MAX];
    char **arguments;
    char **environment;
    char pid[sizeof "LISTEN_PID=" + 3 * sizeof(pid_t)]; /* the child writes its own number here */
};

void restart_init(struct restart *restart)
{
    *restart =
        (struct restart){.watch = {.fd = -1, .of_service = true}, .word = -1, .deadline_ns = NEVER};
}

bool restart_under_way(const struct restart *restart)
{
    return restart->watch.fd >= 0;
}

static void close_pipe(int ends[2])
{
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static int open_pipe(int ends[2], struct error *error)
{
    if (pipe(ends) < 0)
        return error_set(error, "pipe", "of a restart", errno);
    if (fcntl(ends[0], F_SETFD, FD_CLOEXEC) == 0 && fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0)
        return 0;
    int number = errno;
    close_pipe(ends);
    return error_set(error, "fcntl", "pipe of a restart", number);
}

int restart_open(struct restart *restart, struct error *error)
{
    int ends[2];

    if (open_pipe(ends, error) < 0)
        return -1;
    if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0) {
        int number = errno;
        close_pipe(ends);
        return error_set(error, "fcntl", "pipe of a restart", number);
    }
    restart->watch.fd = ends[0];
    restart->watch.ready = NOTHING;
    restart->word = ends[1];
    return 0;
}

/* By the name that the program was started by, as a shell looks for it. Not /proc/self/exe: a new
 * version has taken the old one's place under its name, and that link still leads to the old file.
 * A relative path counts from the working directory, which a server never leaves. */
static int find_program(const char *name, char path[PATH_MAX], struct error *error)
{
    const char *directories = getenv("PATH");

    if (strchr(name, '/') != NULL) {
        if (snprintf(path, PATH_MAX, "%s", name) < PATH_MAX)
            return 0;
        return error_set(error, "execve", "argv[0]", ENAMETOOLONG);
    }
    while (directories != NULL && *name != '\0') {
        int length = (int)strcspn(directories, ":");
        /* An empty entry means the working directory. */
        int size =
            snprintf(path, PATH_MAX, "%.*s%s%s", length, directories, length ? "/" : "./", name);
        if (size < PATH_MAX && access(path, X_OK) == 0)
            return 0;
        directories = directories[length] == ':' ? directories + length + 1 : NULL;
    }
    return error_set(error, "looking in PATH for", name, ENOENT);
}

static bool is_ours(const char *variable)
{
    static const char *const names[] = {
        "LISTEN_PID=", "LISTEN_FDS=", "LISTEN_FDNAMES=", "READY_FD="};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(variable, names[i], strlen(names[i])) == 0)
            return true;
    return false;
}

static size_t variables_in(char **environment)
{
    size_t count = 0;

    while (environment != NULL && environment[count] != NULL)
        count++;
    return count;
}

/* The environment of this process, with the four variables in place of those that it was given
 * itself. Only the array is new: the child's memory is a copy anyway. */
static char **environment_with(char *pid)
{
    static char count[] = "LISTEN_FDS=1", ready[32];
    size_t size = variables_in(environ), used = 0;

    char **variables = malloc((size + 4) * sizeof *variables);
    if (variables == NULL)
        return NULL;
    for (size_t i = 0; i < size; i++)
        if (!is_ours(environ[i]))
            variables[used++] = environ[i];
    (void)snprintf(ready, sizeof ready, "READY_FD=%d", READY_NUMBER);
    variables[used++] = count;
    variables[used++] = ready;
    variables[used++] = pid;
    variables[used] = NULL;
    return variables;
}

/* snprintf(3) is not among the functions that a child of a program with threads may call. */
static void write_number(char *text, pid_t number)
{
    char digits[3 * sizeof number];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0)
        *text++ = digits[--count];
    *text = '\0';
}

/* Out of the way of the numbers that the new program expects. If it fails, the old number stays. */
static bool move_up(int *fd)
{
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, ABOVE);

    if (moved < 0)
        return false;
    *fd = moved;
    return true;
}

/* The child: becomes the new program, or writes the number of an error and ends. LISTEN_PID must be
 * its own process id, which nobody knows before fork(2): this is why posix_spawn(3) does not do. */
static _Noreturn void become(struct command *command, int listener, int word, int failure)
{
    int result = -1;

    write_number(command->pid + sizeof "LISTEN_PID=" - 1, getpid());
    if (move_up(&failure) && move_up(&listener) && move_up(&word) &&
        dup2(listener, INHERITED_LISTENER) >= 0 && dup2(word, READY_NUMBER) >= 0 &&
        signals_give_back() == 0)
        result = execve(command->path, command->arguments, command->environment);
    int number = result < 0 ? errno : 0;
    (void)!write(failure, &number, sizeof number);
    _exit(EXIT_FAILURE);
}

/* The writing end is close-on-exec: a successful execve(2) closes it, and read(2) finds the end.
 * Waiting here is not only for the error. As long as the child is a copy of this process, it has
 * every descriptor too. A connection that this process closes meanwhile would send no FIN. A kernel
 * that remembers open files and not their numbers would go on reporting it, although its memory is
 * free by then. */
static int failure_of(int end)
{
    int number = 0;
    ssize_t count;

    do
        count = read(end, &number, sizeof number);
    while (count < 0 && errno == EINTR);
    return count == (ssize_t)sizeof number ? number : 0;
}

/* Where SIGCHLD is ignored, as a parent may leave it, nobody learns how a child has ended:
 * waitpid(2) waits for the end, and fails with ECHILD. */
enum { NOT_KNOWN = -1 };

static void wait_for(pid_t pid, int *status)
{
    *status = NOT_KNOWN;
    while (waitpid(pid, status, 0) < 0 && errno == EINTR)
        continue;
}

static int start_child(struct restart *restart, struct command *command, int listener,
                       struct error *error)
{
    int ends[2], status;

    if (open_pipe(ends, error) < 0)
        return -1;
    restart->pid = fork();
    int number = errno;
    if (restart->pid == 0)
        become(command, listener, restart->word, ends[1]);
    (void)close(ends[1]);
    if (restart->pid > 0)
        number = failure_of(ends[0]);
    (void)close(ends[0]);
    if (restart->pid < 0)
        return error_set(error, "fork", "", number);
    if (number == 0)
        return 0;
    wait_for(restart->pid, &status);
    return error_set(error, "execve", command->path, number);
}

int restart_start(struct restart *restart, char **argv, int listener, struct error *error)
{
    struct command command = {.arguments = argv, .pid = "LISTEN_PID="};

    if (find_program(argv[0] ? argv[0] : "", command.path, error) < 0)
        return -1;
    command.environment = environment_with(command.pid);
    if (command.environment == NULL)
        return error_set(error, "malloc", "environment", errno);
    int result = start_child(restart, &command, listener, error);
    free(command.environment);
    /* The new program has the only writing end from now on: when it ends, the pipe says so. */
    (void)close(restart->word);
    restart->word = -1;
    return result;
}

static void explain_end(int status, struct error *error)
{
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    char how[32] = "";

    if (status != NOT_KNOWN)
        (void)snprintf(how, sizeof how, " (%s %d)", WIFSIGNALED(status) ? "signal" : "exit status",
                       number);
    (void)snprintf(error->text, sizeof error->text, "the new program ended before it listened%s",
                   how);
}

static ssize_t read_word(const struct restart *restart)
{
    char byte;
    ssize_t count;

    do
        count = read(restart->watch.fd, &byte, 1);
    while (count < 0 && errno == EINTR); /* an edge would not come again */
    return count;
}

/* The end of the pipe says that the program is ending, or that it has closed a pipe that it should
 * have written to. SIGKILL does nothing to the first, not even to its exit status. It makes sure of
 * the second: so waitpid(2) does not wait for long. */
enum restart_result restart_hear(struct restart *restart, uint64_t now_ns, struct error *error)
{
    int status;
    ssize_t count = read_word(restart);

    if (count > 0)
        return RESTART_LISTENS;
    bool silent = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    if (silent && now_ns < restart->deadline_ns)
        return RESTART_WAITS;
    (void)kill(restart->pid, SIGKILL);
    wait_for(restart->pid, &status);
    if (silent)
        (void)snprintf(error->text, sizeof error->text,
                       "the new program did not listen within --restart-timeout");
    else
        explain_end(status, error);
    return RESTART_FAILED;
}

/* One that hangs before it listens may have SIGTERM blocked, as our servers have. It would keep the
 * listener open, and peers would connect to nobody. */
void restart_abandon(const struct restart *restart)
{
    int status;

    if (read_word(restart) > 0) {
        (void)kill(restart->pid, SIGTERM);
        return;
    }
    (void)kill(restart->pid, SIGKILL);
    wait_for(restart->pid, &status);
}

void restart_close(struct restart *restart)
{
    (void)close(restart->watch.fd);
    if (restart->word >= 0)
        (void)close(restart->word);
    restart_init(restart);
}
