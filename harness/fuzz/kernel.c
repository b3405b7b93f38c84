#include "kernel.h"

#include "../../common/clock.h"
#include "check.h"
#include "loop_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

struct kernel kernel;

enum { MOST_CALLS = 20000 }; /* between two waits; 16 reads a turn and 64 accepts are far less */

void kernel_reset(void)
{
    for (int i = 0; i < PEERS; i++) /* all but the stream, which is as good as empty then */
        memset(&kernel.peers[i], 0, offsetof(struct peer, model));
    memset(kernel.descriptors, 0, sizeof kernel.descriptors);
    memset(&kernel.limit, 0, sizeof kernel - offsetof(struct kernel, limit));
    kernel.limit = DESCRIPTORS;
    kernel.server.now_ns = 1000 * NANOSECONDS_A_SECOND;
    kernel.timer_ns = NEVER;
}

/* The kernel gives the lowest free number: a closed standard stream would become a socket. */
int kernel_descriptor(enum kind kind)
{
    CHECK(kernel.closed_streams == 0, "a descriptor takes the place of a standard stream");
    for (int i = 0; i < kernel.limit; i++)
        if (kernel.descriptors[i].kind == NO_DESCRIPTOR) {
            kernel.descriptors[i] = (struct descriptor){.kind = kind};
            return FIRST_FD + i;
        }
    errno = EMFILE;
    return -1;
}

int kernel_open(const char *path, int flags, ...)
{
    if (kernel.closed_streams == 0)
        return kernel_descriptor(A_OTHER);
    CHECK(strcmp(path, "/dev/null") == 0 && flags == O_RDONLY, "%s for a standard stream", path);
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (kernel.closed_streams >> fd & 1) {
            kernel.closed_streams &= ~(1U << fd);
            return fd;
        }
    return -1; /* not reached */
}

struct descriptor *kernel_find(int fd)
{
    CHECK(fd >= FIRST_FD && fd < FIRST_FD + DESCRIPTORS, "descriptor %d was never opened", fd);
    CHECK(kernel.descriptors[fd - FIRST_FD].kind != NO_DESCRIPTOR, "descriptor %d is closed", fd);
    return &kernel.descriptors[fd - FIRST_FD];
}

struct peer *kernel_peer(int fd)
{
    CHECK(kernel_find(fd)->peer != NULL, "descriptor %d is no connection", fd);
    return kernel_find(fd)->peer;
}

void kernel_news(enum kind kind)
{
    for (int i = 0; i < DESCRIPTORS; i++)
        if (kernel.descriptors[i].kind == kind)
            kernel.descriptors[i].news = true;
}

void kernel_peer_news(struct peer *peer)
{
    if (peer->place == CONNECTED)
        kernel_find(peer->fd)->news = true;
}

struct peer *kernel_first(enum place place)
{
    struct peer *first = NULL;

    for (struct peer *peer = kernel.peers; peer < kernel.peers + PEERS; peer++)
        if (peer->place == place && (first == NULL || peer->number < first->number))
            first = peer;
    return first;
}

unsigned kernel_readiness(const struct descriptor *descriptor)
{
    const struct peer *peer = descriptor->peer;
    unsigned urgent = peer != NULL && peer->urgent ? URGENT : NOTHING;

    switch (descriptor->kind) {
    case A_LISTENER:
        return kernel_first(QUEUED) != NULL ? READABLE : NOTHING;
    case A_TIMER:
        return kernel.timer_ns <= kernel.server.now_ns ? READABLE : NOTHING;
    case A_SIGNALS:
        return kernel.signals[0] != 0 ? READABLE : NOTHING;
    case A_SOCKET:
        break;
    default:
        return NOTHING;
    }
    if (peer == NULL) /* a socket always has one; clang's analyzer cannot know */
        return NOTHING;
    if (peer->broken != 0 || peer->ended)
        return READABLE | HANGUP | urgent |
               (peer->broken != 0 || peer->window > 0 ? WRITABLE : NOTHING);
    return (peer->model.arrived > peer->model.received ? READABLE : NOTHING) | urgent |
           (peer->window > 0 ? WRITABLE : NOTHING);
}

/* -- the calls -------------------------------------------------------------------------------- */

/* Counts the call, and takes the answer that the script has for it. */
static struct answer begin(struct answer *planned)
{
    struct answer answer = *planned;

