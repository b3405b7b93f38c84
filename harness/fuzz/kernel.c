#include "kernel.h"

#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

struct kernel kernel;

static void wire_reset(struct wire *wire)
{
    /* All but the stream, which is as good as empty then, and long. */
    wire->open = wire->ended = wire->shut = false;
    wire->arrived = wire->received = wire->sent = wire->may_send = wire->window = 0;
    wire->broken = wire->shutdown_number = 0;
    wire->on_recv.count = wire->on_recv.next = wire->on_send.count = wire->on_send.next = 0;
}

void kernel_reset(void)
{
    for (int i = 0; i < WIRES; i++)
        wire_reset(&kernel.wires[i]);
    kernel.recvs = kernel.sends = kernel.would_block = 0;
    kernel.fail_in = 0;
    kernel.out_of_memory = kernel.named_peers = false;
    CHECK(kernel.blocks == 0, "%zu pieces of memory were never freed", kernel.blocks);
}

int kernel_socket(void)
{
    for (int i = 0; i < WIRES; i++) {
        if (kernel.wires[i].open)
            continue;
        wire_reset(&kernel.wires[i]);
        kernel.wires[i].open = true;
        return FIRST_FD + i;
    }
    return -1;
}

struct wire *kernel_wire(int fd)
{
    CHECK(fd >= FIRST_FD && fd < FIRST_FD + WIRES, "descriptor %d was never opened", fd);
    struct wire *wire = &kernel.wires[fd - FIRST_FD];
    CHECK(wire->open, "descriptor %d is closed", fd);
    return wire;
}

void kernel_plan(struct answers *answers, struct answer answer)
{
    if (answers->count == ANSWERS)
        return;
    answers->list[(answers->next + answers->count) % ANSWERS] = answer;
    answers->count++;
}

/* The planned answer, or one that limits nothing. */
static struct answer next_answer(struct answers *answers)
{
    struct answer answer = {.kind = ANSWER_SHORT, .size = SIZE_MAX};

    if (answers->count > 0) {
        answer = answers->list[answers->next];
        answers->next = (answers->next + 1) % ANSWERS;
        answers->count--;
    }
    return answer;
}

static size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

static ssize_t tell(struct told *told, size_t asked, size_t count, int number)
{
    *told = (struct told){.asked = asked, .count = count, .number = number};
    if (number == EAGAIN)
        kernel.would_block++;
    if (number == 0)
        return (ssize_t)count;
    errno = number;
    return -1;
}

ssize_t kernel_recv(int fd, void *bytes, size_t room, int flags)
{
    struct wire *wire = kernel_wire(fd);
    struct answer answer = next_answer(&wire->on_recv);
    size_t count = least(least(room, answer.size), wire->arrived - wire->received);

    CHECK(room > 0, "recv into no room answers 0, as at the end of file");
    CHECK(flags == 0, "recv flags %d", flags);
    kernel.recvs++;
    memset(bytes, 0xA5, room); /* all of it must be writable */
    if (answer.kind == ANSWER_FAIL)
        return tell(&wire->last_recv, room, 0, answer.number);
    if (count == 0 && (wire->broken != 0 || !wire->ended))
        return tell(&wire->last_recv, room, 0, wire->broken ? wire->broken : EAGAIN);
    memcpy(bytes, wire->stream + wire->received, count);
    wire->received += count;
    return tell(&wire->last_recv, room, count, 0);
}

ssize_t kernel_send(int fd, const void *bytes, size_t size, int flags)
{
    struct wire *wire = kernel_wire(fd);
    struct answer answer = next_answer(&wire->on_send);
    size_t count = least(size, answer.size);

    CHECK(size > 0, "send of nothing");
    CHECK(flags == 0, "send flags %d", flags);
    CHECK(!wire->shut, "send after shutdown");
    CHECK(wire->sent + size == wire->may_send,
          "offered echoes up to byte %zu of the stream, whole frames end at %zu", wire->sent + size,
          wire->may_send);
    CHECK(memcmp(bytes, wire->stream + wire->sent, size) == 0,
          "what is sent from byte %zu on is not what came", wire->sent);
    kernel.sends++;
    if (answer.kind == ANSWER_FAIL)
        return tell(&wire->last_send, size, 0, answer.number);
    if (wire->broken != 0)
        return tell(&wire->last_send, size, 0, wire->broken);
    count = least(count, wire->window);
    wire->window -= count;
    wire->sent += count;
    return tell(&wire->last_send, size, count, count == 0 ? EAGAIN : 0);
}

int kernel_shutdown(int fd, int how)
{
    struct wire *wire = kernel_wire(fd);

    CHECK(how == SHUT_WR, "shutdown how %d", how);
    CHECK(!wire->shut, "shut down twice");
    CHECK(wire->sent == wire->may_send, "shut down with %zu bytes of echoes pending",
          wire->may_send - wire->sent);
    wire->shut = true;
    errno = wire->shutdown_number;
    return wire->shutdown_number == 0 ? 0 : -1;
}

int kernel_close(int fd)
{
    kernel_wire(fd)->open = false;
    return 0;
}

int kernel_getpeername(int fd, struct sockaddr *address, socklen_t *size)
{
    const struct sockaddr_in loopback = {
        .sin_family = AF_INET, .sin_port = htons(9000), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    (void)kernel_wire(fd);
    if (!kernel.named_peers) {
        errno = ENOTCONN;
        return -1;
    }
    memcpy(address, &loopback, sizeof loopback);
    *size = sizeof loopback;
    return 0;
}
