/* The seam between the server and io_uring(7): the next entry, the wait, the next completion.
 *
 * All that goes to the kernel through the ring, and all that comes back, goes through these
 * functions. strace(1) and a preloaded library see nothing of it: the two queues are memory that is
 * shared with the kernel. So this is where faults are injected, and where a debugger can look.
 *
 * A landing is a buffer that the kernel picks for a receive when bytes have come, and not before:
 * ten thousand silent connections need none. All landings stand in one ring that is registered with
 * the kernel (io_uring_setup_buf_ring(3)). */
#ifndef URING_RING_H
#define URING_RING_H

#include "../../common/error.h"

#include <liburing.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many landings. As many as can be received in one wake-up, and no more: the kernel takes them
 * in turn, so each message lands in the one that was used longest ago. 1,024 do not stay in the
 * processor's cache. The build sets another number for experiment E17 only. */
#ifndef URING_LANDINGS
#define URING_LANDINGS 128
#endif

enum {
    LANDINGS = URING_LANDINGS,     /* a power of 2 */
    LANDING_BYTES = 8 * 1024 + 64, /* no power of 2: their beginnings share no line of the cache */
    LANDING_GROUP = 0,
};

struct ring {
    struct io_uring uring;
    struct io_uring_buf_ring *landing_ring; /* what the kernel may use; mmap(2) */
    uint8_t *landings;                      /* LANDINGS * LANDING_BYTES; mmap(2) */
    unsigned landings_free;
    size_t flying; /* entries whose last completion has not come */
    bool is_open;
};

struct completion {
    void *of;      /* what the entry was given */
    unsigned kind; /* likewise: below KINDS */
    int result;    /* what the system call would have returned, or -errno */
    bool more;     /* the entry stays armed; further completions follow */
    uint8_t *landing;
};

enum { KINDS = 8 };

/* What stands in the user_data of an entry and comes back with its completion: `of` and its kind in
 * one word. The word has 64 bits everywhere, and an address of user space leaves the highest free.
 * The lowest bits of an address are not free: where addresses have 32 bits, a struct may begin at
 * any multiple of 4. */
static inline uint64_t ring_token(const void *of, unsigned kind)
{
    return (uint64_t)(uintptr_t)of * KINDS + kind;
}

/* Makes the ring and the landings (io_uring_setup(2)). Returns 0, or -1 with error filled, and
 * ring_close is needed all the same. */
int ring_open(struct ring *ring, struct error *error);

/* No entry may be flying: the kernel would go on using the memory that it was given. */
void ring_close(struct ring *ring);

/* The next free entry of the submission queue, for the caller to fill. When the queue is full, the
 * kernel is given what is in it, which costs a call. Returns NULL with errno set when it does not
 * take that. */
struct io_uring_sqe *ring_entry(struct ring *ring, void *of, unsigned kind);

/* Puts an entry into the queue that cancels all others. Returns 0, or -1 with errno set. */
int ring_cancel_all(struct ring *ring, void *of, unsigned kind);

/* Submits all entries, and waits until there is a completion, or until deadline_ns
 * (CLOCK_MONOTONIC, as now_ns; NEVER: no limit). One io_uring_enter(2). Returns how many
 * completions there are, 0 when the time is over, or -1 with errno set. */
int ring_wait(struct ring *ring, uint64_t deadline_ns, uint64_t now_ns);

/* The same without waiting. */
int ring_submit(struct ring *ring);

/* Does the kernel have an entry whose last completion has not come? */
bool ring_in_flight(const struct ring *ring);

/* Takes the oldest completion. Returns false when there is none. */
bool ring_completion(struct ring *ring, struct completion *completion);

/* Gives a landing back to the kernel. No send may be reading from it. */
void ring_give_landing(struct ring *ring, const uint8_t *landing);

#endif
