#include "alone.h"

#include "../microbench/descriptors.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/select.h>

enum { BESIDE = 16 }; /* numbers that the entries cannot have, because the program has them */

static int beyond(const char *name, uint64_t needed, struct error *error)
{
    (void)snprintf(error->text, sizeof error->text,
                   "%s: ends at FD_SETSIZE, which is %d; this needs %" PRIu64 " descriptors", name,
                   (int)FD_SETSIZE, needed);
    return -1;
}

int alone_check(const struct mechanism_kind *kind, enum entry_kind entry, uint64_t count,
                struct error *error)
{
    uint64_t needed = count * entries_descriptors(entry);

    if (kind == &mechanism_select && needed + BESIDE > FD_SETSIZE)
        return beyond(kind->name, needed, error);
    return descriptors_reserve(needed, kind->name, error);
}

int alone_open(struct alone *alone, const struct mechanism_kind *kind, enum entry_kind entry,
               uint32_t count, struct error *error)
{
    *alone = (struct alone){.kind = kind};
    alone->mechanism = kind->open(count, error);
    if (alone->mechanism == NULL || entries_open(&alone->entries, entry, count, 0, error) < 0)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        int fd = alone->entries.watched[i];
        if (kind == &mechanism_select && fd >= FD_SETSIZE)
            return beyond(kind->name, (uint64_t)fd, error);
        if (kind->add(alone->mechanism, fd, error) < 0)
            return -1;
    }
    return 0;
}

void alone_close(struct alone *alone)
{
    entries_close(&alone->entries);
    if (alone->mechanism != NULL)
        alone->kind->close(alone->mechanism);
}

static int wait_once(void *state)
{
    struct alone *alone = state;

    return alone->kind->wait(alone->mechanism, 0);
}

static void take(void *context, uint32_t number)
{
    uint64_t *reported = context;

    *reported = number;
}

static uint64_t found(void *state)
{
    struct alone *alone = state;

    alone->kind->visit(alone->mechanism, take, &alone->reported);
    return alone->reported;
}

static int fill(void *state, uint64_t number, struct error *error)
{
    const struct alone *alone = state;

    return entries_fill(&alone->entries, (uint32_t)number, error);
}

static int drain(void *state, uint64_t number, struct error *error)
{
    const struct alone *alone = state;

    return entries_drain(&alone->entries, (uint32_t)number, error);
}

struct crowd alone_crowd(struct alone *alone)
{
    return (struct crowd){alone, alone->entries.count, wait_once, found, fill, drain};
}