    CHECK(kernel.calls++ < MOST_CALLS, "the loop never comes to wait");
    *planned = (struct answer){0};
    if (answer.most == 0)
        answer.most = SIZE_MAX;
    kernel.interrupted = answer.number == EINTR;
    return answer;
}

static int fails(int number)
{
    if (number == EAGAIN)
        kernel.server.stats.would_block++;
    errno = number;
    return -1;
}

/* A call on a connection fails, as the script says or because it is gone. What it did not do, an
 * edge will announce: it was not for want of bytes, or of room. */
static int peer_fails(struct peer *peer, int number)
{
    if (number != EAGAIN && number != EINTR)
        model_failed(&peer->model, number);
    kernel_peer_news(peer);
    return fails(number);
}

/* recv stops short before an urgent byte. The next recv drops it and goes on behind it. */
static size_t until_mark(struct peer *peer)
{
    size_t received = peer->model.received;

    if (peer->urgent && peer->mark > received)
        return peer->mark - received;
    peer->urgent = false;
    return SIZE_MAX;
}

ssize_t kernel_recv(int fd, void *bytes, size_t room, int flags)
{
    struct peer *peer = kernel_peer(fd);
    struct model *model = &peer->model;
    struct answer answer = begin(&peer->on_recv);
    size_t count = least(least(room, answer.most), model->arrived - model->received);

    model_settle(model, &kernel.server); /* as connection.h asks for, before each room */
    CHECK(room > 0 && flags == 0, "recv into %zu bytes, flags %d", room, flags);
    CHECK(model_wants(model) & READABLE, "a recv that is not wanted");
    kernel.server.stats.reads++;
    memset(bytes, 0xA5, room); /* all of it must be writable */
    if (answer.number != 0)
        return peer_fails(peer, answer.number);
    bool cut = count < least(room, model->arrived - model->received); /* by the script */
    size_t marked = until_mark(peer);
    if (marked < count) {
        count = marked;
        cut = false;
    }
    if (count == 0 && peer->broken != 0)
        return peer_fails(peer, peer->broken);
    if (count == 0 && !peer->ended)
        return fails(EAGAIN);
    if (count == 0) {
        model_ended(model);
        return 0;
    }
    memcpy(bytes, model->stream + model->received, count);
    model_received(model, &kernel.server, count);
    if (cut)
        kernel_peer_news(peer); /* see peer_fails */
    return (ssize_t)count;
}

ssize_t kernel_send(int fd, const void *bytes, size_t size, int flags)
{
    struct peer *peer = kernel_peer(fd);
    struct model *model = &peer->model;
    struct answer answer = begin(&peer->on_send);
    size_t count = least(least(size, answer.most), peer->window);

    CHECK(size > 0 && flags == 0, "send of %zu bytes, flags %d", size, flags);
    CHECK(!peer->shut, "send after shutdown");
    CHECK(size == model_output(model), "offered %zu bytes, whole frames are %zu", size,
          model_output(model));
    CHECK(memcmp(bytes, model->stream + model->sent, size) == 0,
          "what is sent from byte %zu on is not what came", model->sent);
    kernel.server.stats.writes++;
    if (answer.number != 0)
        return peer_fails(peer, answer.number);
    if (peer->broken != 0)
        return peer_fails(peer, peer->broken);
    peer->window -= count;
    peer->blocked = count < size;
    if (count < size && peer->window > 0)
        kernel_peer_news(peer);
    if (count == 0)
        return fails(EAGAIN);
    kernel.server.stats.partial_writes += count < size;
    model_sent(model, &kernel.server, count);
    return (ssize_t)count;
}

int kernel_shutdown(int fd, int how)
{
    struct peer *peer = kernel_peer(fd);

    check_decision(peer);
    model_settle(&peer->model, &kernel.server);
    CHECK(how == SHUT_WR && !peer->shut, "shutdown how %d, shut: %d", how, peer->shut);
    CHECK(model_owes_fin(&peer->model), "shut down with %zu bytes of echoes pending",
          model_output(&peer->model));
    peer->shut = true;
    if (peer->shutdown_number != 0)
        return peer_fails(peer, peer->shutdown_number);
    model_fin_sent(&peer->model, &kernel.server);
    return 0;
}

