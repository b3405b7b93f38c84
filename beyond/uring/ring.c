#include "ring.h"

#include "../../common/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* SUBMISSIONS: entries that one call can submit: a wake-up makes at most one for each completion,
 * and mostly there are fewer than landings. COMPLETIONS: one wake-up can bring a landing each, a
 * send each, and the ends of receives. What does not fit, the kernel keeps in a list of its own;
 * but a multishot ends when its completion has no room, and has to be armed again. A test builds
 * with small ones. */
#ifndef COMPLETIONS
#define SUBMISSIONS 1024
#define COMPLETIONS 4096
#endif

/* SINGLE_ISSUER: only this thread submits, so the kernel takes no lock for that.
 * DEFER_TASKRUN: what is left to do for a receive is done when this thread calls and asks for it,
 * not by interrupting it, and for all that are ready together. It has a price, which is a trap: no
 * completion appears by itself. A loop that only looks at the queue, and makes no call, looks for
 * ever. The build leaves it out for experiment E17 only. */
#ifndef URING_FLAGS
#define URING_FLAGS (IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN)
#endif

/* Three reasons that a user can do something about, each with what that is. */
static int cannot(struct error *error, const char *call, int number)
{
    const char *hint = number == EPERM || number == EACCES
                           ? "not allowed here: see the sysctl kernel.io_uring_disabled, and the "
                             "filter of system calls (seccomp) that containers have"
                       : number == ENOSYS ? "this kernel has no io_uring"
                       : number == ENOMEM ? "too little locked memory: raise the limit (ulimit -l)"
                       : number == EINVAL ? "this kernel is too old: Linux 6.1 or newer is needed"
                                          : "";

    (void)error_set(error, call, "", number);
    size_t used = strlen(error->text);
    if (hint[0] != '\0')
        (void)snprintf(error->text + used, sizeof error->text - used, " (%s)", hint);
    return -1;
}

/* Whole pages from the kernel: the ring of landings must begin at a page. MAP_POPULATE: the pages
 * are there from the start, so no message pays for them. */
