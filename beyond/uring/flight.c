#include "flight.h"

#include "../../common/extra.h"
#include "../../common/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* An idle connection takes 160 bytes of the process: 120, these, and 8 of malloc(3). */
_Static_assert(sizeof(struct flight) <= 32, "what stands behind a connection must stay small");

const size_t extra_bytes = sizeof(struct flight);

void extra_end(struct connection *connection)
{
    (void)connection;
}

static struct flight *flight_of(struct connection *connection)
{
    return extra_of(connection);
}

/* The kernel holds the connection as long as any entry of it is in flight: a receive that is armed
 * refers to the open file, and close(2) would then neither send FIN nor free anything (trap: the
 * peer waits for ever). Its completion also has the address of the connection. */
static void note_held(struct connection *connection)
{
    const struct flight *flight = flight_of(connection);

    connection->watch.held =
        flight->armed != NOT_ARMED || flight->sending != NULL || flight->cancels > 0;
}

static bool in_landing(const struct ring *ring, const uint8_t *memory)
{
    return memory >= ring->landings && memory < ring->landings + (size_t)LANDINGS * LANDING_BYTES;
}

/* Nobody uses this memory any more, neither the kernel nor the connection's buffer. */
static void give_back(struct ring *ring, uint8_t *memory)
{
    if (in_landing(ring, memory))
        ring_give_landing(ring, memory);
    else
        free(memory);
}

/* -- receiving --------------------------------------------------------------------------------- */

/* A frame has begun, and more of it is missing than a landing holds. Not with output pending: a
 * send and a receive would have the same memory, and whichever ends first would give it back. */
static bool begun_frame_is_long(struct connection *connection, const struct context *context)
{
    const struct buffer *buffer = &connection->buffer;

    return context->options->framing == FRAMING_LENGTH && /* nobody knows the length of a line */
           connection->state == CONNECTION_OPEN && connection->output == 0 &&
           flight_of(connection)->sending == NULL && buffer->data != NULL &&
           frame_missing(buffer->data + buffer->start, buffer->end - buffer->start) > LANDING_BYTES;
}

/* The rest of a long frame goes straight to where its beginning is: by landings every byte of it
 * would be copied once more. The memory is lent until the completion. */
static int receive_into_buffer(struct ring *ring, struct connection *connection,
                               struct context *context)
{
    struct flight *flight = flight_of(connection);
    size_t room = 0;
    uint8_t *into = connection_room(connection, context, &room);
    struct io_uring_sqe *entry = into == NULL ? NULL : ring_entry(ring, connection, KIND_RECEIVE);

    if (entry == NULL)
        return -1;
    io_uring_prep_recv(entry, connection->watch.fd, into, room, 0);
    flight->receiving = connection->buffer.data;
    flight->receive_at = connection->buffer.end;
    flight->receive_room = (uint32_t)room;
    connection->buffer.lent = true;
    connection->buffer.capacity = connection->buffer.end; /* nobody else may write there */
    flight->armed = INTO_BUFFER;
    return 0;
}

/* [1] Register: one entry in the life of most connections, and no call of its own. A multishot
 * receive stays armed: the kernel waits for bytes, picks a landing when they have come, and reports
 * each landing by a completion. It ends by itself, and silently but for a flag of its last
 * completion, when there is no landing, or no room in the completion queue. */
int flight_receive(struct ring *ring, struct connection *connection, struct context *context)
{
    struct flight *flight = flight_of(connection);

    if (flight->armed != NOT_ARMED)
        return 0;
    if (begun_frame_is_long(connection, context)) {
        if (receive_into_buffer(ring, connection, context) < 0)
            return -1;
    } else {
        struct io_uring_sqe *entry = ring_entry(ring, connection, KIND_RECEIVE);
        if (entry == NULL)
            return -1;
        io_uring_prep_recv_multishot(entry, connection->watch.fd, NULL, 0, 0);
        entry->flags |= IOSQE_BUFFER_SELECT;
        entry->buf_group = LANDING_GROUP;
        flight->armed = INTO_LANDINGS;
    }
    note_held(connection);
    return 0;
}

