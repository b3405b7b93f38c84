#include "address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* A link-local address means nothing without its zone (RFC 4007): the name of the interface, or its
 * number when it has no name any more. Returns "" for any other address. */
static const char *zone_of(const struct sockaddr_in6 *address, char zone[IF_NAMESIZE + 1])
{
    char name[IF_NAMESIZE];

    zone[0] = '\0';
    if (address->sin6_scope_id == 0)
        return zone;
    if (if_indextoname(address->sin6_scope_id, name) != NULL)
        (void)snprintf(zone, IF_NAMESIZE + 1, "%%%s", name);
    else
        (void)snprintf(zone, IF_NAMESIZE + 1, "%%%u", (unsigned)address->sin6_scope_id);
    return zone;
}

/* By inet_ntop(3), which cannot fail here: getnameinfo(3) needs memory, and a server that says
 * "listening on peer" is of no use. */
const char *address_name(const struct sockaddr *address, socklen_t size, char name[ADDRESS_BYTES])
{
    char host[INET6_ADDRSTRLEN];
    char zone[IF_NAMESIZE + 1];
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;

    if (size >= sizeof *four && address->sa_family == AF_INET)
        (void)snprintf(name, ADDRESS_BYTES, "%s:%u",
                       inet_ntop(AF_INET, &four->sin_addr, host, sizeof host),
                       (unsigned)ntohs(four->sin_port));
    else if (size >= sizeof *six && address->sa_family == AF_INET6)
        (void)snprintf(name, ADDRESS_BYTES, "[%s%s]:%u",
                       inet_ntop(AF_INET6, &six->sin6_addr, host, sizeof host), zone_of(six, zone),
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

/* "[::1]" is how the ready line and URLs write an address; getaddrinfo(3) wants it without. */
const char *address_without_brackets(const char *text, char bare[ADDRESS_BYTES])
{
    size_t length = strlen(text);

    if (length < 2 || length >= ADDRESS_BYTES || text[0] != '[' || text[length - 1] != ']')
        return text;
    memcpy(bare, text + 1, length - 2);
    bare[length - 2] = '\0';
    return bare;
}
