#include "room.h"

#include "../microbench/descriptors.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Of a process besides its entries: the standard streams, the epoll, sockets to the others. */
enum { DESCRIPTORS_BESIDE = 32 };

/* Bytes of the kernel, with some to spare: an eventfd was seen to take 680 bytes with its entry in
 * the epoll, both ends of a connection 7,700, a process that holds 20,000 of them 400,000. */
enum { EVENTFD_BYTES = 1000, CONNECTION_BYTES = 9000, PROCESS_BYTES = 600000 };

struct bound {
    uint64_t most; /* entries */
    char text[160];
};

/* The number on the line that begins with `name`, or the first of the file for "". Returns whether
 * there is one. */
static bool read_number(const char *root, const char *path, const char *name, uint64_t *value)
{
    char line[256];
    bool found = false;

    (void)snprintf(line, sizeof line, "%s%s", root, path);
    FILE *file = fopen(line, "re");
    if (file == NULL)
        return false;
    while (!found && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0)
            found = sscanf(line + strlen(name), "%" SCNu64, value) == 1;
    (void)fclose(file);
    return found;
}

uint64_t room_descriptors(uint64_t wanted, const char *root)
{
    struct rlimit limit = {0};
    struct error ignored;
    uint64_t open = 0;

    (void)descriptors_reserve(wanted, "", &ignored); /* as far as the hard limit */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted)
        wanted = limit.rlim_cur;
    if (read_number(root, "/proc/sys/fs/nr_open", "", &open) && open < wanted)
        wanted = open;
    return wanted > DESCRIPTORS_BESIDE ? wanted - DESCRIPTORS_BESIDE : 0;
}

static void take(struct bound *tightest, const struct bound *other)
{
    if (other->most < tightest->most)
        *tightest = *other;
}

static void look_at_watches(const struct room_request *request, struct bound *tightest)
{
    struct bound bound;

    if (!read_number(request->root, "/proc/sys/fs/epoll/max_user_watches", "", &bound.most))
        return;
    (void)snprintf(bound.text, sizeof bound.text,
                   "fs.epoll.max_user_watches is %" PRIu64
                   " (to raise it, as root: sysctl fs.epoll.max_user_watches=%" PRIu64 ")",
                   bound.most, request->count);
    take(tightest, &bound);
}

static void look_at_files(const struct room_request *request, struct bound *tightest)
{
    struct bound bound;
    uint64_t most = 0;
    uint64_t used = 0;

    if (!read_number(request->root, "/proc/sys/fs/file-max", "", &most) ||
        !read_number(request->root, "/proc/sys/fs/file-nr", "", &used))
        return;
    bound.most = most > used ? (most - used) / entries_descriptors(request->kind) : 0;
    (void)snprintf(bound.text, sizeof bound.text,
                   "fs.file-max is %" PRIu64 ", and %" PRIu64 " files are open", most, used);
    take(tightest, &bound);
}

/* root is exempt from RLIMIT_NPROC (getrlimit(2)). */
static void look_at_processes(const struct room_request *request, uint32_t each,
                              struct bound *tightest)
{
    struct rlimit limit;
    struct bound bound;

    bound.most = room_descriptors(UINT32_MAX, request->root) * each;
    (void)snprintf(bound.text, sizeof bound.text,
                   "the descriptor limit allows %" PRIu32
                   " entries a process and a socket to each process (ulimit -Hn)",
                   each);
    take(tightest, &bound);
    if (getrlimit(RLIMIT_NPROC, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY || geteuid() == 0)
        return;
    bound.most = (uint64_t)limit.rlim_cur * each;
    (void)snprintf(bound.text, sizeof bound.text,
                   "the limit of processes is %" PRIu64 " (ulimit -u), with %" PRIu32
                   " entries each",
                   (uint64_t)limit.rlim_cur, each);
    take(tightest, &bound);
}

static void take_memory(const struct room_request *request, uint32_t each, uint64_t bytes,
                        const char *whose, struct bound *tightest)
{
    uint64_t entry = request->kind == ENTRY_TCP ? CONNECTION_BYTES : EVENTFD_BYTES;
    struct bound bound = {.most = bytes / (entry + PROCESS_BYTES / each)};

    (void)snprintf(bound.text, sizeof bound.text,
                   "%" PRIu64 " MiB of memory are free %s, and an entry needs about %" PRIu64
                   " bytes",
                   bytes >> 20, whose, entry);
    take(tightest, &bound);
}

static void look_at_memory(const struct room_request *request, uint32_t each,
                           struct bound *tightest)
{
    uint64_t most = 0;
    uint64_t used = 0;

    if (read_number(request->root, "/proc/meminfo", "MemAvailable:", &most))
        take_memory(request, each, most << 10, "here", tightest);
    if (read_number(request->root, "/sys/fs/cgroup/memory.max", "", &most) &&
        read_number(request->root, "/sys/fs/cgroup/memory.current", "", &used))
        take_memory(request, each, most > used ? most - used : 0, "in this control group",
                    tightest);
}

int room_check(const struct room_request *request, struct error *error)
{
    struct bound tightest = {.most = UINT64_MAX};
    uint32_t each = entries_most(request->kind, request->descriptors);

    if (each == 0) {
        (void)snprintf(error->text, sizeof error->text,
                       "too few descriptors for a single entry (ulimit -Hn)");
        return -1;
    }
    look_at_watches(request, &tightest);
    look_at_files(request, &tightest);
    look_at_processes(request, each, &tightest);
    look_at_memory(request, each, &tightest);
    if (request->count <= tightest.most)
        return 0;
    (void)snprintf(error->text, sizeof error->text, "%s: %" PRIu64 " fit", tightest.text,
                   tightest.most);
    return -1;
}
