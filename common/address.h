/* Socket addresses as people write them. */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <sys/socket.h>

enum { ADDRESS_BYTES = 80 };

/* "127.0.0.1:9000", "[::1]:9000" (RFC 3986, 3.2.2, for the brackets) or "[fe80::1%eth0]:9000"
 * (RFC 4007, 11, for the zone). Returns name. */
const char *address_name(const struct sockaddr *address, socklen_t size, char name[ADDRESS_BYTES]);

/* The address at the other end of fd, or "peer" when it is gone. Returns name. */
const char *address_of_peer(int fd, char name[ADDRESS_BYTES]);

/* An address without the brackets that we print: "::1" for "[::1]". Returns text itself when it has
 * none, else bare. */
const char *address_without_brackets(const char *text, char bare[ADDRESS_BYTES]);

#endif
