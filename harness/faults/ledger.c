/* What the program holds: memory and descriptors, each with the path of the call that gave it. */
#include "inject.h"

#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { HELD = 8192, DESCRIPTORS = 4096, COMPLAINTS = 8 };

struct holding {
    const void *memory;
    const struct path *path;
};

static struct holding held[HELD];
static size_t held_count;
static const struct path *descriptors[DESCRIPTORS];
static bool closed_for_entries;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of all that stands here */

static struct {
    const char *what;
    long number;
} complaints[COMPLAINTS];
static size_t complaint_count;

static void complain(const char *what, long number)
{
    if (complaint_count == COMPLAINTS)
        return;
    complaints[complaint_count].what = what;
    complaints[complaint_count++].number = number;
}

void ledger_take_no_more(void)
{
    closed_for_entries = true;
}

static void take_memory(const void *memory, const struct path *path)
{
    if (memory == NULL || closed_for_entries)
        return;
    if (held_count == HELD) {
        complain("the ledger is full, entries:", HELD);
        return;
    }
    held[held_count++] = (struct holding){.memory = memory, .path = path};
}

/* Search the most recent first: what lives shortly is found soon. */
static void give_memory(const void *memory)
{
    if (memory == NULL)
        return;
    for (size_t i = held_count; i-- > 0;)
        if (held[i].memory == memory) {
            held[i] = held[--held_count];
            return;
        }
    complain("memory given back that is not held", 0);
}

static void take_descriptor(int fd, const struct path *path)
{
    if (fd < 0 || closed_for_entries)
        return;
    if (fd >= DESCRIPTORS)
        complain("no room in the ledger for descriptor", fd);
    else if (descriptors[fd] != NULL)
        complain("closed behind our back: descriptor", fd);
    else
        descriptors[fd] = path;
}

static void give_descriptor(int fd)
{
    if (fd < 0) /* never opened: close fails with EBADF, and does no harm */
        return;
    if (fd < DESCRIPTORS && descriptors[fd] != NULL)
        descriptors[fd] = NULL;
    else
        complain("closed, though it is not open: descriptor", fd);
}

void ledger_take_memory(const void *memory, const struct path *path)
{
    (void)pthread_mutex_lock(&lock);
    take_memory(memory, path);
    (void)pthread_mutex_unlock(&lock);
}

void ledger_give_memory(const void *memory)
{
    (void)pthread_mutex_lock(&lock);
    give_memory(memory);
    (void)pthread_mutex_unlock(&lock);
}

int ledger_take_descriptor(int fd, const struct path *path)
{
    (void)pthread_mutex_lock(&lock);
    take_descriptor(fd, path);
    (void)pthread_mutex_unlock(&lock);
    return fd;
}

void ledger_give_descriptor(int fd)
{
    (void)pthread_mutex_lock(&lock);
    give_descriptor(fd);
    (void)pthread_mutex_unlock(&lock);
}

void ledger_report(int out)
{
    for (size_t i = 0; i < held_count; i++)
        path_report(out, "memory", held[i].path);
    for (int fd = 0; fd < DESCRIPTORS; fd++)
        if (descriptors[fd] != NULL)
            path_report(out, "descriptor", descriptors[fd]);
    for (size_t i = 0; i < complaint_count; i++)
        (void)dprintf(out, "wrong %s %ld\n", complaints[i].what, complaints[i].number);
}
