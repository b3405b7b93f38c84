#include "peer.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>

const char *address_name(const struct sockaddr *address, socklen_t size, char name[PEER_NAME_BYTES])
{
    char host[48]; /* INET6_ADDRSTRLEN is 46 */
    char port[8];

    if (getnameinfo(address, size, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        (void)snprintf(name, PEER_NAME_BYTES, "peer");
    else
        (void)snprintf(name, PEER_NAME_BYTES, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
                       host, port);
    return name;
}

const char *peer_name(int fd, char name[PEER_NAME_BYTES])
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;

    if (getpeername(fd, (struct sockaddr *)&address, &size) != 0)
        size = 0;
    return address_name((const struct sockaddr *)&address, size, name);
}
