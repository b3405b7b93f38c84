#include "relay.h"

#include "../../common/clock.h"
#include "descriptors.h"
#include "loopback.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

const char *const relay_names[] = {"read_write", "splice", "zerocopy", NULL};

enum {
    ROUND_BYTES = 1 << 16,
    BUFFERS_BYTES = 1 << 20,
    PATIENCE_SECONDS = 60,
    OLD = 'o',
    NEW = 'n'
};

struct relay {
    const struct relay_plan *plan;
    struct relay_counts *counts;
    size_t bytes;          /* of a round */
    int in[2];             /* source to relay */
    int out[2];            /* relay to sink */
    int lent[2];           /* pipe of the source */
    int pipe[2];           /* pipe of RELAY_SPLICE */
    uint8_t *source;       /* ROUND_BYTES, whole pages */
    uint8_t *through;      /* ROUND_BYTES, of the relay */
    uint32_t sends;        /* with MSG_ZEROCOPY, of this round */
    uint32_t told;         /* of them, those that the kernel has told of */
    uint32_t sends_before; /* the kernel numbers the sends of a socket from 0 on */
    size_t sizes[ROUND_BYTES];
};

uint64_t relay_copied(enum relay_way way, const struct relay_counts *counts)
{
    if (way == RELAY_SPLICE)
        return counts->kept;
    return counts->received + counts->sent + counts->pinned_copied;
}

/* -- source and sink -------------------------------------------------------------------------- */

static int lend_piece(struct relay *relay, size_t at, size_t bytes, int to, struct error *error)
{
    struct iovec piece = {relay->source + at, bytes};

    if (vmsplice(relay->lent[1], &piece, 1, 0) != (ssize_t)bytes)
        return error_set(error, "vmsplice", "of a piece", errno);
    while (bytes > 0) {
        ssize_t moved = splice(relay->lent[0], NULL, to, NULL, bytes, 0);
        if (moved <= 0)
            return error_set(error, "splice", "of a piece", moved < 0 ? errno : EPIPE);
        bytes -= (size_t)moved;
    }
    return 0;
}

/* Without the wait the relay would find a part, how much by chance. */
static int await_bytes(int fd, size_t bytes, struct error *error)
{
    uint64_t deadline_ns = clock_after(clock_now(), PATIENCE_SECONDS * NANOSECONDS_A_SECOND);
    int there = 0;

    for (;;) {
        if (ioctl(fd, FIONREAD, &there) < 0)
            return error_set(error, "ioctl", "for the bytes of a round", errno);
        if ((size_t)there >= bytes)
            return 0;
        if (clock_now() > deadline_ns)
            return error_set(error, "recv", "of a round", ETIMEDOUT);
        (void)sched_yield();
    }
}

static int lend_round(struct relay *relay, struct error *error)
{
    memset(relay->source, OLD, relay->bytes);
    for (size_t at = 0; at < relay->bytes; at += relay->plan->piece)
        if (lend_piece(relay, at, relay->plan->piece, relay->in[0], error) < 0)
            return -1;
    return await_bytes(relay->in[1], relay->bytes, error);
}

/* Returns how many of a round's bytes are the old ones, or -1 with error filled. */
static ssize_t sink_round(struct relay *relay, int fd, struct error *error)
{
    uint8_t got[4096];
    ssize_t old = 0;

    memset(relay->source, NEW, relay->bytes);
    for (size_t done = 0; done < relay->bytes;) {
        size_t room = relay->bytes - done < sizeof got ? relay->bytes - done : sizeof got;
        ssize_t size = recv(fd, got, room, 0);
        if (size <= 0)
            return error_set(error, "recv", "at the sink", size == 0 ? ECONNRESET : errno);
        for (ssize_t i = 0; i < size; i++) {
            if (got[i] != OLD && got[i] != NEW)
                return error_set(error, "recv", "at the sink: a byte that nobody sent", EBADMSG);
            old += got[i] == OLD;
        }
        done += (size_t)size;
    }
    return old;
}

