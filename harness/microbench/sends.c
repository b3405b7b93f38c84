#include "sends.h"

#include "../../common/clock.h"
#include "loopback.h"
#include "samples.h"

#include <errno.h>
#include <linux/tcp.h> /* netinet/tcp.h of glibc 2.36 has a shorter struct tcp_info */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const sends_names[] = {"apart",  "each", "more",   "cork",
                                   "iovecs", "mmsg", "joined", NULL};

enum {
    HEADER_BYTES = 4,
    FRAME_MOST = HEADER_BYTES + SENDS_PAYLOAD_MOST,
    PIECES_MOST = 2 * SENDS_FRAMES_MOST
};

struct sender {
    const struct sends_plan *plan;
    int fd;
    size_t frame_bytes;
    struct sends_counts *counts;
    uint8_t frame[FRAME_MOST];                     /* every frame of a run is this one */
    uint8_t batch[SENDS_FRAMES_MOST * FRAME_MOST]; /* where pieces are joined */
    struct iovec pieces[PIECES_MOST];
    struct mmsghdr messages[SENDS_FRAMES_MOST];
};

/* -- the other end ---------------------------------------------------------------------------- */

static int read_batch(int fd, const uint8_t *frame, size_t frame_bytes, size_t bytes)
{
    uint8_t got[1 << 16];
    size_t done = 0;

    while (done < bytes) {
        size_t room = bytes - done < sizeof got ? bytes - done : sizeof got;
        ssize_t size = recv(fd, got, room, 0);
        if (size <= 0)
            return -1;
        for (ssize_t i = 0; i < size; i++)
            if (got[i] != frame[(done + (size_t)i) % frame_bytes])
                return -1;
        done += (size_t)size;
    }
    return 0;
}

/* It ends when its parent ends, because the connection does. A wrong byte ends it, too. */
static _Noreturn void answer(const struct sender *sender, int fd)
{
    size_t bytes = sender->plan->frames * sender->frame_bytes;

    while (read_batch(fd, sender->frame, sender->frame_bytes, bytes) == 0)
        if (send(fd, "a", 1, MSG_NOSIGNAL) != 1)
            break;
    _exit(0);
}

/* -- the ways --------------------------------------------------------------------------------- */

static int send_piece(struct sender *sender, const void *piece, size_t bytes, int flags,
                      struct error *error)
{
    ssize_t sent = send(sender->fd, piece, bytes, flags | MSG_NOSIGNAL);

    sender->counts->calls++;
    if (sent == (ssize_t)bytes)
        return 0;
    return error_set(error, "send", "of a piece", sent < 0 ? errno : ENOBUFS);
}

static int send_apart(struct sender *sender, int flag, struct error *error)
{
    for (uint32_t i = 0; i < sender->plan->frames; i++) {
        int last = i + 1 == sender->plan->frames ? 0 : flag;
        if (send_piece(sender, sender->frame, HEADER_BYTES, flag, error) < 0 ||
            send_piece(sender, sender->frame + HEADER_BYTES, sender->plan->payload, last, error) <
                0)
            return -1;
    }
    return 0;
}

static void join(struct sender *sender, uint8_t *to)
{
    memcpy(to, sender->frame, HEADER_BYTES);
    memcpy(to + HEADER_BYTES, sender->frame + HEADER_BYTES, sender->plan->payload);
    sender->counts->joined += sender->frame_bytes;
}

static int send_each(struct sender *sender, struct error *error)
{
    for (uint32_t i = 0; i < sender->plan->frames; i++) {
        join(sender, sender->batch);
        if (send_piece(sender, sender->batch, sender->frame_bytes, 0, error) < 0)
            return -1;
    }
    return 0;
}

static int send_joined(struct sender *sender, struct error *error)
{
    for (uint32_t i = 0; i < sender->plan->frames; i++)
        join(sender, sender->batch + i * sender->frame_bytes);
    return send_piece(sender, sender->batch, sender->plan->frames * sender->frame_bytes, 0, error);
}

static int cork(struct sender *sender, int on, struct error *error)
{
    sender->counts->calls++;
    if (setsockopt(sender->fd, IPPROTO_TCP, TCP_CORK, &on, sizeof on) == 0)
        return 0;
    return error_set(error, "setsockopt TCP_CORK", "", errno);
}

static int send_corked(struct sender *sender, struct error *error)
{
    if (cork(sender, 1, error) < 0 || send_apart(sender, 0, error) < 0)
        return -1;
    return cork(sender, 0, error);
}

static int send_iovecs(struct sender *sender, struct error *error)
{
    struct msghdr message = {.msg_iov = sender->pieces,
                             .msg_iovlen = 2 * (size_t)sender->plan->frames};
    ssize_t sent = sendmsg(sender->fd, &message, MSG_NOSIGNAL);

    sender->counts->calls++;
    if (sent == (ssize_t)(sender->plan->frames * sender->frame_bytes))
        return 0;
    return error_set(error, "sendmsg", "of a batch", sent < 0 ? errno : ENOBUFS);
}

