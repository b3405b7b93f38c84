#include "flow.h"

#include "../../common/clock.h"
#include "misread.h"
#include "mix.h"
#include "secure.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Receive buffer of a connection that the client never reads from: it bounds the memory of such a
 * connection. */
enum { UNREAD_BYTES = 4096 };

int traffic_init(struct traffic *traffic, const struct load *load, const struct target *target,
                 uint32_t thread, struct error *error)
{
    *traffic = (struct traffic){
        .load = load,
        .target = target,
        .key = payload_key(load->seed),
        .stream = mix_into(load->seed, thread),
        .measure_from_ns = NEVER,
        .measure_to_ns = NEVER,
        .quarter_end_ns = NEVER,
        .timeline = timeline_new(load->duration_ns),
        .input = malloc(FLOW_SCRATCH_BYTES),
        .output = malloc(FLOW_SCRATCH_BYTES),
    };
    if (latencies_new(&traffic->latencies) < 0 || traffic->timeline == NULL ||
        traffic->input == NULL || traffic->output == NULL)
        return error_set(error, "malloc", "", ENOMEM);
    return 0;
}

void traffic_destroy(struct traffic *traffic)
{
    latencies_free(&traffic->latencies);
    free(traffic->timeline);
    free(traffic->input);
    free(traffic->output);
}

uint64_t flow_identity(const struct traffic *traffic, const struct flow *flow, uint64_t number)
{
    return payload_identity(traffic->key, flow->id, number);
}

int flow_connect(const struct traffic *traffic, struct flow *flow)
{
    bool unread = !flow->active && traffic->load->idle == IDLE_NOT_READING;

    flow->fd = target_connect(traffic->target, flow->id, unread ? UNREAD_BYTES : 0);
    if (flow->fd < 0)
        return -1;
    flow->state = FLOW_CONNECTING;
    return 0;
}

int flow_connected(struct flow *flow)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;
    int number = 0;
    socklen_t number_size = sizeof number;

    if (getsockopt(flow->fd, SOL_SOCKET, SO_ERROR, &number, &number_size) < 0)
        number = errno;
    if (number == 0 && getpeername(flow->fd, (struct sockaddr *)&peer, &size) < 0)
        return 0; /* an event meant for the former owner of the number, or a spurious one */
    if (number == 0 && target_is_self(flow->fd, &peer, size))
        number = ECONNREFUSED;
    if (number != 0) {
        errno = number;
        return -1;
    }
    if (secure_begin(flow) < 0)
        return -1;
    flow->state = FLOW_OPEN;
    flow->writable = true;
    flow->opened = flow->awaited;
    return 1;
}

void flow_refused(struct traffic *traffic, struct flow *flow)
{
    bool ours = errno == EMFILE || errno == ENFILE || errno == EADDRNOTAVAIL;

    tally_error(&traffic->tally, ours ? ERROR_failed : ERROR_refused,
                "connection %" PRIu32 " to %s: %s", flow->id, traffic->target->name,
                strerror(errno));
    flow_end(traffic, flow);
}

static bool grow(struct flow *flow)
{
    uint32_t capacity = flow->capacity > 0 ? 2 * flow->capacity : 4;
    struct request *requests = malloc(capacity * sizeof *requests);

    if (requests == NULL)
        return false;
    for (uint64_t number = flow->awaited; number < flow->issued; number++)
        requests[number & (capacity - 1)] = flow->requests[number & (flow->capacity - 1)];
    free(flow->requests);
    flow->requests = requests;
    flow->capacity = capacity;
    return true;
}

static bool is_measured(const struct traffic *traffic, uint64_t scheduled_ns)
{
    return scheduled_ns >= traffic->measure_from_ns && scheduled_ns < traffic->measure_to_ns;
}

/* Whether a request that ended, or was given up, at end_ns belongs to the figures: it was due in
 * the measured time, or it was under way for the whole of it. A server that falls silent in the
 * warm-up holds only requests of the second kind. */
static bool belongs(const struct traffic *traffic, uint64_t scheduled_ns, uint64_t end_ns)
{
    return is_measured(traffic, scheduled_ns) ||
           (scheduled_ns < traffic->measure_from_ns && end_ns >= traffic->measure_to_ns &&
            traffic->measure_from_ns < traffic->measure_to_ns);
}

void flow_forget(struct traffic *traffic, uint64_t count)
{
    histogram_set(&traffic->outstanding, histogram_load(&traffic->outstanding) - count);
}

static struct request *request_at(const struct flow *flow, uint64_t number)
{
    return &flow->requests[number & (flow->capacity - 1)];
}

bool flow_issue(struct traffic *traffic, struct flow *flow, uint64_t scheduled_ns)
{
    if (flow->issued - flow->awaited == flow->capacity && !grow(flow)) {
        tally_error(&traffic->tally, ERROR_failed, "no memory for more requests under way");
        return false;
    }
    *request_at(flow, flow->issued++) = (struct request){.scheduled_ns = scheduled_ns};
    if (!flow->active)
        return true;
    uint64_t before = histogram_load(&traffic->outstanding);
    if (before == 0)
        traffic->quiet_since_ns = scheduled_ns;
    histogram_set(&traffic->outstanding, before + 1);
    if (is_measured(traffic, scheduled_ns))
        traffic->tally.issued++;
    return true;
}

