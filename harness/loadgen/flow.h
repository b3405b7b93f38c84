/* One connection as the generator sees it: what it has been asked, what is on its way, what has
 * come back; and the traffic of a thread that it is part of.
 *
 * Requests of a flow are numbered from 0, which is the proof of the connection. A request is
 * `issued` when it falls due, `sending` once its bytes begin to leave, `awaited` until its echo is
 * whole:
 *
 *     0 … awaited … sending … issued
 *        answered   on the wire   waiting for their turn
 */
#ifndef LOADGEN_FLOW_H
#define LOADGEN_FLOW_H

#include "histogram.h"
#include "load.h"
#include "tally.h"
#include "target.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLOW_SCRATCH_BYTES = 64 * 1024 };

struct request {
    uint64_t scheduled_ns;
    uint64_t sent_ns;
};

enum flow_state {
    FLOW_NEW,
    FLOW_CONNECTING,
    FLOW_OPEN,
    FLOW_ENDED, /* by the server, or given up after an error; no descriptor */
};

struct misread;
struct missing;

struct flow {
    int fd;
    uint32_t id;
    uint8_t state;           /* enum flow_state */
    bool active;             /* carries requests that count */
    bool writable;           /* the last send took all that it was offered */
    bool queued;             /* has pieces to write that wait for their turn */
    uint32_t send_offset;    /* in the frame of request `sending` */
    uint32_t receive_offset; /* in the frame of request `awaited` */
    uint64_t issued;
    uint64_t sending;
    uint64_t awaited;
    uint64_t opened;       /* the number of the first request of this connection */
    uint64_t unblocked_ns; /* when the server last let a waiting request go ahead */
    uint32_t capacity;     /* of requests, a power of 2, or 0 */
    struct request *requests;
    struct misread *misread; /* a wrong frame while it is being gathered, or NULL */
    struct missing *missing; /* numbers that later replies have overtaken, or NULL */
};

struct latencies {
    struct histogram *response; /* received − scheduled */
    struct histogram *service;  /* received − sent */
    struct histogram *lag;      /* sent − scheduled, or − when the server let it go ahead */
    struct histogram *censored; /* age of what is unanswered: its response is longer */
};

/* What the flows of one thread share. One thread uses it. */
struct traffic {
    const struct load *load;
    const struct target *target;
    uint64_t key;             /* of the payloads */
    uint64_t stream;          /* of the fragments' sizes */
    uint64_t measure_from_ns; /* a request belongs to the figures when it is due from here … */
    uint64_t measure_to_ns;   /* … to before here */
    uint64_t quarter_end_ns;
    uint64_t quarter_ends_ns[TALLY_QUARTERS];
    uint32_t quarter;
    bool refill; /* closed loop: a reply issues the next request */
    uint64_t outstanding;
    uint32_t ended;          /* active flows that can go no further */
    uint64_t quiet_since_ns; /* the last reply, or the first request after none were under way */
    uint64_t silence_ns;     /* longest time without a reply though some were due */
    struct latencies latencies;
    struct tally tally;
    uint8_t *input;
    uint8_t *output;
};

/* Returns 0, or -1 with error filled; destroy it all the same. load and target must outlive it. */
int traffic_init(struct traffic *traffic, const struct load *load, const struct target *target,
                 uint32_t thread, struct error *error);
void traffic_destroy(struct traffic *traffic);

/* Begins to connect. Returns 0 with the descriptor in flow->fd and the state CONNECTING, or -1
 * after the error has been counted. */
int flow_connect(struct traffic *traffic, struct flow *flow);

/* A connecting flow was reported ready: 1 when it is open now, 0 when it is not yet, -1 after the
 * error has been counted. */
int flow_connected(struct traffic *traffic, struct flow *flow);

/* A request falls due. Follow it by flow_flush. Returns false, with the error counted, when memory
 * is short. */
bool flow_issue(struct traffic *traffic, struct flow *flow, uint64_t scheduled_ns);

/* Sends what may be sent, but no more than `most` bytes. */
void flow_flush(struct traffic *traffic, struct flow *flow, size_t most);

/* Whether flow_flush would send something, if the server read. */
bool flow_has_output(const struct traffic *traffic, const struct flow *flow);

/* Reads what has come and checks it; to_end: until the call would block or the stream has ended,
 * not just until a read comes back short. */
void flow_receive(struct traffic *traffic, struct flow *flow, bool to_end);

/* The reply to request `awaited` is whole: counts it, records its times, issues the next. */
void flow_complete(struct traffic *traffic, struct flow *flow, uint64_t received_ns);

/* The identity of a request's payload. */
uint64_t flow_identity(const struct traffic *traffic, const struct flow *flow, uint64_t number);

/* Closes the descriptor, by reset or by FIN as mode says, and keeps the rest. A reset leaves
 * nothing behind; after a FIN the port stays in TIME_WAIT on this side for a minute. */
void flow_close(struct flow *flow, enum close_mode mode);

/* Ends a flow that can go no further: what was under way on it is no longer waited for. */
void flow_end(struct traffic *traffic, struct flow *flow);

/* Counts what is still unanswered, as unanswered or as lost, and records its age. */
void flow_settle(struct traffic *traffic, struct flow *flow, uint64_t now_ns);

void flow_free(struct flow *flow);

#endif
