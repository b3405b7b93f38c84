/* The server's address, and the addresses from which the client connects to it. */
#ifndef LOADGEN_TARGET_H
#define LOADGEN_TARGET_H

#include "../../common/address.h"
#include "../../common/error.h"
#include "load.h"

#include <stdint.h>
#include <sys/socket.h>

struct target {
    struct sockaddr_storage address;
    socklen_t size;
    char name[ADDRESS_BYTES];
    bool local; /* on loopback */
    uint32_t ports_per_source;
    uint32_t sources; /* 0: the kernel chooses, or they rotate if `rotates` */
    bool rotates;     /* the target is on 127.0.0.0/8 of Linux, where any source address works */
    struct sockaddr_storage source[LOAD_SOURCES];
};

/* Looks up the host (getaddrinfo(3)) and the sources. Returns 0, or -1 with error filled. */
int target_find(struct target *target, const struct load *load, struct error *error);

/* A non-blocking socket that connects to the target; number selects the source address. The connect
 * may still be under way. The caller closes it. Returns -1 with errno set. */
int target_connect(const struct target *target, uint32_t number, int receive_buffer);

#endif
