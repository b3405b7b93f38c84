#include "contact.h"

#include "../../common/clock.h"
#include "misread.h"
#include "secure.h"
#include "stop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* A signal is noticed within this time, whichever thread it came to. */
static const uint64_t longest_sleep_ns = NANOSECONDS_A_SECOND / 20;

/* Between two rounds over the addresses, while the server refuses. */
static const uint64_t pause_ns = NANOSECONDS_A_SECOND / 50;

/* How long the second half of the first message is held back. */
static const uint64_t hold_ns = NANOSECONDS_A_SECOND / 50;

/* Results of a step. */
enum { FAILED = -1, NOT_YET = 0, DONE = 1 };

struct attempt {
    struct traffic *traffic;
    struct target *target;
    struct flow *flow;
    struct readiness *readiness;
    uint64_t deadline_ns;
    bool readable; /* there was an event for it, and nobody has read since; no other will come */
};

/* Waits for an event on the flow, the only one that is watched. Returns its bits, 0 when there is
 * none yet, or -1 with errno set. */
static int await(struct attempt *attempt, uint64_t until_ns)
{
    struct ready_event events[READINESS_BATCH];
    uint64_t soon_ns = clock_after(clock_now(), longest_sleep_ns);
    unsigned bits = 0;

    int count = readiness_wait(attempt->readiness, until_ns < soon_ns ? until_ns : soon_ns, events);
    for (int i = 0; i < count; i++)
        bits |= events[i].bits;
    attempt->readable |= (bits & READY_READ) != 0;
    return count < 0 ? -1 : (int)bits;
}

/* Connects to the address in use. Returns DONE; NOT_YET after a failure of the connect, with errno
 * set; FAILED, with errno set, when waiting itself fails. */
static int connect_once(struct attempt *attempt, uint64_t until_ns)
{
    struct flow *flow = attempt->flow;

    attempt->readable = false;
    if (flow_connect(attempt->traffic, flow) < 0)
        return NOT_YET;
    if (readiness_add(attempt->readiness, flow->fd, flow) < 0)
        return FAILED;
    do {
        int bits = await(attempt, until_ns);
        if (bits < 0)
            return FAILED;
        int result = bits & (READY_WRITE | READY_ENDED) ? flow_connected(flow) : 0;
        if (result > 0)
            return DONE;
        if (result < 0)
            return NOT_YET;
    } while (stop_count() == 0 && clock_now() < until_ns);
    errno = ETIMEDOUT;
    return NOT_YET;
}

/* One round over the addresses. Each has an equal share of the time that is left. Results as of
 * connect_once; why the last one failed is in errno, and `why` names all of them. */
static int try_each(struct attempt *attempt, char *why, size_t size, bool *refused,
                    struct error *error)
{
    struct target *target = attempt->target;
    int result = NOT_YET;
    size_t used = 0;

    why[0] = '\0';
    for (uint32_t i = 0; i < target->count && result == NOT_YET && stop_count() == 0; i++) {
        uint64_t now_ns = clock_now();
        uint64_t left_ns = attempt->deadline_ns > now_ns ? attempt->deadline_ns - now_ns : 0;
        if (target_use(target, i, error) < 0)
            return FAILED;
        result = connect_once(attempt, clock_after(now_ns, left_ns / (target->count - i)));
        int number = errno;
        if (result == FAILED)
            (void)error_set(error, "waiting for connections", "", number);
        if (result != NOT_YET)
            break;
        *refused |= number == ECONNREFUSED;
        if (used < size)
            used += (size_t)snprintf(why + used, size - used, "%s%s: %s", i > 0 ? "; " : "",
                                     target->name, strerror(number));
        flow_close(attempt->flow, CLOSE_MODE_RESET);
        attempt->flow->state = FLOW_NEW;
        errno = number;
    }
    return result;
}

/* Connects to the first address that answers. Results as of contact_make. */
static int reach(struct contact *contact, struct attempt *attempt, struct error *error)
{
    struct timespec pause;
    int rounds = 0;

    for (;;) {
        bool refused = false;
        int result =
            try_each(attempt, contact->passed_over, sizeof contact->passed_over, &refused, error);
        bool ours = errno == EMFILE || errno == ENFILE || errno == EADDRNOTAVAIL;
        if (result != NOT_YET)
            return result == DONE ? 0 : -1;
        if (stop_count() > 0)
            return 1;
        rounds++;
        if (!refused || clock_now() >= attempt->deadline_ns) {
            tally_error(&attempt->traffic->tally, ours ? ERROR_failed : ERROR_refused,
                        "connection 0 to %s%s", contact->passed_over,
                        rounds > 1 ? ", until --connect-timeout was over" : "");
            return 1;
        }
        (void)nanosleep(clock_left(pause_ns, 0, &pause), NULL);
    }
}

