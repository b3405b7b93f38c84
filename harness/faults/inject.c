/* Decides which call fails, and writes the report. */
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { WANTED = 4, PATHS = 2048, CALL_BYTES = 40, PATH_BYTES = 400 };

int __real_open(const char *path, int flags, ...);
int __real_close(int fd);
int __real_pthread_sigmask(int how, const sigset_t *set, sigset_t *before);
int __real_kqueue(void) __attribute__((weak));

/* The linker defines these: where the program's own code begins and ends. */
extern const char __executable_start[], etext[];

struct wanted {
    char call[CALL_BYTES];
    char path[PATH_BYTES];
    unsigned long when;
    unsigned long calls;
    int number;
    bool is_short;
    bool every;
    bool happened;
};

/* In memory that a child shares: what it calls before it becomes another program is counted with
 * the rest, and can fail. Its parent makes calls meanwhile, so the lock is of both. */
static struct {
    pthread_mutex_t lock;
    struct wanted wanted[WANTED];
    size_t wanted_count;
    struct path paths[PATHS];
    size_t path_count;
} * shared;

static bool is_over; /* the report is being written: no call is counted, none fails */

/* Reads one fault. Returns how many characters of the text it used. */
static size_t read_one(const char *text, struct wanted *one)
{
    char what[CALL_BYTES], when[CALL_BYTES];
    int taken = 0;

    if (sscanf(text, "%39[^:]:%399[^:]:%39[^:]:%39[^ ] %n", one->call, one->path, what, when,
               &taken) != 4 ||
        shared->wanted_count == WANTED) {
        (void)dprintf(STDERR_FILENO, "FAULT: at '%s': expected CALL:PATH:WHAT:WHEN\n", text);
        _exit(2);
    }
    one->is_short = strcmp(what, "short") == 0;
    one->number = (int)strtol(what, NULL, 10);
    one->every = when[0] == '/';
    one->when = strtoul(when + one->every, NULL, 10);
    return (size_t)taken;
}

/* What the program inherits is the program's, too. */
static void take_inherited(void)
{
    static const struct path path = {.call = "inherited", .calls = 1};
    static const struct path of_ready = {.call = "READY_FD", .calls = 1};
    const char *pid = getenv("LISTEN_PID"), *ready = getenv("READY_FD");

    if (pid == NULL || strtol(pid, NULL, 10) != (long)getpid())
        return;
    (void)ledger_take_descriptor(3, &path);
    if (ready != NULL)
        (void)ledger_take_descriptor((int)strtol(ready, NULL, 10), &of_ready);
}

static void open_lock(void)
{
    pthread_mutexattr_t of_processes;

    if (pthread_mutexattr_init(&of_processes) != 0 ||
        pthread_mutexattr_setpshared(&of_processes, PTHREAD_PROCESS_SHARED) != 0 ||
        pthread_mutex_init(&shared->lock, &of_processes) != 0)
        _exit(2);
}

__attribute__((constructor)) static void read_wanted(void)
{
    const char *text = getenv("FAULT");

    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        _exit(2);
    open_lock();
    take_inherited();
    while (text != NULL && *text != '\0') {
        struct wanted one = {0};
        text += read_one(text, &one);
        shared->wanted[shared->wanted_count++] = one;
    }
}

_Thread_local void *fault_through;

static bool is_own(uintptr_t address)
{
    return address >= (uintptr_t)__executable_start && address < (uintptr_t)etext;
}

/* Frame pointers link the frames, because the program is compiled with them. The walk ends where it
 * leaves the program's own code, above main or above what a thread began with. */
static size_t walk(void *frame, uintptr_t frames[PATH_FRAMES])
{
    const uintptr_t base = (uintptr_t)__executable_start;
    void *through = fault_through;
    size_t depth = 0;

    while (depth < PATH_FRAMES) {
        void **link = frame;
        uintptr_t address = (uintptr_t)link[1];
        if (!is_own(address) && through != NULL) {
            link = through;
            through = NULL;
            address = (uintptr_t)link[1];
        }
        if (!is_own(address))
            break;
        frames[depth++] = address - base;
        frame = link[0];
    }
    return depth;
}