/* Without a relay every byte must come from the source's own pages. */
static int check_method(struct relay *relay, struct error *error)
{
    if (lend_round(relay, error) < 0)
        return -1;
    ssize_t old = sink_round(relay, relay->in[1], error);
    if (old <= 0)
        return old < 0 ? -1 : 0;
    return error_set(error, "vmsplice", "shares no pages with a socket here", ENOTSUP);
}

/* -- the relay -------------------------------------------------------------------------------- */

static ssize_t receive(struct relay *relay, size_t at, struct error *error)
{
    ssize_t got = recv(relay->in[1], relay->through + at, relay->bytes - at, 0);

    relay->counts->calls++;
    if (got <= 0)
        return error_set(error, "recv", "of the relay", got == 0 ? ECONNRESET : errno);
    relay->counts->received += (uint64_t)got;
    return got;
}

static int pass_by_memory(struct relay *relay, int flags, struct error *error)
{
    for (size_t at = 0; at < relay->bytes;) {
        ssize_t got = receive(relay, at, error);
        if (got < 0)
            return -1;
        for (size_t end = at + (size_t)got; at < end;) {
            ssize_t sent = send(relay->out[0], relay->through + at, end - at, flags);
            relay->counts->calls++;
            if (sent <= 0)
                return error_set(error, "send", "of the relay", errno);
            if (flags & MSG_ZEROCOPY) {
                relay->sizes[relay->sends++] = (size_t)sent;
                relay->counts->pinned += (uint64_t)sent;
            } else {
                relay->counts->sent += (uint64_t)sent;
            }
            at += (size_t)sent;
        }
    }
    return 0;
}

static int pass_by_pipe(struct relay *relay, struct error *error)
{
    for (size_t left = relay->bytes; left > 0;) {
        ssize_t got = splice(relay->in[1], NULL, relay->pipe[1], NULL, left, SPLICE_F_MOVE);
        relay->counts->calls++;
        if (got <= 0)
            return error_set(error, "splice", "into the pipe", got < 0 ? errno : ECONNRESET);
        for (ssize_t held = got; held > 0;) {
            ssize_t moved =
                splice(relay->pipe[0], NULL, relay->out[0], NULL, (size_t)held, SPLICE_F_MOVE);
            relay->counts->calls++;
            if (moved <= 0)
                return error_set(error, "splice", "out of the pipe", errno);
            held -= moved;
        }
        left -= (size_t)got;
    }
    return 0;
}

/* The kernel tells of a range of sends: from ee_info to ee_data, both included. */
static int take_news(struct relay *relay, const struct sock_extended_err *news, struct error *error)
{
    uint32_t first = news->ee_info - relay->sends_before;
    uint32_t last = news->ee_data - relay->sends_before;

    if (news->ee_origin != SO_EE_ORIGIN_ZEROCOPY || first > last || last >= relay->sends)
        return error_set(error, "recvmsg MSG_ERRQUEUE", "tells of other sends", EPROTO);
    for (uint32_t i = first; i <= last; i++)
        if (news->ee_code & SO_EE_CODE_ZEROCOPY_COPIED)
            relay->counts->pinned_copied += relay->sizes[i];
    relay->told += last - first + 1;
    return 0;
}

/* The relay may use its memory again when the kernel has told of all sends. A call that finds no
 * news yet is not counted: a program with a loop would be told by EPOLLERR. */
static int await_news(struct relay *relay, struct error *error)
{
    uint64_t deadline_ns = clock_after(clock_now(), PATIENCE_SECONDS * NANOSECONDS_A_SECOND);

    while (relay->told < relay->sends) {
        struct sock_extended_err news;
        _Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof news) + 64];
        struct msghdr message = {.msg_control = space, .msg_controllen = sizeof space};

        if (recvmsg(relay->out[0], &message, MSG_ERRQUEUE) < 0) {
            if (errno != EAGAIN || clock_now() > deadline_ns)
                return error_set(error, "recvmsg MSG_ERRQUEUE", "of the relay", errno);
            (void)sched_yield();
            continue;
        }
        relay->counts->calls++;
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (header == NULL)
            return error_set(error, "recvmsg MSG_ERRQUEUE", "tells nothing", EPROTO);
        memcpy(&news, CMSG_DATA(header), sizeof news);
        if (take_news(relay, &news, error) < 0)
            return -1;
    }
    relay->sends_before += relay->sends;
    relay->sends = relay->told = 0;
    return 0;
}

