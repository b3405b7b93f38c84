/* Socket addresses as people write them. */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <sys/socket.h>

enum { ADDRESS_BYTES = 64 };

/* "127.0.0.1:9000" or "[::1]:9000" (RFC 3986, 3.2.2, for the brackets). Returns name. */
const char *address_name(const struct sockaddr *address, socklen_t size, char name[ADDRESS_BYTES]);

/* The address at the other end of fd, or "peer" when it is gone. Returns name. */
const char *address_of_peer(int fd, char name[ADDRESS_BYTES]);

#endif
