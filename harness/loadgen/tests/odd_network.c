/* Preloaded into the load generator: a network on which rare things happen every time.
 *
 * SELF_CONNECT: the kernel chooses the destination's port for this side too, as it does once in
 * some ten thousand times. Nobody listens there, so the socket connects to itself.
 * The name "two.addresses.test" has two addresses: 127.0.0.77, then 127.0.0.1. */
#include <dlfcn.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    int (*real)(int, const struct sockaddr *, socklen_t) = dlsym(RTLD_NEXT, "connect");

    if (getenv("SELF_CONNECT") != NULL && bind(fd, address, size) < 0)
        return -1;
    return real(fd, address, size);
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **found)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        dlsym(RTLD_NEXT, "getaddrinfo");

    if (node == NULL || strcmp(node, "two.addresses.test") != 0)
        return real(node, service, hints, found);
    int result = real("127.0.0.77", service, hints, found);
    return result == 0 ? real("127.0.0.1", service, hints, &(*found)->ai_next) : result;
}