/* The server must be silent until it has all of the message. One that is not is another kind of
 * server: it greets, or it gives back single bytes. Its replies could look right. Returns whether
 * it was silent. */
static bool is_silent(const struct attempt *attempt)
{
    struct traffic *traffic = attempt->traffic;
    struct flow *flow = attempt->flow;
    uint64_t identity = flow_identity(traffic, flow, 0);
    uint32_t size = payload_size(&traffic->load->payload, identity);
    char quoted[MISREAD_QUOTED_BYTES];

    ssize_t count = flow_peek(flow, traffic->input, FLOW_SCRATCH_BYTES);
    if (count <= 0) /* an end is found, and counted, by whoever reads the reply */
        return true;
    if ((size_t)count <= payload_frame_size(size) &&
        payload_matches(identity, size, 0, traffic->input, (size_t)count))
        tally_error(&traffic->tally, ERROR_unproven,
                    "connection 0 to %s: gives back bytes before it has the whole frame: no server "
                    "of this protocol",
                    traffic->target->name);
    else
        tally_error(&traffic->tally, ERROR_unproven,
                    "connection 0 to %s: no server of this protocol: it sent \"%s\" "
                    "before it had the whole frame",
                    traffic->target->name, misread_quote(traffic->input, (size_t)count, quoted));
    return false;
}

/* Sends half of the message, looks whether the server is silent, and sends the rest. Results as of
 * contact_make. The built-in echo of the self-test does give back single bytes. */
static int send_in_halves(struct attempt *attempt)
{
    struct traffic *traffic = attempt->traffic;
    struct flow *flow = attempt->flow;
    uint32_t size = payload_size(&traffic->load->payload, flow_identity(traffic, flow, 0));
    uint64_t until_ns = clock_now() + hold_ns;

    if (!traffic->load->selftest) {
        flow_flush(traffic, flow, payload_frame_size(size) / 2);
        bool over = false; /* with TLS, tickets make the socket readable, too: go on listening */
        while (flow->state == FLOW_OPEN && !over && clock_now() < until_ns) {
            int bits = await(attempt, until_ns);
            if (bits < 0)
                return -1;
            flow->writable |= (bits & READY_WRITE) != 0;
            if (attempt->readable && !is_silent(attempt))
                return 1;
            over = attempt->readable && flow->secure == NULL;
        }
    }
    flow_flush(traffic, flow, SIZE_MAX);
    return flow->state == FLOW_OPEN ? 0 : 1;
}

/* Results as of contact_make. After the deadline, the caller counts all that are not proven. */
static int prove(struct attempt *attempt)
{
    struct traffic *traffic = attempt->traffic;
    struct flow *flow = attempt->flow;

    attempt->deadline_ns = clock_after(clock_now(), traffic->load->connect_timeout_ns);
    int result = flow_issue(traffic, flow, clock_now()) ? send_in_halves(attempt) : 1;
    while (result == 0 && flow->awaited == 0) {
        int bits = attempt->readable ? 0 : await(attempt, attempt->deadline_ns);
        if (bits < 0)
            return -1;
        if (bits & READY_WRITE) {
            flow->writable = true;
            flow_flush(traffic, flow, SIZE_MAX);
        }
        if (attempt->readable)
            flow_receive(traffic, flow, true);
        attempt->readable = false;
        if (flow->awaited > 0)
            break;
        if (flow->state != FLOW_OPEN || stop_count() > 0 || clock_now() >= attempt->deadline_ns)
            result = 1;
    }
    return result;
}

int contact_make(struct contact *contact, struct traffic *traffic, struct target *target,
                 struct flow *flow, struct readiness *readiness, struct error *error)
{
    struct attempt attempt = {
        .traffic = traffic,
        .target = target,
        .flow = flow,
        .readiness = readiness,
        .deadline_ns = clock_after(clock_now(), traffic->load->connect_timeout_ns),
    };

    int result = reach(contact, &attempt, error);
    if (result != 0)
        return result;
    result = prove(&attempt);
    if (result < 0)
        return error_set(error, "waiting for connections", "", errno);
    server_sample_read(&contact->server, traffic->load->server_pid);
    return result;
}