static int send_messages(struct sender *sender, struct error *error)
{
    int sent = sendmmsg(sender->fd, sender->messages, sender->plan->frames, MSG_NOSIGNAL);

    sender->counts->calls++;
    if (sent != (int)sender->plan->frames)
        return error_set(error, "sendmmsg", "of a batch", sent < 0 ? errno : ENOBUFS);
    for (int i = 0; i < sent; i++)
        if (sender->messages[i].msg_len != sender->frame_bytes)
            return error_set(error, "sendmmsg", "of a whole frame", ENOBUFS);
    return 0;
}

static int send_batch(struct sender *sender, struct error *error)
{
    switch (sender->plan->way) {
    case SENDS_EACH:
        return send_each(sender, error);
    case SENDS_MORE:
        return send_apart(sender, MSG_MORE, error);
    case SENDS_CORK:
        return send_corked(sender, error);
    case SENDS_IOVECS:
        return send_iovecs(sender, error);
    case SENDS_MMSG:
        return send_messages(sender, error);
    case SENDS_JOINED:
        return send_joined(sender, error);
    case SENDS_APART:
        break;
    }
    return send_apart(sender, 0, error);
}

/* -- the run ---------------------------------------------------------------------------------- */

static void prepare(struct sender *sender)
{
    const struct sends_plan *plan = sender->plan;

    sender->frame_bytes = HEADER_BYTES + (size_t)plan->payload;
    sender->frame[2] = (uint8_t)(plan->payload >> 8);
    sender->frame[3] = (uint8_t)plan->payload;
    for (uint32_t i = 0; i < plan->payload; i++)
        sender->frame[HEADER_BYTES + i] = (uint8_t)(i * 7 + 1);
    for (uint32_t i = 0; i < plan->frames; i++) {
        struct iovec *pieces = &sender->pieces[2 * (size_t)i];
        pieces[0] = (struct iovec){sender->frame, HEADER_BYTES};
        pieces[1] = (struct iovec){sender->frame + HEADER_BYTES, plan->payload};
        sender->messages[i].msg_hdr = (struct msghdr){.msg_iov = pieces, .msg_iovlen = 2};
    }
}

static int await_answer(int fd, struct error *error)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, 0);

    if (got == 1)
        return 0;
    return error_set(error, "recv", "of an answer", got == 0 ? ECONNRESET : errno);
}

static int exchange(struct sender *sender, struct samples *times, struct error *error)
{
    const uint64_t late_ns = SENDS_LATE_MS * NANOSECONDS_A_SECOND / 1000;
    struct sends_counts *counts = sender->counts;

    for (uint32_t i = 0; i < sender->plan->batches; i++) {
        uint64_t begun_ns = clock_now();
        if (send_batch(sender, error) < 0 || await_answer(sender->fd, error) < 0)
            return -1;
        uint64_t took_ns = clock_now() - begun_ns;
        samples_add(times, (double)took_ns);
        counts->bytes += sender->plan->frames * sender->frame_bytes;
        counts->late += took_ns >= late_ns;
        if (took_ns >= late_ns && counts->first_late == 0)
            counts->first_late = i + 1;
    }
    counts->median_us = samples_median(times) / 1e3;
    return 0;
}

static int count_segments(struct sender *sender, struct error *error)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    if (getsockopt(sender->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
        return error_set(error, "getsockopt TCP_INFO", "", errno);
    if (size < offsetof(struct tcp_info, tcpi_data_segs_out) + sizeof info.tcpi_data_segs_out)
        return error_set(error, "getsockopt TCP_INFO", "of the data segments", ENOSYS);
    sender->counts->segments = info.tcpi_data_segs_out;
    sender->counts->retransmitted = info.tcpi_total_retrans;
    return 0;
}

static int converse(struct sender *sender, struct samples *times, struct error *error)
{
    int on = sender->plan->nodelay;

    if (setsockopt(sender->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        return error_set(error, "setsockopt TCP_NODELAY", "", errno);
    if (exchange(sender, times, error) < 0)
        return -1;
    return count_segments(sender, error);
}

static int start(struct sender *sender, struct samples *times, struct error *error)
{
    int ends[2];
    int status = loopback_pair(ends, error);

    if (status == 0) {
        pid_t child = fork();
        if (child == 0) {
            (void)close(ends[0]); /* otherwise it would not see its parent end */
            answer(sender, ends[1]);
        }
        sender->fd = ends[0];
        loopback_close(&ends[1]);
        status = child < 0 ? error_set(error, "fork", "", errno) : converse(sender, times, error);
        loopback_close(&ends[0]);
        while (child > 0 && waitpid(child, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    loopback_close(&ends[0]);
    loopback_close(&ends[1]);
    return status;
}

int sends_run(const struct sends_plan *plan, struct sends_counts *counts, struct error *error)
{
    struct samples *times = samples_new(error);
    struct sender *sender = calloc(1, sizeof *sender);
    int status = -1;

    *counts = (struct sends_counts){0};
    if (sender == NULL)
        (void)error_set(error, "calloc", "for a batch", errno);
    if (sender != NULL && times != NULL) {
        sender->plan = plan;
        sender->counts = counts;
        prepare(sender);
        status = start(sender, times, error);
    }
    free(sender);
    free(times);
    return status;
}
