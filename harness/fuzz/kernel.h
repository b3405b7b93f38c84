/* A kernel made of a script: sockets whose peers are the fuzzer, memory that runs out when told.
 *
 * It checks what a program may ask of a kernel: that descriptors are open, that room is room, and
 * that what is sent is what came, in its order. */
#ifndef FUZZ_KERNEL_H
#define FUZZ_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    WIRES = 4,              /* sockets at once */
    FIRST_FD = 1000,        /* no real descriptor: a call that goes past the shim fails */
    STREAM_BYTES = 1 << 18, /* the most that one peer sends */
    ANSWERS = 8,            /* planned for one call, at most */
};

enum answer_kind { ANSWER_SHORT, ANSWER_FAIL };

/* What the next call on a socket is told, whatever there is to receive or to send. */
struct answer {
    enum answer_kind kind;
    size_t size; /* ANSWER_SHORT: at most so many bytes */
    int number;  /* ANSWER_FAIL: errno */
};

struct answers {
    struct answer list[ANSWERS];
    size_t next;
    size_t count;
};

/* What the last call on a socket was told. */
struct told {
    size_t asked;
    size_t count;
    int number; /* errno, 0: the call succeeded */
};

/* One socket and the peer at its other end. */
struct wire {
    bool open;
    uint8_t stream[STREAM_BYTES]; /* all that the peer has sent */
    size_t arrived;               /* how much that is */
    size_t received;              /* of it, how much recv has handed out */
    size_t sent;                  /* echoes that send has taken */
    size_t may_send;              /* where the echoes that are due end: the model says so */
    size_t window;                /* how many more bytes the peer will take */
    bool ended;                   /* the peer has shut its sending side down */
    int broken;                   /* errno of a connection that is gone, or 0 */
    bool shut;                    /* the server has */
    int shutdown_number;          /* errno for shutdown, or 0 */
    struct answers on_recv;
    struct answers on_send;
    struct told last_recv;
    struct told last_send;
};

struct kernel {
    struct wire wires[WIRES];
    uint64_t recvs;
    uint64_t sends;
    uint64_t would_block;
    size_t blocks;      /* pieces of memory that are held */
    size_t fail_in;     /* the allocation that will fail, counted from the next one; 0: none */
    bool out_of_memory; /* one has failed since this was cleared */
    bool named_peers;   /* getpeername succeeds */
};

extern struct kernel kernel;

/* A fresh kernel, without sockets. */
void kernel_reset(void);

/* A free socket, opened, or -1. Returns its descriptor. */
int kernel_socket(void);

struct wire *kernel_wire(int fd);

/* Plans one more answer, if there is place. */
void kernel_plan(struct answers *answers, struct answer answer);

ssize_t kernel_recv(int fd, void *bytes, size_t room, int flags);
ssize_t kernel_send(int fd, const void *bytes, size_t size, int flags);
int kernel_shutdown(int fd, int how);
int kernel_close(int fd);
int kernel_getpeername(int fd, struct sockaddr *address, socklen_t *size);

/* As in the C library; what is new is filled with rubbish, and realloc always moves. */
void *kernel_malloc(size_t size);
void *kernel_calloc(size_t count, size_t size);
void *kernel_realloc(void *address, size_t size);
void kernel_free(void *address);

#endif
