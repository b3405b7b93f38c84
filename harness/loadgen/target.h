/* The server's address, and the addresses from which the client connects to it. */
#ifndef LOADGEN_TARGET_H
#define LOADGEN_TARGET_H

#include "../../common/address.h"
#include "../../common/error.h"
#include "load.h"

#include <stdint.h>
#include <sys/socket.h>

/* A host can have more addresses; no more than this many are tried. */
enum { TARGET_ADDRESSES = 16 };

struct endpoint {
    struct sockaddr_storage address;
    socklen_t size;
};

struct target {
    const struct load *load;
    struct endpoint found[TARGET_ADDRESSES]; /* of the host, in the order of getaddrinfo(3) */
    uint32_t count;
    struct endpoint server; /* the one of them in use, and what follows from it */
    char name[ADDRESS_BYTES];
    bool local;   /* on loopback */
    bool rotates; /* on 127.0.0.0/8 of Linux, where any source address works, and none is named */
    struct endpoint source[LOAD_SOURCES]; /* load->sources of them */
};

/* Looks up the host (getaddrinfo(3)), and uses the first of its addresses. Addresses that cannot be
 * reached from the sources on the command line are left out. Returns 0, or -1 with error filled. */
int target_find(struct target *target, const struct load *load, struct error *error);

/* Uses address `number`, below target->count, from now on. Returns 0, or -1 with error filled. No
 * other thread may read the target meanwhile. */
int target_use(struct target *target, uint32_t number, struct error *error);

/* A non-blocking socket that connects to the target; number selects the source address. The connect
 * may still be under way. The caller closes it. Returns -1 with errno set. */
int target_connect(const struct target *target, uint32_t number, int receive_buffer);

/* Whether a socket with this peer (getpeername(2)) is connected to itself. TCP allows it (RFC 9293,
 * 3.5, simultaneous open): when nobody listens on the port, and the kernel happens to choose the
 * same port for this side, the connect succeeds, and the socket reads what it has written. */
bool target_is_self(int fd, const struct sockaddr_storage *peer, socklen_t size);

#endif
