/* One connection as the generator sees it: which requests have been issued, which are on the wire,
 * and which have been answered. Also the traffic of a thread, which the connection is part of.
 *
 * Requests of a flow are numbered from 0. Request 0 is the proof of the connection. A request is
 * `issued` when it falls due, `sending` once its bytes begin to leave, and `awaited` until its echo
 * is complete:
 *
 *     0 … awaited … sending … issued
 *        answered   on the wire   waiting for their turn */
#ifndef LOADGEN_FLOW_H
#define LOADGEN_FLOW_H

#include "latencies.h"
#include "load.h"
#include "tally.h"
#include "target.h"
#include "timeline.h"

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
    FLOW_ENDED, /* ended by the server, or given up after an error; no descriptor */
};

struct misread;
struct missing;
struct ssl_st;

struct flow {
    int fd;
    uint32_t id;
    uint8_t state;           /* enum flow_state */
    bool active;             /* carries requests that count */
    bool writable;           /* the last send took everything */
    bool queued;             /* has pieces to write, and waits for its turn */
    bool emptied;            /* --tls: the last recv(2) has emptied the socket */
    uint32_t begun;          /* --tls: a record of so many bytes has begun: offer these again */
    uint32_t send_offset;    /* in the frame of request `sending` */
    uint32_t receive_offset; /* in the frame of request `awaited` */
    uint64_t issued;
    uint64_t sending;
    uint64_t awaited;
    uint64_t opened;       /* the number of the first request of this connection */
    uint64_t unblocked_ns; /* when the server last allowed a waiting request to be sent */
    uint32_t capacity;     /* of requests, a power of 2, or 0 */
    struct ssl_st *secure; /* its TLS session, or NULL: see secure.h */
    struct request *requests;
    struct misread *misread; /* a wrong frame that is being collected, or NULL */
    struct missing *missing; /* numbers of requests that later replies have overtaken, or NULL */
};

/* What the flows of one thread share. Only that thread uses it. */
struct traffic {
    const struct load *load;
    const struct target *target; /* which of its addresses is in use, the first flow decides */
    uint64_t key;                /* from which the payloads are made */
    uint64_t stream;             /* from which the fragments' sizes are drawn */
    uint64_t measure_from_ns;    /* a request counts when it is due from this time on */
    uint64_t measure_to_ns;      /* and before this time */
    uint64_t quarter_end_ns;
    uint64_t quarter_ends_ns[TALLY_QUARTERS];
    uint32_t quarter;
    bool refill;                  /* closed loop: a reply issues the next request */
    _Atomic uint64_t outstanding; /* other threads may read it during the run */
    uint32_t ended;               /* active flows that have ended */
    uint64_t quiet_since_ns;      /* the last reply, or the first request after all were answered */
    uint64_t silence_ns;          /* longest time without a reply while replies were due */
    struct latencies latencies;
    struct timeline *timeline;
    struct tally tally;
    uint8_t *input;
    uint8_t *output;
};

/* Returns 0, or -1 with error filled. Call traffic_destroy in both cases. load and target must
 * outlive it. */
int traffic_init(struct traffic *traffic, const struct load *load, const struct target *target,
                 uint32_t thread, struct error *error);
void traffic_destroy(struct traffic *traffic);

/* Begins to connect. Returns 0 with the descriptor in flow->fd and the state CONNECTING, or -1 with
 * errno set. */
int flow_connect(const struct traffic *traffic, struct flow *flow);

/* A connecting flow was reported ready. Returns 1 when it is open now, 0 when it is not open yet,
 * and -1 with errno set on failure. ECONNREFUSED can also mean that the socket was connected to
 * itself, which is what a refused connection looks like when its port was chosen for this side. */
int flow_connected(struct flow *flow);

/* Counts a connection that could not be made, for the reason in errno, and ends the flow. */
void flow_refused(struct traffic *traffic, struct flow *flow);

/* A request falls due. Call flow_flush next. Returns false, with the error counted, when memory is
 * short. */
bool flow_issue(struct traffic *traffic, struct flow *flow, uint64_t scheduled_ns);

/* Sends what may be sent, but at most `most` bytes. */
void flow_flush(struct traffic *traffic, struct flow *flow, size_t most);

/* Whether flow_flush would send something if the server took it. */
bool flow_has_output(const struct traffic *traffic, const struct flow *flow);

/* Reads and checks what has arrived. With to_end it goes on until the call would block or the
 * stream has ended; otherwise it stops after a short read. */
void flow_receive(struct traffic *traffic, struct flow *flow, bool to_end);

/* The reply to request `awaited` is complete: counts it, records its times, issues the next
 * request. */
void flow_complete(struct traffic *traffic, struct flow *flow, uint64_t received_ns);

/* The identity of a request's payload. */
uint64_t flow_identity(const struct traffic *traffic, const struct flow *flow, uint64_t number);

/* Closes the descriptor, by reset or by FIN as mode says. The other fields stay. A reset leaves
 * nothing behind. After a FIN the port stays in TIME_WAIT on this side for a minute. */
void flow_close(struct flow *flow, enum close_mode mode);

/* Ends a flow that cannot go on. Nobody waits any longer for what was outstanding on it. */
void flow_end(struct traffic *traffic, struct flow *flow);

/* So many requests are no longer outstanding. */
void flow_forget(struct traffic *traffic, uint64_t count);

/* Counts a request that was due, and that is not issued because the run ends before. Nobody has
 * answered it: its age goes to the unanswered. */
void traffic_forgo(struct traffic *traffic, uint64_t scheduled_ns, uint64_t now_ns);

/* Counts each request that is still unanswered, as unanswered or as lost, and records its age. Also
 * of an idle flow: bytes that are no whole frame. */
void flow_settle(struct traffic *traffic, struct flow *flow, uint64_t now_ns);

void flow_free(struct flow *flow);

#endif
