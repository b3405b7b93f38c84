/* What a submission may try: hostile WHAT. It says on standard output how far it came. */
#include <limits.h>
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MIB = 1 << 20 };

static void say(const char *what, long result)
{
    printf("%s: %s\n", what, result >= 0 ? "done" : strerror(errno));
    (void)fflush(stdout);
}

static unsigned short serve(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 8) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0) {
        perror("hostile");
        exit(1);
    }
    return ntohs(address.sin_port);
}

static void sleep_on(void)
{
    for (;;)
        (void)pause();
}

static void list(const char *path)
{
    DIR *directory = opendir(path);

    printf("%s:", path);
    if (directory == NULL)
        printf(" %s", strerror(errno));
    for (struct dirent *entry; directory != NULL && (entry = readdir(directory)) != NULL;)
        if (entry->d_name[0] != '.')
            printf(" %s", entry->d_name);
    printf("\n");
}

static void look_around(void)
{
    static const char *places[] = {"/", "/proc", "/etc", "/root", "/home", "/lab", "/tmp"};

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
        list(places[i]);
    printf("user: %d\nparent: %d\n", (int)getuid(), (int)getppid());
    say("setuid(0)", setuid(0));
    say("write elsewhere", open("/usr/here", O_CREAT | O_WRONLY, 0600));
}

static void ask_the_kernel(void)
{
    int ends[2];

    say("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    say("seccomp", syscall(SYS_seccomp, 0, 0, NULL));
    say("dumpable", prctl(PR_SET_DUMPABLE, 0));
    say("unshare", unshare(CLONE_NEWUSER));
    say("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, NULL, NULL, NULL, NULL));
    say("memfd", memfd_create("x", 0));
    say("io_uring", syscall(SYS_io_uring_setup, 1, NULL));
    say("netlink", socket(AF_NETLINK, SOCK_RAW, 0));
    say("kill process 1", kill(1, SIGKILL));
    say("pipe", pipe(ends));
    say("dup", dup(1));
    say("F_DUPFD", fcntl(1, F_DUPFD, 20));
    say("epoll", epoll_create1(0));
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    say("process", child);
}

/* A process that nobody knows any more. */
static void survive(void)
{
    if (fork() == 0) {
        (void)setsid();
        if (fork() == 0) {
            (void)signal(SIGTERM, SIG_IGN);
            sleep_on();
        }
        _exit(0);
    }
    (void)wait(NULL);
}

static void fork_bomb(void)
{
    int made = 0;

    while (made < 100000 && fork() != -1)
        made++;
    sleep_on();
}

static void memory_bomb(void)
{
    for (int i = 0; i < 8; i++)
        if (fork() == 0)
            for (;;) {
                char *taken = malloc(MIB);
                if (taken != NULL)
                    memset(taken, i + 1, MIB);
                (void)usleep(1000);
            }
    sleep_on();
}

static void disk_bomb(void)
{
    static char block[MIB];
    char name[64];
    long written = 0;

    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof(name), "/tmp/big-%d", i);
        int file = open(name, O_CREAT | O_WRONLY, 0600);
        for (ssize_t count; (count = write(file, block, sizeof(block))) > 0;)
            written += count;
        (void)close(file);
    }
    printf("%ld MiB\n", written / MIB);
}

static void file_bomb(void)
{
    char name[64];

    for (int i = 0; i < 100000; i++) {
        (void)snprintf(name, sizeof(name), "/tmp/%d", i);
        int file = open(name, O_CREAT | O_WRONLY, 0600);
        (void)close(file);
        (void)usleep(100);
    }
}

static void descriptor_bomb(void)
{
    int count = 0;

    while (open("/dev/null", O_RDONLY) >= 0)
        count++;
    printf("%d: %s\n", count, strerror(errno));
}

static void flood(long blocks)
{
    static char block[65536];

    memset(block, 'x', sizeof(block));
    for (long i = 0; i < blocks; i++)
        if (write(STDOUT_FILENO, block, sizeof(block)) < 0)
            exit(1);
}

int main(int count, char **words)
{
    const char *what = count > 1 ? words[1] : "";

    if (strcmp(what, "look-around") == 0)
        look_around();
    else if (strcmp(what, "ask-the-kernel") == 0)
        ask_the_kernel();
    else if (strcmp(what, "fork-bomb") == 0)
        fork_bomb();
    else if (strcmp(what, "memory-bomb") == 0)
        memory_bomb();
    else if (strcmp(what, "disk-bomb") == 0)
        disk_bomb();
    else if (strcmp(what, "file-bomb") == 0)
        file_bomb();
    else if (strcmp(what, "descriptor-bomb") == 0)
        descriptor_bomb();
    else if (strcmp(what, "flood") == 0)
        flood(1024);
    else if (strcmp(what, "flood-without-end") == 0)
        flood(LONG_MAX);
    else if (strcmp(what, "survive") == 0)
        survive();
    else if (strcmp(what, "end") == 0)
        return 3;
    else if (strcmp(what, "crash") == 0)
        abort();
    else if (strcmp(what, "signal-all") == 0) {
        say("kill(-1)", kill(-1, SIGKILL));
        say("kill(0)", kill(0, SIGKILL));
    } else if (strcmp(what, "echo") == 0) {
        char block[4096];
        for (ssize_t size; (size = read(STDIN_FILENO, block, sizeof(block))) > 0;)
            (void)!write(STDOUT_FILENO, block, (size_t)size);
    } else if (strcmp(what, "listen") == 0) {
        printf("listening on 127.0.0.1:1\n");
        (void)fflush(stdout);
        (void)serve();
        sleep_on();
    } else if (strcmp(what, "listen-in-a-child") == 0) {
        if (fork() == 0)
            (void)serve();
        sleep_on();
    } else if (strcmp(what, "only-say") == 0) {
        printf("listening on 127.0.0.1:9000\n");
        (void)fflush(stdout);
        sleep_on();
    } else
        return 2;
    return 0;
}
