/* Several loops in one process, each in a thread of its own, and the main thread beside them.
 *
 * A loop has all its own: its epoll instance, its connections, its timeouts and its statistics. So
 * no lock stands in the path of a message. What the loops share is here: a limit of connections,
 * the right to refuse a peer, and the flags by which the main thread speaks to them.
 *
 *     main thread: signals, statistics            letters            loop 0
 *                  --listen handed: accept(2)  ------------->        loop 1
 *                                              <-------------        ...
 *                                                   bell */
#ifndef EPOLL_LOOPS_TEAM_H
#define EPOLL_LOOPS_TEAM_H

#include "../../common/error.h"
#include "../../common/loop.h"
#include "../../common/own_descriptors.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* How the loops share the peers that come. */
enum listen_way {
    LISTEN_REUSEPORT, /* a listener for each loop, on one port: the kernel spreads by a hash */
    LISTEN_SHARED,    /* one listener, which every loop watches: every loop wakes up */
    LISTEN_EXCLUSIVE, /* the same with EPOLLEXCLUSIVE: one loop wakes up, mostly the same one */
    LISTEN_HANDED,    /* the main thread accepts, and hands each peer to the next loop */
};

struct chosen {
    uint32_t loops;
    enum listen_way listen;
    uint64_t work_ns; /* a frame */
};

/* What the command line says. Nobody writes to it once the loops run. */
extern struct chosen chosen;
extern const struct option_part chosen_part;

enum { LOOPS_MOST = 64, CACHE_LINE = 64 };

struct team;

struct member {
    struct loop loop; /* first: see member_of() */
    struct team *team;
    pthread_t thread;
    bool runs;            /* the thread has been started */
    int inbox;            /* letters: a descriptor of a peer, or 0: look at the flags */
    int letters;          /* the other end of that pipe */
    unsigned stops_taken; /* of team->stops */
    unsigned freed_seen;  /* of team->freed */
    struct stats snapshot;
    size_t snapshot_connections;
    atomic_uint reported; /* the last of team->reports that the snapshot answers */
    atomic_uint obeyed;   /* the last of team->orders that this loop obeys */
    atomic_bool ended;    /* the loop counts no more */
    int result;           /* of the loop, once it has ended: 0, or -1 with the error */
    struct error error;
    char apart[CACHE_LINE]; /* what two loops write to does not share a cache line */
};

struct team {
    struct service service; /* the main thread's: listener of the ready line, final statistics */
    struct own_descriptors own;
    int bell; /* rung by the loops: eventfd(2) */
    struct member *members;
    uint32_t count;
    uint32_t next;         /* LISTEN_HANDED: whose turn it is */
    bool rests;            /* LISTEN_HANDED: the listener rests, and is counted in resting */
    unsigned freed_seen;   /* of freed */
    unsigned reports_done; /* of reports: statistics that were printed */
    pid_t successor;       /* that listens, until the line that says so is printed; else 0 */
    struct member *failed; /* the first loop that failed, or NULL */
    struct stats_of_loop counts[LOOPS_MOST];
    /* Shared by all threads. */
    pthread_mutex_t gate;           /* held until the ready line is out: no loop accepts before */
    atomic_uint stops;              /* signals that ask for a stop */
    atomic_uint reports;            /* requests for statistics */
    atomic_uint orders;             /* changes of the two below that all loops must know of */
    atomic_bool copying;            /* a copy of this process is made: descriptors have twins */
    atomic_bool leaving;            /* a new program has the listener */
    atomic_size_t connections;      /* of all loops: for --max-conns */
    atomic_uint resting;            /* listeners that rest, for want of descriptors */
    atomic_uint freed;              /* counts up when loops have closed descriptors */
    _Atomic uint64_t spare_used_ns; /* when a peer was last refused for want of descriptors */
};

static inline struct member *member_of(struct loop *loop)
{
    return (struct member *)loop;
}

/* The body of main: options, loops, threads, statistics. Returns the exit status. */
int team_main(const struct server *server, int argc, char **argv);

/* Restart: handover.c. SIGUSR2 asks for one; the main thread continues it at each turn; a stop ends
 * it. */
void handover_begin(struct team *team, uint64_t now_ns);
void handover_continue(struct team *team, uint64_t now_ns);
void handover_abandon(struct team *team);

/* Rings each loop: look at the flags. */
void team_ring_loops(struct team *team);

/* Ends the rest of a listener, if a descriptor has become free since *seen. To be called before the
 * listener accepts, too, so that *seen is older than its error. */
void team_look_for_free(const struct team *team, unsigned *seen, struct listener *listener);

/* A letter: the descriptor of a peer, or 0 for "look at the flags". False: the pipe is full, or has
 * failed. */
bool member_send(const struct member *member, int descriptor);

/* The body of a loop's thread. */
void *member_run(void *member);

/* -- for server.c, in the thread of a loop ----------------------------------------------------- */

/* Counts a connection, if --max-conns allows one more. */
bool team_reserve(struct team *team);
void team_release(struct team *team);

/* Descriptors have been closed. Wakes the listeners that rest because there was none. */
void team_freed(struct team *team);

/* A listener begins its rest. False: a descriptor has become free since *seen. Then it does not
 * rest, and should accept once more. */
bool team_begins_rest(struct team *team, unsigned *seen, struct listener *listener);
void team_ends_rest(struct team *team);

/* The loop's listener begins or ends its rest. False: see team_begins_rest(). */
bool member_rests(struct member *member, bool rests);

/* To be called before each wait, when all that the loop has ended is closed: tells the main thread
 * which orders this loop obeys. */
void member_obeys(struct member *member);

/* Reads the letters: takes over peers, answers a request for statistics, leaves. `alone`: nothing
 * but a letter ended the wait. Returns true if the loop has to stop, or to end at once if it stops
 * already. */
bool member_reads(struct member *member, bool alone);

#endif