/* Linux looks for a free descriptor first, and for a peer after it. */
int kernel_accept(int fd)
{
    struct answer answer = begin(&(struct answer){.number = kernel.accept_number});
    struct peer *peer = kernel_first(QUEUED);
    int accepted = answer.number == 0 ? kernel_descriptor(A_SOCKET) : -1;

    CHECK(kernel_find(fd)->kind == A_LISTENER && !kernel.in_batch,
          "accept in the midst of a batch");
    kernel.server.stats.accepts++;
    kernel.accept_number = 0;
    if (answer.number != 0)
        errno = answer.number;
    if (accepted < 0) {
        if (errno != EINTR && errno != ECONNABORTED) {
            kernel.exhausted_ns = kernel.server.now_ns;
            kernel.freed = false;
        }
        return -1;
    }
    struct descriptor *descriptor = kernel_find(accepted);
    if (peer == NULL) {
        descriptor->kind = NO_DESCRIPTOR;
        return fails(EAGAIN);
    }
    descriptor->peer = peer;
    peer->place = CONNECTED;
    peer->fd = accepted;
    peer->model.opened_ns = peer->model.activity_ns = kernel.server.now_ns;
    return accepted;
}

int kernel_close(int fd)
{
    struct descriptor *descriptor = kernel_find(fd);

    CHECK(!kernel.in_batch, "descriptor %d is closed in the midst of a batch", fd);
    if (descriptor->kind == A_SOCKET) {
        CHECK(descriptor->peer->connection == NULL, "descriptor %d is closed, and not retired", fd);
        if (!descriptor->peer->served)
            check_refused();
        kernel.freed |= descriptor->peer->served;
        descriptor->peer->place = AWAY;
    }
    for (struct peer *peer = kernel.peers; peer < kernel.peers + PEERS; peer++)
        if (descriptor->kind == A_LISTENER && peer->place == QUEUED)
            peer->place = AWAY; /* reset */
    *descriptor = (struct descriptor){.kind = NO_DESCRIPTOR};
    return 0;
}

int kernel_name(int fd, struct sockaddr *address, socklen_t *size)
{
    const struct sockaddr_in loopback = {
        .sin_family = AF_INET, .sin_port = htons(9000), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)kernel_find(fd);
    memcpy(address, &loopback, sizeof loopback);
    *size = sizeof loopback;
    return 0;
}

int kernel_take_signal(void)
{
    int number = kernel.signals[0];

    kernel.signals[0] = kernel.signals[1];
    kernel.signals[1] = 0;
    return number;
}

int kernel_clock(struct timespec *now)
{
    now->tv_sec = (time_t)(kernel.server.now_ns / NANOSECONDS_A_SECOND);
    now->tv_nsec = (long)(kernel.server.now_ns % NANOSECONDS_A_SECOND);
    return 0;
}

/* Only asked about a connection that is idle. What it answers decides: see check_decision(). */
int kernel_tcp_info(int fd, void *info, socklen_t *size)
{
    struct peer *peer = kernel_peer(fd);
    struct model *model = &peer->model;
    enum progress progress = peer->progress;
    const struct tcp_info answer = {
        .tcpi_last_data_sent = progress == DATA_SENT || progress == BOTH ? 0 : 1000,
        .tcpi_last_ack_recv = progress == ACK_RECEIVED || progress == BOTH ? 0 : 1000};

    CHECK(*size == sizeof answer, "TCP_INFO of %u bytes", *size);
    CHECK(!model->ending && kernel.server.now_ns >= model_cut(model, &kernel.server),
          "asks for progress, and is not idle");
    if (progress == BOTH)
        model->activity_ns = kernel.server.now_ns;
    else
        peer->no_progress_ns = kernel.server.now_ns;
    if (progress == UNKNOWN)
        return fails(EINVAL);
    memcpy(info, &answer, sizeof answer);
    return 0;
}

int kernel_fcntl(int fd, int command, ...)
{
    if (fd > STDERR_FILENO)
        return kernel_fine(fd);
    if (command == F_DUPFD_CLOEXEC)
        return kernel_descriptor(A_OTHER);
    CHECK(fd >= 0 && command == F_GETFD, "fcntl %d on standard stream %d", command, fd);
    return kernel.closed_streams >> fd & 1 ? fails(EBADF) : 0;
}

int kernel_poll(const struct pollfd *which, nfds_t count, int timeout)
{
    CHECK(count == 1 && timeout >= 0 && timeout <= 1000, "poll of %lu, timeout %d",
          (unsigned long)count, timeout);
    CHECK(which->fd == STDERR_FILENO && which->events == POLLOUT, "poll of descriptor %d",
          which->fd);
    return !kernel.log_full;
}

int kernel_fine(int fd, ...)
{
    (void)kernel_find(fd);
    return 0;
}