/* By the word that the completions of the receive carry (IORING_OP_ASYNC_CANCEL). */
int flight_stop_receiving(struct ring *ring, struct connection *connection)
{
    struct flight *flight = flight_of(connection);

    if (flight->armed == NOT_ARMED || flight->cancels > 0)
        return 0;
    struct io_uring_sqe *entry = ring_entry(ring, connection, KIND_CANCEL);
    if (entry == NULL)
        return -1;
    io_uring_prep_cancel64(entry, ring_token(connection, KIND_RECEIVE), 0);
    flight->cancels++;
    note_held(connection);
    return 0;
}

/* Behind what is pending. Not in the common case: then nothing is pending, and the buffer takes the
 * landing over. */
static void append(struct connection *connection, struct context *context, const uint8_t *bytes,
                   size_t count)
{
    while (count > 0 && connection->state == CONNECTION_OPEN) {
        size_t room = 0;
        uint8_t *into = connection_room(connection, context, &room);
        if (into == NULL) {
            connection_failed(connection, ENOMEM);
            return;
        }
        size_t piece = count < room ? count : room;
        memcpy(into, bytes, piece);
        context->stats->copied_bytes += piece;
        connection_received(connection, context, piece);
        bytes += piece;
        count -= piece;
    }
}

/* Whole frames go out from the landing that they came into. A frame that is not whole may take long
 * to become so, and landings are few: what has come of it moves to memory of its own. Behind whole
 * frames it does so when they are sent. */
static void take_landing(struct ring *ring, struct connection *connection, struct context *context,
                         uint8_t *landing, size_t count)
{
    struct buffer *buffer = &connection->buffer;

    if (connection->state == CONNECTION_OPEN && buffer->data == NULL) {
        *buffer = (struct buffer){
            .data = landing, .capacity = LANDING_BYTES, .borrowed = true, .lent = true};
        connection_received(connection, context, count);
        if (connection->output == 0 && buffer->end > 0 && !buffer_own(buffer, context))
            connection_failed(connection, ENOMEM);
    } else if (connection->state == CONNECTION_OPEN) {
        append(connection, context, landing, count);
    } else {
        connection_received(connection, context, count); /* discarded */
    }
    if (connection->output == 0 || buffer->data != landing) {
        if (buffer->data == landing)
            *buffer = (struct buffer){0};
        ring_give_landing(ring, landing);
    }
}

/* The buffer may have moved out of the memory since, or the connection ended. */
static void take_into_buffer(struct connection *connection, struct context *context, size_t count)
{
    struct flight *flight = flight_of(connection);
    struct buffer *buffer = &connection->buffer;
    uint8_t *memory = flight->receiving;

    flight->receiving = NULL;
    if (buffer->data == memory) {
        buffer->lent = false;
        buffer->capacity = flight->receive_at + flight->receive_room;
        if (count > 0)
            connection_received(connection, context, count);
        return;
    }
    append(connection, context, memory + flight->receive_at, count);
    free(memory);
}

/* [6] Half-close: a result of 0 is the peer's FIN, and comes behind all bytes before it, since the
 * kernel reports one receive after the other. Nothing reports a hang-up besides. */
static bool receive_completed(struct ring *ring, struct connection *connection,
                              struct context *context, const struct completion *completion)
{
    struct flight *flight = flight_of(connection);
    size_t count = completion->result > 0 ? (size_t)completion->result : 0;
    bool closed = connection->state == CONNECTION_CLOSED;

    context->stats->reads += completion->result != -ECANCELED;
    context->stats->bytes_in += count;
    if (flight->armed == INTO_BUFFER)
        take_into_buffer(connection, context, count);
    else if (completion->landing != NULL)
        take_landing(ring, connection, context, completion->landing, count);
    if (!completion->more)
        flight->armed = NOT_ARMED;
    if (closed)
        return false;
    if (completion->result == 0)
        connection_ended(connection);
    switch (-completion->result) {
    case ENOBUFS:
    case EAGAIN:
        context->stats->would_block++;
        return completion->result == -ENOBUFS;
    case EINTR:
    case ECANCELED:
        return false;
    default:
        if (completion->result < 0)
            connection_failed(connection, -completion->result);
        return false;
    }
}

