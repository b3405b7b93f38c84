#include "entries.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_AN_ADDRESS = 9000 };

const char *const entry_kind_names[] = {"eventfd", "tcp", NULL};

uint32_t entries_descriptors(enum entry_kind kind)
{
    return kind == ENTRY_TCP ? 2 : 1;
}

uint32_t entries_most(enum entry_kind kind, uint64_t descriptors)
{
    uint64_t most = descriptors / entries_descriptors(kind);

    if (kind == ENTRY_TCP && most > CONNECTIONS_AN_ADDRESS)
        return CONNECTIONS_AN_ADDRESS;
    return most < UINT32_MAX ? (uint32_t)most : UINT32_MAX;
}

static int fail(struct error *error, const char *call, uint32_t number, int cause)
{
    char object[32];

    (void)snprintf(object, sizeof object, "entry %" PRIu32, number);
    return error_set(error, call, object, cause);
}

static int open_listener(uint32_t place, struct sockaddr_in *address, struct error *error)
{
    socklen_t size = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    *address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK + place)}};
    if (listener < 0)
        return error_set(error, "socket", "of a listener", errno);
    if (bind(listener, (const struct sockaddr *)address, size) == 0 && listen(listener, 1) == 0 &&
        getsockname(listener, (struct sockaddr *)address, &size) == 0)
        return listener;
    (void)error_set(error, "bind or listen", "on a loopback address", errno);
    (void)close(listener);
    return -1;
}

/* Over loopback connect(2) returns when the handshake is over, so accept4 finds the peer at once
 * and the listener's queue never holds two. Closing sends a reset, which leaves no TIME_WAIT. */
static int connect_pair(struct entries *entries, uint32_t number, int listener,
                        const struct sockaddr_in *address, struct error *error)
{
    const struct linger at_once = {1, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    entries->writers[number] = fd;
    if (fd < 0)
        return fail(error, "socket", number, errno);
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    if (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0)
        return fail(error, "connect", number, errno);
    entries->watched[number] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (entries->watched[number] < 0)
        return fail(error, "accept4", number, errno);
    return 0;
}

static int connect_all(struct entries *entries, uint32_t place, struct error *error)
{
    struct sockaddr_in address;
    int listener = open_listener(place, &address, error);
    int status = listener < 0 ? -1 : 0;

    for (uint32_t i = 0; status == 0 && i < entries->count; i++)
        status = connect_pair(entries, i, listener, &address, error);
    if (listener >= 0)
        (void)close(listener);
    return status;
}

static int make_eventfds(struct entries *entries, struct error *error)
{
    for (uint32_t i = 0; i < entries->count; i++) {
        entries->watched[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (entries->watched[i] < 0)
            return fail(error, "eventfd", i, errno);
        entries->writers[i] = entries->watched[i];
    }
    return 0;
}

int entries_open(struct entries *entries, enum entry_kind kind, uint32_t count, uint32_t place,
                 struct error *error)
{
    *entries = (struct entries){.kind = kind};
    entries->watched = malloc(((size_t)count + 1) * sizeof *entries->watched);
    entries->writers = malloc(((size_t)count + 1) * sizeof *entries->writers);
    if (entries->watched == NULL || entries->writers == NULL)
        return error_set(error, "malloc", "for the entries", errno);
    entries->count = count;
    for (uint32_t i = 0; i < count; i++)
        entries->watched[i] = entries->writers[i] = -1;
    return kind == ENTRY_TCP ? connect_all(entries, place, error) : make_eventfds(entries, error);
}

void entries_close(struct entries *entries)
{
    for (uint32_t i = 0; i < entries->count; i++) {
        if (entries->writers[i] >= 0)
            (void)close(entries->writers[i]);
        if (entries->kind == ENTRY_TCP && entries->watched[i] >= 0)
            (void)close(entries->watched[i]);
    }
    free(entries->watched);
    free(entries->writers);
}

/* An eventfd takes a number of eight bytes and adds it to its counter. A socket takes them as they
 * are. */
int entries_fill(const struct entries *entries, uint32_t number, struct error *error)
{
    const uint64_t one = 1;

    if (write(entries->writers[number], &one, sizeof one) == (ssize_t)sizeof one)
        return 0;
    return fail(error, "write to", number, errno);
}

int entries_drain(const struct entries *entries, uint32_t number, struct error *error)
{
    uint64_t found[2] = {0, 0};
    ssize_t got = read(entries->watched[number], found, sizeof found);

    if (got == (ssize_t)sizeof found[0] && found[0] == 1)
        return 0;
    if (got < 0)
        return fail(error, "read of", number, errno);
    (void)snprintf(error->text, sizeof error->text,
                   "entry %" PRIu32 ": holds something else than was written to it", number);
    return -1;
}