static void *map(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static size_t ring_bytes(void)
{
    return LANDINGS * sizeof(struct io_uring_buf);
}

static int open_landings(struct ring *ring, struct error *error)
{
    ring->landing_ring = map(ring_bytes());
    ring->landings = map((size_t)LANDINGS * LANDING_BYTES);
    if (ring->landing_ring == NULL || ring->landings == NULL)
        return error_set(error, "mmap", "landings", errno);
    struct io_uring_buf_reg reg = {.ring_addr = (uintptr_t)ring->landing_ring,
                                   .ring_entries = LANDINGS,
                                   .bgid = LANDING_GROUP};
    int result = io_uring_register_buf_ring(&ring->uring, &reg, 0);
    if (result < 0)
        return cannot(error, "io_uring_register", -result);
    io_uring_buf_ring_init(ring->landing_ring);
    for (size_t i = 0; i < LANDINGS; i++)
        ring_give_landing(ring, ring->landings + i * LANDING_BYTES);
    return 0;
}

/* A filter of system calls may let a program make a ring and then refuse this call. It is made
 * here, without an entry, so that the server says so before it says that it listens. */
static int try_to_enter(struct ring *ring, struct error *error)
{
    return ring_submit(ring) < 0 && errno != EINTR ? cannot(error, "io_uring_enter", errno) : 0;
}

/* CLAMP is not asked for: a limit that cuts the queues should be heard of. SUBMIT_ALL: an entry
 * that is refused costs a completion with an error, and those behind it are submitted all the same.
 * A registered descriptor of the ring saves looking it up in every call. */
int ring_open(struct ring *ring, struct error *error)
{
    struct io_uring_params params = {.flags = URING_FLAGS | IORING_SETUP_SUBMIT_ALL |
                                              IORING_SETUP_CQSIZE,
                                     .cq_entries = COMPLETIONS};

    *ring = (struct ring){0};
    int result = io_uring_queue_init_params(SUBMISSIONS, &ring->uring, &params);
    if (result < 0)
        return cannot(error, "io_uring_setup", -result);
    ring->is_open = true;
    (void)io_uring_register_ring_fd(&ring->uring);
    return open_landings(ring, error) < 0 ? -1 : try_to_enter(ring, error);
}

void ring_close(struct ring *ring)
{
    if (ring->is_open)
        io_uring_queue_exit(&ring->uring);
    if (ring->landing_ring != NULL)
        (void)munmap(ring->landing_ring, ring_bytes());
    if (ring->landings != NULL)
        (void)munmap(ring->landings, (size_t)LANDINGS * LANDING_BYTES);
    *ring = (struct ring){0};
}

struct io_uring_sqe *ring_entry(struct ring *ring, void *of, unsigned kind)
{
    struct io_uring_sqe *entry = io_uring_get_sqe(&ring->uring);

    if (entry == NULL) {
        if (ring_submit(ring) < 0)
            return NULL;
        entry = io_uring_get_sqe(&ring->uring);
    }
    if (entry == NULL) {
        errno = EBUSY;
        return NULL;
    }
    ring->flying++;
    /* Every io_uring_prep_ function leaves user_data alone. */
    entry->user_data = ring_token(of, kind);
    return entry;
}

int ring_cancel_all(struct ring *ring, void *of, unsigned kind)
{
    struct io_uring_sqe *entry = ring_entry(ring, of, kind);

    if (entry == NULL)
        return -1;
    io_uring_prep_cancel64(entry, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
    return 0;
}

static int done(struct ring *ring, int result)
{
    if (result == -ETIME) /* the time is over */
        return (int)io_uring_cq_ready(&ring->uring);
    if (result < 0 && result != -EBUSY && result != -EAGAIN) {
        errno = -result;
        return -1;
    }
    /* EBUSY, EAGAIN: what is in the completion queue must be taken first, or the kernel has no
     * memory for a request now. The entries stay in the queue, and the next call submits them. */
    return (int)io_uring_cq_ready(&ring->uring);
}

/* The timeout is relative, and an argument of the call (IORING_ENTER_EXT_ARG): a timeout as an
 * entry of the queue would have to be cancelled at nearly every wake-up. */
int ring_wait(struct ring *ring, uint64_t deadline_ns, uint64_t now_ns)
{
    struct timespec left;
    struct __kernel_timespec span, *timeout = NULL;
    struct io_uring_cqe *first;

    if (clock_left(deadline_ns, now_ns, &left) != NULL) {
        span = (struct __kernel_timespec){.tv_sec = left.tv_sec, .tv_nsec = left.tv_nsec};
        timeout = &span;
    }
    return done(ring, io_uring_submit_and_wait_timeout(&ring->uring, &first, 1, timeout, NULL));
}

int ring_submit(struct ring *ring)
{
    return done(ring, io_uring_submit_and_get_events(&ring->uring));
}

bool ring_in_flight(const struct ring *ring)
{
    return ring->is_open && ring->flying > io_uring_sq_ready(&ring->uring);
}

/* What had no room in the queue comes into it only with a call (io_uring_setup(2),
 * IORING_FEAT_NODROP). liburing makes it when the queue is empty. Those bytes are older than what
 * recv(2) brings now, so they come first. */
bool ring_completion(struct ring *ring, struct completion *completion)
{
    struct io_uring_cqe *entry;

    if (io_uring_peek_cqe(&ring->uring, &entry) != 0)
        return false;
    *completion = (struct completion){
        /* NOLINTNEXTLINE(performance-no-int-to-ptr): the ring's words are numbers */
        .of = (void *)(uintptr_t)(entry->user_data / KINDS),
        .kind = (unsigned)(entry->user_data % KINDS),
        .result = entry->res,
        .more = entry->flags & IORING_CQE_F_MORE,
    };
    if (entry->flags & IORING_CQE_F_BUFFER) {
        completion->landing =
            ring->landings + (size_t)(entry->flags >> IORING_CQE_BUFFER_SHIFT) * LANDING_BYTES;
        ring->landings_free--;
    }
    ring->flying -= !completion->more;
    io_uring_cqe_seen(&ring->uring, entry);
    return true;
}

void ring_give_landing(struct ring *ring, const uint8_t *landing)
{
    size_t number = (size_t)(landing - ring->landings) / LANDING_BYTES;

    io_uring_buf_ring_add(ring->landing_ring, ring->landings + number * LANDING_BYTES,
                          LANDING_BYTES, (unsigned short)number, LANDINGS - 1, 0);
    io_uring_buf_ring_advance(ring->landing_ring, 1);
    ring->landings_free++;
}
