/* io_uring: what a program does through a ring is no call. So faults are made at the seam of the
 * server, beyond/uring/ring.h. An entry that has to fail is submitted as one that does nothing, and
 * its completion says the error: as with a call, nothing has been done. EBUSY means that the kernel
 * takes no entry at all. Then the program gets none. */
#if __has_include(<liburing.h>)
#include "inject.h"

#include "../../beyond/uring/ring.h"

#include <errno.h>
#include <sys/mman.h>

enum { FAILING = 16 };

static const char accept_name[] = "uring_accept";
static const char *const kinds[KINDS] = {"uring_receive", "uring_send", "uring_cancel",
                                         accept_name,     "uring_poll", "uring_signals"};

/* The entries that fail, from the moment that the program has them until their completion. */
static struct {
    uint64_t word; /* what the entry carries; 0: no entry */
    int number;
    bool is_short;
} failing[FAILING];

static void remember(uint64_t word, const struct fault *fault)
{
    for (int i = 0; i < FAILING; i++)
        if (failing[i].word == 0) {
            failing[i].word = word;
            failing[i].number = fault->number;
            failing[i].is_short = fault->is_short;
            return;
        }
}

/* In a server without a ring the real one is not there. */
struct io_uring_sqe *__real_ring_entry(struct ring *ring, void *of, unsigned kind)
    __attribute__((weak));
bool __real_ring_completion(struct ring *ring, struct completion *completion) __attribute__((weak));

WRAP(struct io_uring_sqe *, ring_entry, struct ring *ring, void *of, unsigned kind)
{
    struct fault fault = FAULT_OF(kinds[kind]);

    if (fault.fails && fault.number == EBUSY) {
        (void)fault_fail(&fault);
        return NULL;
    }
    struct io_uring_sqe *entry = __real_ring_entry(ring, of, kind);
    if (entry != NULL && (fault.fails || fault.is_short))
        remember(ring_token(of, kind), &fault);
    return entry;
}

/* The program has filled its entries by now. */
static void spoil_entries(struct io_uring *uring)
{
    for (unsigned i = *uring->sq.khead; i != uring->sq.sqe_tail; i++) {
        struct io_uring_sqe *entry = &uring->sq.sqes[i & uring->sq.ring_mask];
        for (int j = 0; j < FAILING; j++) {
            if (failing[j].word == 0 || failing[j].word != entry->user_data)
                continue;
            if (!failing[j].is_short)
                io_uring_prep_nop(entry);
            else if (entry->len > 1)
                entry->len = 1;
        }
    }
}

WRAP(bool, ring_completion, struct ring *ring, struct completion *completion)
{
    static const struct path accepted = {.call = accept_name};

    if (!__real_ring_completion(ring, completion))
        return false;
    for (int i = 0; i < FAILING; i++)
        if (failing[i].word != 0 &&
            failing[i].word == ring_token(completion->of, completion->kind)) {
            if (!failing[i].is_short)
                completion->result = -failing[i].number;
            failing[i].word = 0;
            break;
        }
    if (completion->kind < KINDS && kinds[completion->kind] == accepted.call)
        (void)ledger_take_descriptor(completion->result, &accepted);
    return true;
}

WRAP(int, io_uring_submit_and_wait_timeout, struct io_uring *uring, struct io_uring_cqe **first,
     unsigned least, struct __kernel_timespec *timeout, sigset_t *mask)
{
    struct fault fault = FAULT_OF("io_uring_wait");

    if (fault.fails)
        return -fault.number;
    spoil_entries(uring);
    return __real_io_uring_submit_and_wait_timeout(uring, first, least, timeout, mask);
}

WRAP(int, io_uring_submit_and_get_events, struct io_uring *uring)
{
    struct fault fault = FAULT_OF("io_uring_submit");

    if (fault.fails)
        return -fault.number;
    spoil_entries(uring);
    return __real_io_uring_submit_and_get_events(uring);
}

/* These return their error. */
WRAP(int, io_uring_queue_init_params, unsigned entries, struct io_uring *uring,
     struct io_uring_params *params)
{
    struct fault fault = FAULT_OF("io_uring_setup");

    return fault.fails ? -fault.number : __real_io_uring_queue_init_params(entries, uring, params);
}

WRAP(int, io_uring_register_buf_ring, struct io_uring *uring, struct io_uring_buf_reg *reg,
     unsigned flags)
{
    struct fault fault = FAULT_OF("io_uring_register");

    return fault.fails ? -fault.number : __real_io_uring_register_buf_ring(uring, reg, flags);
}

WRAP(int, io_uring_register_ring_fd, struct io_uring *uring)
{
    struct fault fault = FAULT_OF("io_uring_register_fd");

    return fault.fails ? -fault.number : __real_io_uring_register_ring_fd(uring);
}

WRAP(void *, mmap, void *where, size_t size, int access, int flags, int fd, off_t offset)
{
    struct fault fault = FAULT_OF("mmap");

    if (!fault.fails)
        return __real_mmap(where, size, access, flags, fd, offset);
    (void)fault_fail(&fault);
    return MAP_FAILED;
}
#else
extern int no_rings;
#endif
