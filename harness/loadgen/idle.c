#include "idle.h"

#include "../../common/clock.h"
#include "secure.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/socket.h>

/* The most that the client sends on a connection that it never reads from. It is many times what
 * the kernel and a server with a high-water mark hold, and it is an end for a server without
 * one. */
enum { UNREAD_MOST_BYTES = 16 * 1024 * 1024 };

/* number: what the socket says of its end, or 0. */
static void ended(struct traffic *traffic, struct flow *flow, int number)
{
    tally_error(&traffic->tally, ERROR_closed, "idle connection %" PRIu32 ": %s", flow->id,
                number == 0 ? "the server closed the connection" : strerror(number));
    flow_end(traffic, flow);
}

/* The end of the stream shows without reading (epoll_ctl(2), EPOLLRDHUP). */
void idle_ended(struct traffic *traffic, struct flow *flow)
{
    int number = 0;
    socklen_t size = sizeof number;

    if (getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &number, &size) < 0)
        number = errno;
    ended(traffic, flow, number);
}

/* Sends whole frames to a server whose echoes nobody will read, until the server stops reading too.
 * `sending` counts them. The client does not keep track of them, because it will never compare
 * anything with them. */
static void send_unread(struct traffic *traffic, struct flow *flow)
{
    uint64_t identity = flow_identity(traffic, flow, 1);
    uint32_t size = payload_size(&traffic->load->payload, identity);
    size_t whole = payload_frame_size(size);

    while (flow->state == FLOW_OPEN && flow->sending < UNREAD_MOST_BYTES / whole) {
        size_t part = whole - flow->send_offset;
        if (part > FLOW_SCRATCH_BYTES)
            part = FLOW_SCRATCH_BYTES;
        payload_frame(identity, size, flow->send_offset, traffic->output, part);
        ssize_t count = flow_send(flow, traffic->output, part);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (count < 0) {
            ended(traffic, flow, errno);
            return;
        }
        traffic->tally.bytes_out += (uint64_t)count;
        flow->send_offset += (uint32_t)count;
        if (flow->send_offset == whole) {
            flow->send_offset = 0;
            flow->sending++;
        }
    }
}

static void send_half(struct traffic *traffic, struct flow *flow)
{
    uint32_t size = payload_size(&traffic->load->payload, flow_identity(traffic, flow, 1));

    if (flow_issue(traffic, flow, clock_now()))
        flow_flush(traffic, flow, payload_frame_size(size) / 2 + 1);
}

void idle_begin(struct traffic *traffic, struct flow *flow)
{
    if (traffic->load->idle == IDLE_HALF_FRAME)
        send_half(traffic, flow);
    else if (traffic->load->idle == IDLE_NOT_READING)
        send_unread(traffic, flow);
}

void idle_writable(struct traffic *traffic, struct flow *flow)
{
    flow->writable = true;
    if (traffic->load->idle == IDLE_NOT_READING)
        send_unread(traffic, flow);
}

void idle_trickle(struct traffic *traffic, struct flow *flow)
{
    if (flow->state != FLOW_OPEN)
        return;
    if (flow->sending == flow->issued && !flow_issue(traffic, flow, clock_now()))
        return;
    flow_flush(traffic, flow, 1);
}
