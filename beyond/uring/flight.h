/* What the kernel works on for a connection: at most one receive and at most one send.
 *
 * With readiness a call is over when it returns. Here the kernel holds addresses of ours until the
 * completion comes: of the memory that a send reads from, and of the memory that a receive writes
 * to. Until then that memory may be neither moved, nor freed, nor used for something else, whatever
 * happens to the connection in the meantime. The functions here keep that promise, by the flag
 * `lent` of a buffer and by `held` of a watch.
 *
 * One send at a time: the kernel may finish two sends on one socket in any order, and the first may
 * be cut short. Then the bytes of the second come before the rest of the first. */
#ifndef URING_FLIGHT_H
#define URING_FLIGHT_H

#include "../../common/connection.h"
#include "ring.h"

#include <stdbool.h>
#include <stdint.h>

enum { KIND_RECEIVE, KIND_SEND, KIND_CANCEL, KIND_ACCEPT, KIND_POLL, KIND_SIGNALS };

/* How the receive that is armed gets its memory. */
enum { NOT_ARMED, INTO_LANDINGS, INTO_BUFFER };

struct flight {
    uint8_t *sending;   /* the memory that the send in flight reads from; NULL: no send is */
    uint8_t *receiving; /* with INTO_BUFFER: the memory that the receive writes to */
    uint32_t send_bytes;
    uint32_t receive_at; /* where in that memory */
    uint32_t receive_room;
    uint8_t armed;
    uint8_t cancels; /* cancellations in flight */
};

/* Arms a receive, unless one is armed already. Returns 0, or -1 with errno set. */
int flight_receive(struct ring *ring, struct connection *connection, struct context *context);

/* Cancels the receive, if one is armed. Bytes may still come before the cancellation does. Returns
 * 0, or -1 with errno set. */
int flight_stop_receiving(struct ring *ring, struct connection *connection);

/* Begins to send the output, unless a send is in flight. Returns 0, or -1 with errno set. */
int flight_send(struct ring *ring, struct connection *connection);

/* Takes a completion of this connection in. Returns true if the receive found no landing: it has to
 * wait until one is free. The caller settles the connection, unless it was closed before. */
bool flight_completed(struct ring *ring, struct connection *connection, struct context *context,
                      const struct completion *completion);

/* The connection is closed: cancels what is in flight, and takes back what is not. Its watch is
 * held until the last completion. */
void flight_end(struct ring *ring, struct connection *connection);

#endif
