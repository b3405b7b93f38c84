/* A kernel made of a script, for a whole server: descriptors, peers, readiness, time, signals.
 *
 * It checks what a program may ask of a kernel: that descriptors are open, that room is room, and
 * that what is sent is what came, in its order. It tells the models what each call brought. */
#ifndef FUZZ_KERNEL_H
#define FUZZ_KERNEL_H

#include "model.h"

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <time.h>

enum {
    PEERS = 6,
    DESCRIPTORS = 16,
    FIRST_FD = 1000, /* no real descriptor: a call that goes past the shim fails */
};

/* Readiness that some APIs report besides: the peer has sent FIN; an urgent byte has come. */
enum { HANGUP = 8, URGENT = 16 };

/* What TCP_INFO says of a socket: which of the two happened within the idle timeout. */
enum progress { UNKNOWN, DATA_SENT, ACK_RECEIVED, BOTH };

/* What the next call on a socket is told; all zero: what is so. */
struct answer {
    int number;  /* fails with this errno; 0: does not */
    size_t most; /* takes or gives at most so many bytes; 0: any number */
};

enum place { AWAY, QUEUED, CONNECTED };

/* A peer, and the socket that the server has for it. */
struct peer {
    enum place place;
    uint64_t number; /* peers are accepted in its order */
    size_t window;   /* how many more bytes the peer will take */
    bool ended;      /* the peer has shut its sending side down */
    int broken;      /* errno of a connection that is gone, or 0 */
    bool shut;       /* the server has sent FIN */
    bool blocked;    /* a send took less than was offered: room again is news */
    bool served;     /* the server watches, or watched, this socket */
    bool urgent;     /* an urgent byte has come; recv stops short before it (tcp(7)) */
    size_t mark;     /* where in the stream it was */
    enum progress progress;
    uint64_t no_progress_ns; /* when the server last heard that there was not enough */
    bool logged;             /* the oversize line about it is due or printed */
    bool given_up;           /* the API could not go on watching it */
    int fd;
    int shutdown_number; /* errno for shutdown, or 0 */
    struct answer on_recv;
    struct answer on_send;
    struct connection *connection; /* until it is retired */
    struct model model;
};

enum kind { NO_DESCRIPTOR, A_LISTENER, A_SOCKET, A_TIMER, A_SIGNALS, A_OTHER };

struct descriptor {
    enum kind kind;
    struct peer *peer;
    void *data; /* what an event carries; NULL: not watched */
    unsigned interest;
    bool by_edges; /* reported once for every `news` */
    bool news;
};

struct kernel {
    struct peer peers[PEERS];
    struct descriptor descriptors[DESCRIPTORS];
    int limit;               /* of descriptors */
    uint64_t timer_ns;       /* when the server asked to be woken, or NEVER */
    uint64_t exhausted_ns;   /* when an accept last failed for want of something */
    bool freed;              /* a connection has been closed since then */
    int signals[2];          /* pending, the next one first; 0: none */
    int accept_number;       /* errno for the next accept, or 0 */
    unsigned closed_streams; /* bit 0: standard input is closed, and so on */
    bool log_full;           /* a write to standard error would wait */
    bool interrupted;        /* the last call was, and must be repeated */
    bool in_batch;           /* events are being handed out */
    size_t calls;            /* since the last wait */
    uint64_t connects;
    struct server_model server;
};

extern struct kernel kernel;

void kernel_reset(void);

/* A new descriptor, the lowest that is free; -1, errno EMFILE: above the limit. */
int kernel_descriptor(enum kind kind);
int kernel_open(const char *path, int flags, ...);
struct descriptor *kernel_find(int fd);
struct peer *kernel_peer(int fd);

/* Something has happened to what is of this kind, or to the peer's socket. */
void kernel_news(enum kind kind);
void kernel_peer_news(struct peer *peer);

/* What a level-triggered API would report. */
unsigned kernel_readiness(const struct descriptor *descriptor);

/* The first of the peers at a place, or NULL. */
struct peer *kernel_first(enum place place);

struct kernel_event {
    void *data;
    unsigned ready;
};

/* Waits, as the script says (loop_target.c). Returns the number of events, or -1 with errno set. */
int kernel_wait(struct kernel_event *events, int most, bool sleeps);

ssize_t kernel_recv(int fd, void *bytes, size_t room, int flags);
ssize_t kernel_send(int fd, const void *bytes, size_t size, int flags);
int kernel_shutdown(int fd, int how);
int kernel_accept(int fd);
int kernel_close(int fd);
int kernel_name(int fd, struct sockaddr *address, socklen_t *size);
int kernel_take_signal(void);
int kernel_clock(struct timespec *now);

int kernel_tcp_info(int fd, void *info, socklen_t *size);
int kernel_fcntl(int fd, int command, ...);
int kernel_poll(const struct pollfd *which, nfds_t count, int timeout);

/* A call that always succeeds, on an open descriptor. */
int kernel_fine(int fd, ...);

#endif