static int pass(struct relay *relay, struct error *error)
{
    switch (relay->plan->way) {
    case RELAY_SPLICE:
        return pass_by_pipe(relay, error);
    case RELAY_ZEROCOPY:
        return pass_by_memory(relay, MSG_ZEROCOPY, error);
    case RELAY_READ_WRITE:
        break;
    }
    return pass_by_memory(relay, 0, error);
}

static int run_round(struct relay *relay, struct error *error)
{
    if (lend_round(relay, error) < 0 || pass(relay, error) < 0)
        return -1;
    ssize_t kept = sink_round(relay, relay->out[1], error);
    if (kept < 0 || await_news(relay, error) < 0)
        return -1;
    relay->counts->kept += (uint64_t)kept;
    relay->counts->bytes += relay->bytes;
    return 0;
}

/* -- opening and closing ---------------------------------------------------------------------- */

static int open_connection(int ends[2], struct error *error)
{
    int on = 1;
    int bytes = BUFFERS_BYTES;

    if (loopback_pair(ends, error) < 0)
        return -1;
    /* A full buffer would make the single process wait for itself, so the kernel gives what it
     * allows (socket(7)). */
    (void)setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    (void)setsockopt(ends[1], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (setsockopt(ends[0], IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        return error_set(error, "setsockopt TCP_NODELAY", "", errno);
    for (int i = 0; i < 2; i++)
        if (descriptors_unblock(ends[i], "of a socket", error) < 0)
            return -1;
    return 0;
}

static uint8_t *map_pages(struct error *error)
{
    void *pages =
        mmap(NULL, ROUND_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (pages != MAP_FAILED)
        return pages;
    (void)error_set(error, "mmap", "of a buffer", errno);
    return NULL;
}

static int open_all(struct relay *relay, struct error *error)
{
    int on = 1;

    if (open_connection(relay->in, error) < 0 || open_connection(relay->out, error) < 0)
        return -1;
    if (pipe(relay->lent) < 0 || pipe(relay->pipe) < 0)
        return error_set(error, "pipe", "", errno);
    if (relay->plan->way == RELAY_ZEROCOPY &&
        setsockopt(relay->out[0], SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) < 0)
        return error_set(error, "setsockopt SO_ZEROCOPY", "", errno);
    relay->source = map_pages(error);
    relay->through = relay->source == NULL ? NULL : map_pages(error);
    return relay->through == NULL ? -1 : 0;
}

static void close_all(struct relay *relay)
{
    int *const pairs[] = {relay->in, relay->out, relay->lent, relay->pipe};

    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        loopback_close(&pairs[i][0]);
        loopback_close(&pairs[i][1]);
    }
    if (relay->source != NULL)
        (void)munmap(relay->source, ROUND_BYTES);
    if (relay->through != NULL)
        (void)munmap(relay->through, ROUND_BYTES);
}

int relay_run(const struct relay_plan *plan, struct relay_counts *counts, struct error *error)
{
    struct relay *relay = malloc(sizeof *relay);
    size_t pieces = ROUND_BYTES / plan->piece;

    *counts = (struct relay_counts){0};
    if (relay == NULL)
        return error_set(error, "malloc", "for a relay", errno);
    *relay = (struct relay){.plan = plan,
                            .counts = counts,
                            .in = {-1, -1},
                            .out = {-1, -1},
                            .lent = {-1, -1},
                            .pipe = {-1, -1}};
    relay->bytes = plan->piece * (pieces < RELAY_PIECES_MOST ? pieces : RELAY_PIECES_MOST);
    int status = open_all(relay, error);
    if (status == 0)
        status = check_method(relay, error);
    for (uint32_t i = 0; status == 0 && i < plan->rounds; i++)
        status = run_round(relay, error);
    close_all(relay);
    free(relay);
    return status;
}
