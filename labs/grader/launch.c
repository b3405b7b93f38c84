/* The last of our own programs before one that nobody trusts. It is process 1 in the sandbox, or
 * its parent where there is no sandbox: it starts the program under limits and a filter of system
 * calls, stopped, and tells how it ended.
 *
 * Usage: launch STATUS_FD FILTER UID MEMORY PROCESSES DESCRIPTORS FILE CPU PROGRAM [ARGUMENT...]
 *
 * FILTER is "server" or "program" (filter_install), UID "-" or the user to become, MEMORY and
 * FILE are bytes, CPU is seconds. On STATUS_FD it writes "exec ERRNO" if the program cannot be
 * executed, and "end STATUS" (wait(2)) when it has ended. As process 1 it then ends itself, and
 * with it every process of its namespace. */
#include "filter.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS = 1, FILTER, UID, MEMORY, PROCESSES, DESCRIPTORS, FILE_SIZE, CPU, PROGRAM };

/* The observer, and whoever else works on the machine, come first. */
enum { NICE = 10 };

static rlim_t number(const char *word)
{
    return (rlim_t)strtoull(word, NULL, 10);
}

/* Soft and hard. One that is lower already stays. */
static int limit(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit now;

    if (getrlimit(resource, &now) != 0)
        return -1;
    if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
        most = now.rlim_max;
    return setrlimit(resource, &(struct rlimit){most, most});
}

/* The soft limit of descriptors is the usual one, whatever the grader's is: select(2) depends on
 * it. */
static int limit_all(char **words)
{
    rlim_t descriptors = number(words[DESCRIPTORS]);
    rlim_t soft = descriptors < 1024 ? descriptors : 1024;

    if (limit(RLIMIT_AS, number(words[MEMORY])) != 0 || limit(RLIMIT_CORE, 0) != 0 ||
        limit(RLIMIT_NPROC, number(words[PROCESSES])) != 0 ||
        limit(RLIMIT_FSIZE, number(words[FILE_SIZE])) != 0 ||
        limit(RLIMIT_CPU, number(words[CPU])) != 0 || limit(RLIMIT_MEMLOCK, 65536) != 0 ||
        limit(RLIMIT_MSGQUEUE, 0) != 0 || limit(RLIMIT_NOFILE, descriptors) != 0)
        return -1;
    return setrlimit(RLIMIT_NOFILE, &(struct rlimit){soft, descriptors});
}

static int become(const char *user)
{
    if (strcmp(user, "-") == 0)
        return 0;
    uid_t id = (uid_t)number(user);
    return setgroups(0, NULL) != 0 || setresgid(id, id, id) != 0 || setresuid(id, id, id) != 0 ? -1
                                                                                               : 0;
}

/* Whoever started the grader may have made it nicer already. To go back takes CAP_SYS_NICE
 * (capabilities(7)), which nobody has in the sandbox. */
static int be_nice(void)
{
    return getpriority(PRIO_PROCESS, 0) >= NICE ? 0 : setpriority(PRIO_PROCESS, 0, NICE);
}

/* Whoever starts us may ignore or block signals; the program begins as from a shell. */
static void usual_signals(void)
{
    sigset_t none;

    for (int signal_number = 1; signal_number < NSIG; signal_number++)
        (void)signal(signal_number, SIG_DFL);
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns only if something has failed, with errno set. The stop is here so that strace(1) can
 * attach before the program has run; the observer lets it go on. */
static void run(char **words, int status)
{
    (void)setsid();
    usual_signals();
    if (be_nice() != 0 || limit_all(words) != 0 || become(words[UID]) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_DUMPABLE, 1) != 0 ||
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || filter_install(words[FILTER]) != 0)
        return;
    for (int descriptor = STDERR_FILENO + 1; descriptor < 256; descriptor++)
        if (descriptor != status)
            (void)close(descriptor);
    (void)kill(getpid(), SIGSTOP);
    (void)execv(words[PROGRAM], words + PROGRAM);
}

static int wait_for(pid_t program)
{
    int status = 0;
    pid_t ended;

    do {
        ended = wait(&status);
    } while (ended != program && !(ended < 0 && errno != EINTR));
    return status;
}

/* What the program has left becomes ours, and so the observer finds it. */
static void adopt(void)
{
    while (wait(NULL) > 0 || errno == EINTR)
        continue;
}

int main(int count, char **words)
{
    if (count <= PROGRAM) {
        fprintf(stderr, "launch: it is for the grader (labs/grader/sandbox.py)\n");
        return 2;
    }
    int status = (int)number(words[STATUS]);
    if (fcntl(status, F_SETFD, FD_CLOEXEC) != 0 || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) {
        perror("launch");
        return 1;
    }
    pid_t program = fork();
    if (program == 0) {
        run(words, status);
        dprintf(status, "exec %d\n", errno);
        _exit(127);
    }
    if (program < 0) {
        perror("launch: fork");
        return 1;
    }
    (void)prctl(PR_SET_DUMPABLE, 0); /* nobody of its user looks into this process */
    dprintf(status, "end %d\n", wait_for(program));
    if (getpid() != 1)
        adopt();
    return 0;
}