static struct path *find_path(const char *call, void *frame)
{
    struct path here = {.call = call};

    here.depth = walk(frame, here.frames);
    for (size_t i = 0; i < shared->path_count; i++)
        if (shared->paths[i].depth == here.depth && strcmp(shared->paths[i].call, call) == 0 &&
            memcmp(shared->paths[i].frames, here.frames, here.depth * sizeof here.frames[0]) == 0)
            return &shared->paths[i];
    if (shared->path_count == PATHS) {
        (void)dprintf(STDERR_FILENO, "more than %d paths\n", PATHS);
        _exit(2);
    }
    shared->paths[shared->path_count] = here;
    return &shared->paths[shared->path_count++];
}

static const char *path_text(const struct path *path, char text[PATH_BYTES])
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < path->depth && used < PATH_BYTES; i++)
        used += (size_t)snprintf(text + used, PATH_BYTES - used, "%s%lx", i ? "." : "",
                                 (unsigned long)path->frames[i]);
    return text;
}

static bool is_due(struct wanted *one, const struct path *path)
{
    char text[PATH_BYTES];

    if (strcmp(one->call, path->call) != 0)
        return false;
    if (strcmp(one->path, "*") != 0 && strcmp(one->path, path_text(path, text)) != 0)
        return false;
    one->calls++;
    return one->every ? one->calls % one->when == 0 : one->calls == one->when;
}

static const struct path outside = {.call = "none"};

static struct fault decide(const char *call, void *frame)
{
    struct path *path = is_over ? NULL : find_path(call, frame);
    struct fault fault = {.path = path};

    if (path == NULL)
        return (struct fault){.path = &outside};
    path->calls++;
    for (size_t i = 0; i < shared->wanted_count; i++)
        if (is_due(&shared->wanted[i], path)) {
            shared->wanted[i].happened = true;
            fault.number = shared->wanted[i].number;
            fault.is_short = shared->wanted[i].is_short;
            fault.fails = !fault.is_short;
        }
    return fault;
}

/* A program may have several threads: they count together. A signal handler makes calls, too: one
 * that ran here, on top of the thread that holds the lock, would wait for it forever.
 * Before main() the mmap(2) of read_wanted() comes here, too: there is nothing to count in yet. */
struct fault fault_of(const char *call, void *frame)
{
    sigset_t all, before;

    if (shared == NULL)
        return (struct fault){.path = &outside};
    (void)sigfillset(&all);
    (void)__real_pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)pthread_mutex_lock(&shared->lock);
    struct fault fault = decide(call, frame);
    (void)pthread_mutex_unlock(&shared->lock);
    (void)__real_pthread_sigmask(SIG_SETMASK, &before, NULL);
    return fault;
}

int fault_fail(const struct fault *fault)
{
    errno = fault->number;
    return -1;
}

void path_report(int out, const char *what, const struct path *path)
{
    char text[PATH_BYTES];

    (void)dprintf(out, "%s %s %lu %s\n", what, path->call, path->calls, path_text(path, text));
}

/* The emulation of kqueue does not notice when its descriptor is closed. It cleans up when the next
 * kqueue is made. So make one. What that one holds is not counted as the program's. */
static void clear_closed_kqueues(void)
{
    if (__real_kqueue == NULL)
        return;
    ledger_take_no_more();
    (void)__real_kqueue();
}

__attribute__((destructor)) static void write_report(void)
{
    const char *name = getenv("FAULT_REPORT");
    int saved = errno;

    if (name == NULL)
        return;
    int out = __real_open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (out < 0)
        return;
    size_t happened = 0;
    for (size_t i = 0; i < shared->wanted_count; i++)
        happened += shared->wanted[i].happened;
    for (size_t i = 0; i < shared->path_count; i++)
        path_report(out, "site", &shared->paths[i]);
    is_over = true;
    clear_closed_kqueues();
    ledger_report(out);
    (void)dprintf(out, "happened %zu\n", happened);
    (void)__real_close(out);
    errno = saved;
}
