/* Receives replies: the usual path, on which every byte is the expected one. */
#include "flow.h"

#include "../../common/clock.h"
#include "misread.h"
#include "secure.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* So many wrong replies a thread looks at. From then on each one ends its connection. */
enum { WRONG_MOST = 1000 };

/* Takes the bytes that belong to the awaited reply. Returns 0 when they are wrong, or when no reply
 * is awaited. An echo cannot be complete before its request has been sent: such bytes are wrong,
 * whatever they are. */
static size_t take_awaited(struct traffic *traffic, struct flow *flow, const uint8_t *bytes,
                           size_t size, uint64_t received_ns)
{
    if (flow->awaited >= flow->sending)
        return 0;
    uint64_t identity = flow_identity(traffic, flow, flow->awaited);
    uint32_t length = payload_size(&traffic->load->payload, identity);
    size_t whole = payload_frame_size(length);
    size_t part = whole - flow->receive_offset;
    if (part > size)
        part = size;
    if (!payload_matches(identity, length, flow->receive_offset, bytes, part))
        return 0;
    flow->receive_offset += (uint32_t)part;
    if (flow->receive_offset == whole)
        flow_complete(traffic, flow, received_ns);
    return part;
}

static void take(struct traffic *traffic, struct flow *flow, const uint8_t *bytes, size_t size,
                 uint64_t received_ns)
{
    while (size > 0 && flow->state == FLOW_OPEN) {
        size_t taken = 0;
        if (flow->misread == NULL)
            taken = take_awaited(traffic, flow, bytes, size, received_ns);
        if (taken == 0) {
            if (flow->misread == NULL && misread_begin(traffic, flow) < 0)
                return;
            taken = misread_take(traffic, flow, bytes, size, received_ns);
        }
        bytes += taken;
        size -= taken;
    }
}

static void receive_failed(struct traffic *traffic, struct flow *flow, ssize_t count, int number)
{
    enum error_kind kind = ERROR_failed;
    const char *what = strerror(number);

    if (count == 0) {
        kind = ERROR_closed;
        what = "the server closed the connection";
    } else if (number == ECONNRESET || number == EPIPE) {
        kind = ERROR_reset;
    }
    tally_error(&traffic->tally, kind, "connection %" PRIu32 ", awaiting reply %" PRIu64 ": %s",
                flow->id, flow->awaited, what);
    flow_end(traffic, flow);
}

void flow_receive(struct traffic *traffic, struct flow *flow, bool to_end)
{
    uint64_t wrong = histogram_load(&traffic->tally.errors_seen);

    while (flow->state == FLOW_OPEN) {
        ssize_t count = flow_take(flow, traffic->input, FLOW_SCRATCH_BYTES);
        uint64_t received_ns = clock_now();
        traffic->tally.receives++;
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (count <= 0) {
            receive_failed(traffic, flow, count, errno);
            return;
        }
        traffic->tally.bytes_in += (uint64_t)count;
        take(traffic, flow, traffic->input, (size_t)count, received_ns);
        /* The replies to what was asked are few. Only wrong bytes can come without end, and would
         * keep this thread from everything else. */
        uint64_t now_wrong = histogram_load(&traffic->tally.errors_seen);
        if (now_wrong != wrong && now_wrong > WRONG_MOST)
            flow_end(traffic, flow);
        /* A short read has emptied the socket. What arrives later makes a new edge. */
        if (count < FLOW_SCRATCH_BYTES && !to_end)
            return;
    }
}