/* The number of the first request that must not be sent yet. */
static uint64_t send_limit(const struct traffic *traffic, const struct flow *flow)
{
    uint64_t limit = flow->issued;

    if (limit - flow->awaited > traffic->load->pipeline)
        limit = flow->awaited + traffic->load->pipeline;
    if (traffic->load->churn > 0 && flow->active && limit > flow->opened + traffic->load->churn)
        limit = flow->opened + traffic->load->churn;
    return limit;
}

bool flow_has_output(const struct traffic *traffic, const struct flow *flow)
{
    return flow->state == FLOW_OPEN && flow->sending < send_limit(traffic, flow);
}

static uint32_t size_at(const struct traffic *traffic, uint64_t identity)
{
    return payload_size(&traffic->load->payload, identity);
}

/* Writes the bytes to send, whole frames and parts of frames, into the scratch buffer. Returns
 * their number. */
static size_t compose(struct traffic *traffic, const struct flow *flow, size_t most)
{
    uint64_t limit = send_limit(traffic, flow);
    size_t offset = flow->send_offset;
    size_t used = 0;

    for (uint64_t number = flow->sending; number < limit && used < most; number++) {
        uint64_t identity = flow_identity(traffic, flow, number);
        uint32_t size = size_at(traffic, identity);
        size_t part = payload_frame_size(size) - offset;
        if (part > most - used)
            part = most - used;
        payload_frame(identity, size, offset, traffic->output + used, part);
        used += part;
        offset = 0;
    }
    return used;
}

/* The first byte of request `sending` has left. The lag is only the client's own delay. It leaves
 * out the time that the server made the request wait, by not reading or by not answering. */
static void note_sent(struct traffic *traffic, const struct flow *flow, uint64_t sent_ns)
{
    struct request *request = request_at(flow, flow->sending);
    uint64_t due_ns = request->scheduled_ns;

    request->sent_ns = sent_ns;
    if (due_ns < flow->unblocked_ns)
        due_ns = flow->unblocked_ns;
    if (flow->active && is_measured(traffic, request->scheduled_ns))
        histogram_record(traffic->latencies.lag, sent_ns > due_ns ? sent_ns - due_ns : 0);
}

static void note_bytes(struct traffic *traffic, struct flow *flow, size_t count, uint64_t sent_ns)
{
    traffic->tally.bytes_out += count;
    while (count > 0) {
        uint32_t size = size_at(traffic, flow_identity(traffic, flow, flow->sending));
        size_t left = payload_frame_size(size) - flow->send_offset;
        if (flow->send_offset == 0)
            note_sent(traffic, flow, sent_ns);
        if (count < left) {
            flow->send_offset += (uint32_t)count;
            return;
        }
        count -= left;
        flow->send_offset = 0;
        flow->sending++;
    }
}

static void send_failed(struct traffic *traffic, struct flow *flow, int number)
{
    bool reset = number == ECONNRESET || number == EPIPE;

    tally_error(&traffic->tally, reset ? ERROR_reset : ERROR_failed,
                "connection %" PRIu32 ", request %" PRIu64 ": send: %s", flow->id, flow->sending,
                strerror(number));
    flow_end(traffic, flow);
}

void flow_flush(struct traffic *traffic, struct flow *flow, size_t most)
{
    if (most < flow->begun) /* OpenSSL takes no fewer than it has encrypted */
        most = flow->begun;
    while (flow->writable && most > 0 && flow_has_output(traffic, flow)) {
        size_t size = compose(traffic, flow, most < FLOW_SCRATCH_BYTES ? most : FLOW_SCRATCH_BYTES);
        uint64_t sent_ns = clock_now();
        ssize_t count = flow_send(flow, traffic->output, size);
        traffic->tally.sends++;
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            send_failed(traffic, flow, errno);
            return;
        }
        if (count < 0)
            count = 0;
        note_bytes(traffic, flow, (size_t)count, sent_ns);
        most -= (size_t)count;
        if ((size_t)count < size) {
            traffic->tally.blocked_sends++;
            flow->writable = false;
        }
    }
}

/* When a request was due in the measured time; one from before it stands at its beginning. */
static uint64_t since_begin(const struct traffic *traffic, const struct request *request)
{
    return request->scheduled_ns > traffic->measure_from_ns
               ? request->scheduled_ns - traffic->measure_from_ns
               : 0;
}

/* Records the times of one reply that belongs to the figures. */
static void record(struct traffic *traffic, const struct request *request, uint64_t received_ns)
{
    traffic->tally.answered++;
    latencies_answered(&traffic->latencies, request->scheduled_ns, request->sent_ns, received_ns);
    timeline_record(traffic->timeline, traffic->timeline->answered, since_begin(traffic, request),
                    received_ns - request->scheduled_ns);
}

