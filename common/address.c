#include "address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* By inet_ntop, which cannot fail here: getnameinfo wants memory, and a server that says "listening
 * on peer" is of no use. */
const char *address_name(const struct sockaddr *address, socklen_t size, char name[ADDRESS_BYTES])
{
    char host[INET6_ADDRSTRLEN];
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;

    if (size >= sizeof *four && address->sa_family == AF_INET)
        (void)snprintf(name, ADDRESS_BYTES, "%s:%u",
                       inet_ntop(AF_INET, &four->sin_addr, host, sizeof host),
                       (unsigned)ntohs(four->sin_port));
    else if (size >= sizeof *six && address->sa_family == AF_INET6)
        (void)snprintf(name, ADDRESS_BYTES, "[%s]:%u",
                       inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host),
                       (unsigned)ntohs(six->sin6_port));
    else
        (void)snprintf(name, ADDRESS_BYTES, "peer");
    return name;
}

const char *address_of_peer(int fd, char name[ADDRESS_BYTES])
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;

    if (getpeername(fd, (struct sockaddr *)&address, &size) != 0)
        size = 0;
    return address_name((const struct sockaddr *)&address, size, name);
}
