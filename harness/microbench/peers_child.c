#include "peers_child.h"

#include "../loadgen/mix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One source address has some 28,000 ports, and connect(2) slows down long before all are used.
 * Linux has the whole of 127.0.0.0/8 on its loopback. On other systems the first address must be
 * enough. */
enum { CONNECTIONS_AN_ADDRESS = 10000 };

struct child {
    const struct peers_plan *plan;
    struct sockaddr_in address;
    int *ends;
    uint32_t connected;
    bool has_written;
};

static int bind_source(int fd, uint32_t number)
{
    uint32_t step = number / CONNECTIONS_AN_ADDRESS;
    struct sockaddr_in source = {.sin_family = AF_INET,
                                 .sin_addr = {htonl(INADDR_LOOPBACK + step)}};

#ifdef __linux__
    int on = 1;
    /* connect(2), which knows the destination, then chooses the port (ip(7)). */
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
#else
    return 0;
#endif
    return step == 0 ? 0 : bind(fd, (const struct sockaddr *)&source, sizeof source);
}

/* A byte must leave at once, not by a timer: neither Nagle's algorithm, which waits for an
 * acknowledgement, nor the congestion control's pacing may hold it back. */
static void send_at_once(int fd)
{
    const struct linger at_once = {1, 0}; /* close sends a reset, and leaves no TIME_WAIT */
    int on = 1;

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef TCP_CONGESTION
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
#endif
}

static int connect_next(struct child *child, struct error *error)
{
    char object[64];
    uint32_t number = child->connected;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    (void)snprintf(object, sizeof object, "connection %" PRIu32, number);
    if (fd < 0)
        return error_set(error, "socket", object, errno);
    child->ends[child->connected++] = fd;
    send_at_once(fd);
    if (bind_source(fd, number) < 0)
        return error_set(error, "bind", object, errno);
    if (connect(fd, (const struct sockaddr *)&child->address, sizeof child->address) < 0)
        return error_set(error, "connect", object, errno);
    return 0;
}

static int connect_batch(struct child *child, struct error *error)
{
    for (int i = 0; i < PEERS_BATCH && child->connected < child->plan->count; i++)
        if (connect_next(child, error) < 0)
            return -1;
    return 0;
}

static int write_bytes(struct child *child, struct error *error)
{
    for (uint32_t i = 0; i < child->plan->writer_count; i++) {
        int fd = child->ends[child->plan->writers[i]];
        char answer = 0;
        ssize_t got = child->has_written ? recv(fd, &answer, 1, 0) : 1;
        if (got != 1)
            return error_set(error, "recv", "of an answer", got == 0 ? ECONNRESET : errno);
        if (send(fd, "e", 1, 0) != 1)
            return error_set(error, "send", "of one byte", errno);
    }
    child->has_written = true;
    return 0;
}

static void make_frame(uint32_t connection, uint64_t round, uint8_t frame[PEERS_FRAME_BYTES])
{
    const uint8_t header[4] = {0, 0, 0, PEERS_PAYLOAD_BYTES};
    uint64_t stream = mix_into(connection, round);

    memcpy(frame, header, sizeof header);
    for (size_t i = sizeof header; i < PEERS_FRAME_BYTES; i += sizeof stream) {
        uint64_t bits = mix_next(&stream);
        memcpy(frame + i, &bits, sizeof bits);
    }
}

static int expect_echo(int fd, uint32_t connection, uint64_t round, struct error *error)
{
    uint8_t expected[PEERS_FRAME_BYTES];
    uint8_t got[PEERS_FRAME_BYTES];
    ssize_t size = recv(fd, got, sizeof got, MSG_WAITALL);

    if (size < 0)
        return error_set(error, "recv", "of an echo", errno);
    make_frame(connection, round, expected);
    if (size == PEERS_FRAME_BYTES && memcmp(got, expected, sizeof got) == 0)
        return 0;
    (void)snprintf(error->text, sizeof error->text,
                   "connection %" PRIu32 ": echo %" PRIu64 " is not what was sent", connection,
                   round);
    return -1;
}

static int converse(struct child *child, struct error *error)
{
    uint8_t frame[PEERS_FRAME_BYTES];
    uint64_t left = child->plan->messages;

    for (uint64_t round = 0; left > 0; round++) {
        uint32_t now = left < child->plan->count ? (uint32_t)left : child->plan->count;
        for (uint32_t i = 0; i < now; i++) {
            make_frame(i, round, frame);
            if (send(child->ends[i], frame, sizeof frame, 0) != (ssize_t)sizeof frame)
                return error_set(error, "send", "of a frame", errno);
        }
        for (uint32_t i = 0; i < now; i++)
            if (expect_echo(child->ends[i], i, round, error) < 0)
                return -1;
        left -= now;
    }
    return 0;
}

static int obey(struct child *child, enum command what, struct error *error)
{
    switch (what) {
    case COMMAND_CONNECT:
        return connect_batch(child, error);
    case COMMAND_WRITE:
        return write_bytes(child, error);
    case COMMAND_CONVERSE:
        break;
    }
    return converse(child, error);
}

_Noreturn void peers_live(const struct peers_plan *plan, const struct sockaddr_in *address,
                          int commands, int answers)
{
    struct child child = {.plan = plan, .address = *address};
    struct answer answer = {0};
    unsigned char byte = 0;

    child.ends = calloc((size_t)plan->count + 1, sizeof *child.ends);
    while (answer.result == 0 && read(commands, &byte, 1) == 1) {
        answer.result = child.ends == NULL
                            ? error_set(&answer.error, "calloc", "for the other ends", ENOMEM)
                            : obey(&child, (enum command)byte, &answer.error);
        if (write(answers, &answer, sizeof answer) != (ssize_t)sizeof answer)
            break;
    }
    _exit(answer.result == 0 ? 0 : 1); /* resets what is open; drops the parent's buffers */
}