static void note_reply(struct traffic *traffic, uint64_t received_ns)
{
    uint64_t silence_ns = received_ns - traffic->quiet_since_ns;

    if (received_ns > traffic->quiet_since_ns && silence_ns > traffic->silence_ns)
        traffic->silence_ns = silence_ns;
    traffic->quiet_since_ns = received_ns;
    while (received_ns >= traffic->quarter_end_ns)
        traffic->quarter_end_ns = traffic->quarter_ends_ns[++traffic->quarter];
    traffic->tally.quarters[traffic->quarter]++;
    if (is_measured(traffic, received_ns))
        traffic->tally.achieved++;
}

void flow_complete(struct traffic *traffic, struct flow *flow, uint64_t received_ns)
{
    const struct request request = *request_at(flow, flow->awaited);

    flow->awaited++;
    flow->receive_offset = 0;
    if (!flow->active) {
        traffic->tally.trickled++;
        return;
    }
    flow_forget(traffic, 1);
    note_reply(traffic, received_ns);
    if (belongs(traffic, request.scheduled_ns, received_ns))
        record(traffic, &request, received_ns);
    if (received_ns - request.scheduled_ns > traffic->load->timeout_ns)
        tally_error(&traffic->tally, ERROR_late,
                    "connection %" PRIu32 ", reply %" PRIu64 ": came after %.3f s", flow->id,
                    flow->awaited - 1, (double)(received_ns - request.scheduled_ns) / 1e9);
    if (flow->awaited < flow->issued) /* a request that waited for this reply may be sent now */
        flow->unblocked_ns = received_ns;
    if (traffic->refill && received_ns < traffic->measure_to_ns)
        (void)flow_issue(traffic, flow, received_ns);
}

void flow_close(struct flow *flow, enum close_mode mode)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    if (flow->fd < 0)
        return;
    if (flow->secure != NULL)
        secure_end(flow, mode != CLOSE_MODE_RESET);
    if (mode == CLOSE_MODE_RESET)
        (void)setsockopt(flow->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    (void)close(flow->fd);
    flow->fd = -1;
}

void flow_end(struct traffic *traffic, struct flow *flow)
{
    if (flow->active && flow->state != FLOW_ENDED) {
        flow_forget(traffic, flow->issued - flow->awaited + misread_missing(flow->missing));
        traffic->ended++;
    }
    flow_close(flow, CLOSE_MODE_RESET);
    flow->state = FLOW_ENDED;
}

/* sent_ns: LATENCIES_NOT_SENT for a request of which no byte has left. */
static void give_up(struct traffic *traffic, const struct request *request, uint64_t sent_ns,
                    uint64_t now_ns)
{
    traffic->tally.unanswered++;
    if (!belongs(traffic, request->scheduled_ns, now_ns))
        return;
    latencies_unanswered(&traffic->latencies, request->scheduled_ns, sent_ns, now_ns);
    timeline_record(traffic->timeline, traffic->timeline->unanswered, since_begin(traffic, request),
                    now_ns - request->scheduled_ns);
}

void traffic_forgo(struct traffic *traffic, uint64_t scheduled_ns, uint64_t now_ns)
{
    const struct request request = {.scheduled_ns = scheduled_ns};

    if (is_measured(traffic, scheduled_ns))
        traffic->tally.issued++;
    give_up(traffic, &request, LATENCIES_NOT_SENT, now_ns);
}

/* Bytes that nothing had asked for, and that are no whole frame: only the end of the run shows that
 * no frame comes of them. */
static void settle_misread(struct traffic *traffic, const struct flow *flow)
{
    bool asked = flow->active && flow->awaited < flow->issued;

    if (flow->misread != NULL && flow->state == FLOW_OPEN && !asked)
        tally_error(&traffic->tally, ERROR_corrupted,
                    "connection %" PRIu32 ": bytes came that nothing had asked for", flow->id);
}

void flow_settle(struct traffic *traffic, struct flow *flow, uint64_t now_ns)
{
    size_t missing = misread_missing(flow->missing);

    settle_misread(traffic, flow);
    if (!flow->active)
        return;
    for (uint64_t number = flow->awaited; number < flow->issued; number++) {
        const struct request *request = request_at(flow, number);
        bool sent = number < flow->sending || (number == flow->sending && flow->send_offset > 0);
        give_up(traffic, request, sent ? request->sent_ns : LATENCIES_NOT_SENT, now_ns);
    }
    for (size_t i = 0; i < missing; i++)
        tally_error(&traffic->tally, ERROR_lost,
                    "connection %" PRIu32 ", reply %" PRIu64 ": never came, though later ones did",
                    flow->id, misread_missing_number(flow->missing, i));
}

void flow_free(struct flow *flow)
{
    free(flow->requests);
    free(flow->misread);
    free(flow->missing);
    flow->requests = NULL;
    flow->misread = NULL;
    flow->missing = NULL;
    flow->capacity = 0;
}
