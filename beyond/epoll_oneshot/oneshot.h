/* Which descriptors are armed, and the number of each arming.
 *
 * EPOLLONESHOT: an event takes the descriptor's interest away, until EPOLL_CTL_MOD gives it again.
 * So a connection is either armed, and then in nobody's hands, or it is in the hands of the one
 * thread that got its event. This is the only lock that a connection has.
 *
 * An event outlives what it was about: a thread may have fetched it, and not looked at it yet, when
 * another one closes the connection or arms it anew. So an event does not carry an address. It
 * carries the descriptor and the number of the arming that it belongs to, and an event with an old
 * number is dropped. */
#ifndef ONESHOT_H
#define ONESHOT_H

#include "../../common/error.h"
#include "../../common/stats.h"
#include "../../common/watch.h"

#include <stdint.h>
#include <sys/epoll.h>

struct slot;

struct oneshot {
    struct slot **chunks; /* a slot for each descriptor, in chunks that never move */
    uint32_t chunk_count;
};

/* Begins to watch fd in that epoll for READABLE. flags: EPOLLONESHOT or nothing. Only the loop
 * calls it, and only while the workers rest. Returns 0, or -1 with error filled. */
int oneshot_add(struct oneshot *oneshot, int epoll, struct watch *watch, uint32_t flags,
                struct error *error);

/* Arms it (again), for what is wanted. With EPOLLONESHOT the event may come, and another thread may
 * serve the connection, before this call has returned: touch nothing of it afterwards. Counts the
 * call. Returns 0, or -1 with errno set: it is not armed then. */
int oneshot_arm(struct oneshot *oneshot, int epoll, struct watch *watch, unsigned wants,
                uint32_t flags, struct stats *stats);

/* Whose event is it? NULL if the event is late: the connection is gone or was armed anew. */
struct watch *oneshot_find(const struct oneshot *oneshot, const struct epoll_event *event);

/* The descriptor is about to be closed: from now on its events are late. */
void oneshot_forget(struct oneshot *oneshot, struct watch *watch);

void oneshot_close(struct oneshot *oneshot);

/* The proof that no connection is ever in two threads: each turn begins with take and ends with
 * give. `who` is any address that stands for the thread. The process aborts, with a line, when
 * somebody else has the connection. Not compiled with -DNDEBUG. */
#ifdef NDEBUG
#define oneshot_take(oneshot, watch, who) ((void)(oneshot), (void)(watch), (void)(who))
#define oneshot_give(oneshot, watch, who) ((void)(oneshot), (void)(watch), (void)(who))
#else
void oneshot_take(struct oneshot *oneshot, const struct watch *watch, const void *who);
void oneshot_give(struct oneshot *oneshot, const struct watch *watch, const void *who);
#endif

#endif
