/* The server's address, and where connections to it come from. */
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
    uint32_t sources; /* 0: chosen by the kernel, or rotated where `rotates` */
    bool rotates;     /* the target is on 127.0.0.0/8 of Linux, where any source address will do */
    struct sockaddr_storage source[LOAD_SOURCES];
};

/* Looks the host up (getaddrinfo(3)) and the sources. Returns 0, or -1 with error filled. */
int target_find(struct target *target, const struct load *load, struct error *error);

/* A non-blocking socket on the way to the target; number chooses the source address. Its connect
 * may be under way still. To be closed by the caller. Returns -1 with errno set. */
int target_connect(const struct target *target, uint32_t number, int receive_buffer);

#endif
