/* A server for one peer at a time, as every course begins. It is right, as long as there is one.
 *
 * Build it:  cc -std=c17 -D_GNU_SOURCE -Igiven/common -o build/blocking blocking.c frame.c
 * Try it:    build/blocking 9001 &     and then two clients: README.md, step 1. */
#include "frame.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_FRAME = 30000, ROOM = 2 * MAX_FRAME };

static void fail(const char *call)
{
    fprintf(stderr, "blocking: %s: %s\n", call, strerror(errno));
    exit(1);
}

/* send(2) on a blocking socket waits until the kernel has taken all: until the peer has read. */
static int send_all(int peer, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = send(peer, bytes, size, MSG_NOSIGNAL);
        if (count < 0)
            return -1;
        bytes += count;
        size -= (size_t)count;
    }
    return 0;
}

/* Until this peer ends its stream. Nobody else is served meanwhile, not even accepted. */
static void serve(int peer)
{
    static uint8_t bytes[ROOM];
    size_t size = 0;

    for (;;) {
        ssize_t count = recv(peer, bytes + size, sizeof bytes - size, 0); /* waits here */
        if (count <= 0)
            return;
        size += (size_t)count;
        struct frame_scan scan = frame_scan(bytes, size, MAX_FRAME);
        if (send_all(peer, bytes, scan.whole) < 0 || scan.oversize)
            return;
        memmove(bytes, bytes + scan.whole, size - scan.whole);
        size -= scan.whole;
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int yes = 1;

    if (listener < 0)
        fail("socket");
    address.sin_port = htons((uint16_t)(argc > 1 ? atoi(argv[1]) : 9001));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0)
        fail("bind");
    if (listen(listener, 16) < 0)
        fail("listen");
    for (;;) {
        int peer = accept(listener, NULL, NULL); /* and here */
        if (peer < 0)
            fail("accept");
        serve(peer);
        (void)close(peer);
    }
}
