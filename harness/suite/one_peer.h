/* For preloaded libraries: a peer of the server in whose process this runs. */
#ifndef SUITE_ONE_PEER_H
#define SUITE_ONE_PEER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

enum { DESCRIPTORS = 64 }; /* below this number a listener is looked for */

static bool listens(int fd, struct sockaddr_in *address)
{
    int yes = 0;
    socklen_t size = sizeof yes;

    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &size) < 0 || !yes)
        return false;
    size = sizeof *address;
    return getsockname(fd, (struct sockaddr *)address, &size) == 0;
}

/* Connects to the first listener, sends one frame and ends its stream. Nobody reads the echo. */
static void one_peer(void)
{
    static const char frame[] = {0, 0, 0, 1, 'x'};
    struct sockaddr_in address;

    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (!listens(fd, &address))
            continue;
        int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(peer, (struct sockaddr *)&address, sizeof address) == 0) {
            (void)send(peer, frame, sizeof frame, MSG_NOSIGNAL);
            (void)shutdown(peer, SHUT_WR);
        }
        return;
    }
}

#endif
