#include "target.h"

#include "../../common/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ADDRESSES_A_BLOCK = 254 }; /* values of the last octet, without .0 and .255 */

/* Fills found with at most `most` addresses. Returns how many, or -1 with error filled. */
static int look_up(const char *option, const char *host, uint16_t port, int family,
                   struct endpoint *found, uint32_t most, struct error *error)
{
    const struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    uint32_t count = 0;
    char service[8];
    char bare[ADDRESS_BYTES]; /* a server's ready line has brackets: what it prints is taken here */

    (void)snprintf(service, sizeof service, "%u", (unsigned)port);
    int result = getaddrinfo(address_without_brackets(host, bare), service, &hints, &list);
    if (result != 0) {
        (void)snprintf(error->text, sizeof error->text, "--%s %s: %s", option, host,
                       gai_strerror(result));
        return -1;
    }
    for (const struct addrinfo *each = list; each != NULL && count < most; each = each->ai_next) {
        memcpy(&found[count].address, each->ai_addr, each->ai_addrlen);
        found[count++].size = each->ai_addrlen;
    }
    freeaddrinfo(list);
    return (int)count;
}

static bool on_loopback(const struct sockaddr_storage *address)
{
    const struct sockaddr_in *inet = (const struct sockaddr_in *)address;
    const struct sockaddr_in6 *inet6 = (const struct sockaddr_in6 *)address;

    if (address->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(&inet6->sin6_addr);
    return address->ss_family == AF_INET && ntohl(inet->sin_addr.s_addr) >> 24 == 127;
}

/* Looks up a source address, and binds a socket to it: whether that works must be known before the
 * first connect. */
static int take_source(struct target *target, uint32_t number, struct error *error)
{
    const char *text = target->load->source[number];
    struct endpoint *source = &target->source[number];
    int family = target->server.address.ss_family;

    if (look_up("source", text, 0, family, source, 1, error) < 0)
        return -1;
    int fd = socket(family, SOCK_STREAM, 0);
    int result = fd < 0 ? -1 : bind(fd, (const struct sockaddr *)&source->address, source->size);
    if (result < 0)
        (void)snprintf(error->text, sizeof error->text, "--source %s: bind: %s", text,
                       strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return result;
}

int target_use(struct target *target, uint32_t number, struct error *error)
{
    const struct load *load = target->load;

    target->server = target->found[number];
    for (uint32_t i = 0; i < load->sources; i++)
        if (take_source(target, i, error) < 0)
            return -1;
    target->local = on_loopback(&target->server.address);
#ifdef __linux__
    /* On other systems an address of 127.0.0.0/8 must be configured before use. */
    target->rotates =
        load->sources == 0 && target->local && target->server.address.ss_family == AF_INET;
#endif
    (void)address_name((const struct sockaddr *)&target->server.address, target->server.size,
                       target->name);
    if (!load->ports_given || load->connections <= load->ports_per_source || load->sources > 0 ||
        target->rotates)
        return 0;
    (void)snprintf(error->text, sizeof error->text,
                   "--ports-per-source %u: %s is reached from one address; see --source",
                   (unsigned)load->ports_per_source, target->name);
    return -1;
}

int target_find(struct target *target, const struct load *load, struct error *error)
{
    *target = (struct target){.load = load};
    int found =
        look_up("host", load->host, load->port, AF_UNSPEC, target->found, TARGET_ADDRESSES, error);
    for (int i = 0; i < found; i++) {
        target->found[target->count] = target->found[i];
        target->count += target_use(target, target->count, error) == 0;
    }
    return target->count > 0 ? target_use(target, 0, error) : -1;
}

/* 127.0.0.1, 127.0.0.2 to 127.0.0.254, then 127.0.1.1 and so on: one step every ports_per_source
 * connections. */
static void rotated(uint32_t step, struct sockaddr_storage *source)
{
    struct sockaddr_in *inet = (struct sockaddr_in *)source;

    *inet = (struct sockaddr_in){.sin_family = AF_INET};
    inet->sin_addr.s_addr = htonl(UINT32_C(0x7f000000) | (step / ADDRESSES_A_BLOCK << 8) |
                                  (step % ADDRESSES_A_BLOCK + 1));
}

/* One address has some 28,000 ports, and each connection to one server takes one. Linux first tries
 * every second port. From 14,000 connections on, each connect searches all of those in vain, which
 * takes longer than everything else. So the client changes to a new address well before. Without
 * IP_BIND_ADDRESS_NO_PORT (ip(7)), bind would choose the port before it knows the destination, and
 * would take it from all of them. */
static int bind_source(const struct target *target, int fd, uint32_t number)
{
    struct sockaddr_storage source;
    const struct load *load = target->load;
    uint32_t step = number / load->ports_per_source;

    if (load->sources > 0)
        source = target->source[step % load->sources].address;
    else if (target->rotates && step > 0)
        rotated(step, &source);
    else
        return 0;
#ifdef IP_BIND_ADDRESS_NO_PORT
    int on = 1;
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
#endif
    return bind(fd, (const struct sockaddr *)&source, target->server.size);
}

static int make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* Some systems' congestion control paces what is sent by timers (Linux: bbr). Between machines that
 * is part of the network. On loopback there is no congestion: pacing would only cost this client
 * time and make it send late. Where the system does not allow another algorithm, the default
 * stays. */
static void avoid_pacing(const struct target *target, int fd)
{
#ifdef TCP_CONGESTION
    static const char name[] = "reno";

    if (target->local)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, sizeof name - 1);
#else
    (void)target;
    (void)fd;
#endif
}

int target_connect(const struct target *target, uint32_t number, int receive_buffer)
{
    int on = 1;
    int fd = socket(target->server.address.ss_family, SOCK_STREAM, 0);

    if (fd < 0)
        return -1;
    /* Nagle's algorithm would hold a request back until the previous one is acknowledged. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    avoid_pacing(target, fd);
    /* Set before the connection exists, because the initial window depends on it (tcp(7)). */
    if (receive_buffer > 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (make_nonblocking(fd) < 0 || bind_source(target, fd, number) < 0 ||
        (connect(fd, (const struct sockaddr *)&target->server.address, target->server.size) < 0 &&
         errno != EINPROGRESS && errno != EINTR)) {
        int number_of_error = errno;
        (void)close(fd);
        errno = number_of_error;
        return -1;
    }
    return fd;
}

bool target_is_self(int fd, const struct sockaddr_storage *peer, socklen_t size)
{
    struct sockaddr_storage here = {0};
    socklen_t here_size = sizeof here;

    return getsockname(fd, (struct sockaddr *)&here, &here_size) == 0 && here_size == size &&
           memcmp(&here, peer, size) == 0;
}
