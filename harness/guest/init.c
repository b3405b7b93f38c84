/* The first program of the guest in which instructions are counted: it runs the commands of /plan
 * one after the other, writes what each prints to the second serial port, and switches the machine
 * off. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LONGEST_LINE = 1024, MOST_WORDS = 64, DESCRIPTORS = 100000 };

static const char results[] = "/dev/ttyS1";
static const char plan[] = "/plan";

/* The console goes to a file of the host, which shows its end when the guest fails. */
static void complain(const char *what)
{
    (void)fprintf(stderr, "init: %s: %s\n", what, strerror(errno));
}

/* The kernel gives the loopback its address, 127.0.0.1/8, when it comes up. */
static int loopback_up(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    int status = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &request);

    if (status < 0)
        complain("the loopback cannot be switched on");
    if (fd >= 0)
        (void)close(fd);
    return status;
}

static int raise_limit(void)
{
    const struct rlimit limit = {DESCRIPTORS, DESCRIPTORS};

    if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return 0;
    complain("setrlimit");
    return -1;
}

static _Noreturn void execute(char *line)
{
    char *words[MOST_WORDS + 1] = {NULL};
    size_t count = 0;

    for (char *word = strtok(line, " \n"); word != NULL && count < MOST_WORDS;
         word = strtok(NULL, " \n"))
        words[count++] = word;
    if (count > 0)
        (void)execv(words[0], words);
    (void)printf("cannot execute %s: %s\n", line, strerror(errno));
    (void)fflush(stdout);
    _exit(127);
}

/* Both streams of the command go to the results, so that the reason of a failure stands where its
 * figures would. */
static void run(unsigned number, char *line)
{
    int status = 0;

    (void)printf("begin %u\n", number);
    (void)fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(STDOUT_FILENO, STDERR_FILENO);
        execute(line);
    }
    if (child < 0 || waitpid(child, &status, 0) < 0)
        status = -1;
    (void)printf("end %u %d\n", number,
                 WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    (void)fflush(stdout);
}

static void run_plan(void)
{
    char line[LONGEST_LINE];
    FILE *file = fopen(plan, "re");

    if (file == NULL) {
        complain(plan);
        return;
    }
    for (unsigned number = 0; fgets(line, sizeof line, file) != NULL; number++)
        run(number, line);
    (void)fclose(file);
    (void)printf("done\n");
    (void)fflush(stdout);
}

int main(void)
{
    int fd = open(results, O_WRONLY | O_NOCTTY | O_CLOEXEC);

    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
        complain(results);
    else if (loopback_up() == 0 && raise_limit() == 0)
        run_plan();
    /* Ends the emulator. Not before all bytes have left: a closed serial port would drop them. */
    (void)fsync(STDOUT_FILENO);
    (void)reboot(RB_POWER_OFF);
    complain("reboot");
    return 1;
}
