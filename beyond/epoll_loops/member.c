/* What a loop's thread does besides its turns: it reads letters, counts its connections among those
 * of all, and answers a request for statistics.
 *
 * The flags in struct team are counters that only grow. Whoever raises one rings: a letter to each
 * loop, the bell for the main thread. Whoever is rung compares each counter with what it has seen
 * of it. So two rings that come together lose nothing. A pipe that is full loses nothing either: it
 * is readable, and its reader will look. */
#include "team.h"

#include <errno.h>
#include <unistd.h>

enum { LETTERS_A_READ = 64 };
enum { STOPS = 1, LEAVES = 2 }; /* what the flags ask of a loop */

bool team_reserve(struct team *team)
{
    if (atomic_fetch_add(&team->connections, 1) < team->service.options.max_conns)
        return true;
    team_release(team);
    return false;
}

void team_release(struct team *team)
{
    (void)atomic_fetch_sub(&team->connections, 1);
}

/* A write of few bytes to a pipe is whole or fails (pipe(7)). */
bool member_send(const struct member *member, int descriptor)
{
    ssize_t size;

    do
        size = write(member->letters, &descriptor, sizeof descriptor);
    while (size < 0 && errno == EINTR);
    return size == sizeof descriptor;
}

/* A lost ring would be a stop that a loop never hears of. A pipe that is full needs none, so the
 * second failure is of no account, and nobody waits here for room. */
void team_ring_loops(struct team *team)
{
    for (uint32_t i = 0; i < team->count; i++)
        for (int tries = 2; tries > 0 && !member_send(&team->members[i], 0); tries--)
            continue;
}

/* A counter of 64 bits cannot be full here, so this write cannot fail for want of room. */
static void ring_main(struct team *team)
{
    const uint64_t one = 1;

    while (write(team->bell, &one, sizeof one) < 0 && (errno == EINTR || errno == EAGAIN))
        continue;
}

/* A descriptor that one loop closes is one that any listener may use: descriptors belong to the
 * process. Without the bell another loop's listener would rest for up to a second more.
 * Whoever closes counts first, and then looks whether a listener rests. Whoever rests says so
 * first, and then looks at the count. So one of the two sees what the other has done. The order is
 * that of all sequentially consistent atomics (C17, 7.17.3). */
void team_freed(struct team *team)
{
    (void)atomic_fetch_add(&team->freed, 1);
    if (atomic_load(&team->resting) == 0)
        return;
    team_ring_loops(team);
    ring_main(team);
}

bool team_begins_rest(struct team *team, unsigned *seen, struct listener *listener)
{
    (void)atomic_fetch_add(&team->resting, 1);
    team_look_for_free(team, seen, listener);
    if (listener_wants(listener) == NOTHING)
        return true;
    team_ends_rest(team);
    return false;
}

void team_ends_rest(struct team *team)
{
    (void)atomic_fetch_sub(&team->resting, 1);
}

bool member_rests(struct member *member, bool rests)
{
    if (rests)
        return team_begins_rest(member->team, &member->freed_seen, &member->loop.service.listener);
    team_ends_rest(member->team);
    return true;
}

void team_look_for_free(const struct team *team, unsigned *seen, struct listener *listener)
{
    unsigned freed = atomic_load(&team->freed);

    if (freed != *seen)
        listener_wake(listener);
    *seen = freed;
}

/* Copies what the loop has counted. Only the loop itself can do that between two turns, when all
 * numbers fit together. A request wakes every loop. It counts as one wait, as with one loop. */
static void report(struct member *member, bool alone)
{
    struct stats *stats = member->loop.context.stats;
    unsigned reports = atomic_load(&member->team->reports);

    if (atomic_load(&member->reported) == reports)
        return;
    if (alone && member != member->team->members) {
        stats->waits--;
        stats->events--;
    }
    member->snapshot = *stats;
    member->snapshot_connections = member->loop.connections.count;
    atomic_store(&member->reported, reports);
    ring_main(member->team);
}

/* Takes over up to LETTERS_A_READ peers. Returns how many letters there were. */
static size_t read_letters(struct member *member)
{
    int letters[LETTERS_A_READ];
    ssize_t size;

    do
        size = read(member->inbox, letters, sizeof letters);
    while (size < 0 && errno == EINTR);
    size_t count = size > 0 ? (size_t)size / sizeof letters[0] : 0;
    for (size_t i = 0; i < count; i++) {
        size_t before = member->loop.connections.count;
        if (letters[i] == 0)
            continue;
        loop_admit(&member->loop, letters[i]);
        if (member->loop.connections.count == before)
            team_release(member->team); /* refused, for want of memory */
    }
    return count;
}

/* The main thread waits for this before it makes a copy of the process (handover.c). So no loop has
 * a connection then that it has ended, and not closed yet, without taking it out of its set. A loop
 * that should leave obeys when it has left. */
void member_obeys(struct member *member)
{
    unsigned orders = atomic_load(&member->team->orders);

    if (atomic_load(&member->obeyed) == orders)
        return;
    if (atomic_load(&member->team->leaving) && !member->loop.stopping)
        return; /* the letter that says so is in the inbox */
    atomic_store(&member->obeyed, orders);
    ring_main(member->team);
}

static unsigned asked_of(const struct member *member)
{
    bool stops = atomic_load(&member->team->stops) != member->stops_taken;
    bool leaves = atomic_load(&member->team->leaving) && !member->loop.stopping;

    return (stops ? STOPS : 0U) | (leaves ? LEAVES : 0U);
}

/* All peers that were handed over before the stop are taken over before it. So the flags are looked
 * at first: the main thread raises them when it has written its last letter with a peer. And they
 * are looked at again: a flag may have been raised meanwhile, and its letter be among those that
 * were read. No further one comes. */
bool member_reads(struct member *member, bool alone)
{
    unsigned asked, now = asked_of(member);

    do {
        asked = now;
        while (read_letters(member) == LETTERS_A_READ && asked != 0)
            continue;
        now = asked_of(member);
    } while (now != asked);
    if (asked & LEAVES)
        loop_leave(&member->loop);
    team_look_for_free(member->team, &member->freed_seen, &member->loop.service.listener);
    report(member, alone);
    member->stops_taken += asked & STOPS;
    return asked & STOPS;
}

void *member_run(void *argument)
{
    struct member *member = argument;

    (void)pthread_mutex_lock(&member->team->gate);
    (void)pthread_mutex_unlock(&member->team->gate);
    member->result = loop_run(&member->loop, &member->error);
    atomic_store(&member->ended, true);
    ring_main(member->team);
    return NULL;
}