/* -- sending ----------------------------------------------------------------------------------- */

/* [5] Partial write: from a landing, a send may not wait for room (MSG_DONTWAIT): 128 peers that do
 * not read would hold all landings, and nobody could receive any more. What such a send leaves
 * moves to memory of the connection's own, and the next send from there waits for as long as it
 * takes. */
int flight_send(struct ring *ring, struct connection *connection)
{
    struct flight *flight = flight_of(connection);
    struct buffer *buffer = &connection->buffer;
    size_t pending = 0;
    const uint8_t *output = connection_output(connection, &pending);

    if (flight->sending != NULL)
        return 0;
    struct io_uring_sqe *entry = ring_entry(ring, connection, KIND_SEND);
    if (entry == NULL)
        return -1;
    io_uring_prep_send(entry, connection->watch.fd, output, pending,
                       in_landing(ring, output) ? MSG_DONTWAIT : 0);
    buffer->lent = true;
    flight->sending = buffer->data;
    flight->send_bytes = (uint32_t)pending;
    note_held(connection);
    return 0;
}

static void count_sent(struct connection *connection, struct context *context, int result)
{
    const struct flight *flight = flight_of(connection);
    struct stats *stats = context->stats;

    stats->writes++;
    stats->bytes_out += result > 0 ? (uint64_t)result : 0;
    stats->partial_writes += result >= 0 && (uint32_t)result < flight->send_bytes;
    stats->would_block += result == -EAGAIN;
}

/* The memory goes back where it belongs before the connection is told of a failure: then it would
 * be gone. */
static void send_completed(struct ring *ring, struct connection *connection,
                           struct context *context, int result)
{
    struct flight *flight = flight_of(connection);
    struct buffer *buffer = &connection->buffer;
    uint8_t *memory = flight->sending;

    count_sent(connection, context, result);
    flight->sending = NULL;
    if (connection->state != CONNECTION_CLOSED && result > 0)
        connection_sent(connection, context, (size_t)result);
    if (buffer->data != memory) {
        give_back(ring, memory);
    } else if (!in_landing(ring, memory)) {
        buffer->lent = false;
    } else {
        if (buffer->start == buffer->end)
            *buffer = (struct buffer){0};
        else if (!buffer_own(buffer, context))
            result = -ENOMEM;
        ring_give_landing(ring, memory);
    }
    if (connection->state != CONNECTION_CLOSED && result < 0 && result != -EAGAIN &&
        result != -EINTR)
        connection_failed(connection, -result);
}

/* -- both -------------------------------------------------------------------------------------- */

bool flight_completed(struct ring *ring, struct connection *connection, struct context *context,
                      const struct completion *completion)
{
    struct flight *flight = flight_of(connection);
    bool starved = false;

    if (completion->kind == KIND_RECEIVE)
        starved = receive_completed(ring, connection, context, completion);
    else if (completion->kind == KIND_SEND)
        send_completed(ring, connection, context, completion->result);
    else
        flight->cancels--;
    note_held(connection);
    return starved;
}

/* What is not lent to the kernel is freed by the buffer itself. A send that waits for room would
 * keep the connection for as long as its peer likes, so it is cancelled, too. If an entry cannot be
 * had now, the descriptor is shut down: that ends both (shutdown(2)). */
void flight_end(struct ring *ring, struct connection *connection)
{
    struct flight *flight = flight_of(connection);
    struct buffer *buffer = &connection->buffer;

    if (buffer->borrowed && buffer->lent && buffer->data != flight->sending)
        ring_give_landing(ring, buffer->data);
    if (buffer->data != NULL && in_landing(ring, buffer->data))
        *buffer = (struct buffer){0};
    if (flight->sending != NULL || (flight->armed != NOT_ARMED && flight->cancels == 0)) {
        struct io_uring_sqe *entry = ring_entry(ring, connection, KIND_CANCEL);
        if (entry != NULL) {
            io_uring_prep_cancel_fd(entry, connection->watch.fd, IORING_ASYNC_CANCEL_ALL);
            flight->cancels++;
        } else {
            (void)shutdown(connection->watch.fd, SHUT_RDWR);
        }
    }
    note_held(connection);
}
