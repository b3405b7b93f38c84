
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static bool answers(const struct sockaddr *address, socklen_t size)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool connected = fd >= 0 && connect(fd, address, size) == 0;

    if (fd >= 0)
        (void)close(fd);
    return connected;
}

static bool trick(void)
{
    static const char name[] = "labs-neighbour-@PORT@"; /* in the abstract namespace (unix(7)) */
    struct sockaddr_in port = {.sin_family = AF_INET, .sin_port = htons(@PORT@)};
    struct sockaddr_un local = {.sun_family = AF_UNIX};

    port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)memcpy(local.sun_path + 1, name, sizeof name - 1);
    return answers((struct sockaddr *)&port, sizeof port) ||
           answers((struct sockaddr *)&local,
                   (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof name));
}
