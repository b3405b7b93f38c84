#include "setup.h"

#include "../../common/clock.h"
#include "mix.h"
#include "readiness.h"
#include "stop.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A signal is noticed within this time, whichever thread it came to. */
static const uint64_t longest_sleep_ns = NANOSECONDS_A_SECOND / 20;

struct setup {
    struct traffic *traffic;
    struct flow *flows;
    struct readiness *readiness;
    uint32_t begun;
    uint32_t proven;
};

/* Selection sampling: each flow is chosen with the probability that makes exactly `active` of them
 * active. */
static void place_random(const struct load *load, struct flow *flows)
{
    uint64_t stream = mix_into(load->seed, load->connections);
    uint32_t left = load->active;

    for (uint32_t i = 0; i < load->connections; i++) {
        flows[i].active = mix_below(&stream, load->connections - i) < left;
        left -= flows[i].active;
    }
}

void setup_place(const struct load *load, struct flow *flows)
{
    uint32_t idle = load->connections - load->active;

    for (uint32_t i = 0; i < load->connections; i++) {
        uint64_t before = (uint64_t)i * load->active / load->connections;
        uint64_t after = ((uint64_t)i + 1) * load->active / load->connections;
        flows[i] = (struct flow){.fd = -1, .id = i};
        flows[i].active = load->placement == PLACEMENT_FIRST  ? i < load->active
                          : load->placement == PLACEMENT_LAST ? i >= idle
                                                              : after > before;
    }
    if (load->placement == PLACEMENT_RANDOM)
        place_random(load, flows);
}

/* Begins to connect the next flow. Returns false after a failure, which it has counted. */
static bool begin_next(struct setup *setup)
{
    struct flow *flow = &setup->flows[setup->begun++];

    if (flow_connect(setup->traffic, flow) < 0) {
        flow_refused(setup->traffic, flow);
        return false;
    }
    if (readiness_add(setup->readiness, flow->fd, flow) == 0)
        return true;
    tally_error(&setup->traffic->tally, ERROR_failed, "connection %" PRIu32 ": watching it: %s",
                flow->id, strerror(errno));
    return false;
}

static void serve(struct setup *setup, struct flow *flow, unsigned bits)
{
    struct traffic *traffic = setup->traffic;

    if (flow->state == FLOW_CONNECTING && (bits & READY_WRITE)) {
        int result = flow_connected(flow);
        if (result < 0)
            flow_refused(traffic, flow);
        else if (result == 1 && flow_issue(traffic, flow, clock_now()))
            flow_flush(traffic, flow, SIZE_MAX);
    }
    if (flow->state != FLOW_OPEN)
        return;
    if (bits & READY_WRITE) {
        flow->writable = true;
        flow_flush(traffic, flow, SIZE_MAX);
    }
    bool was_proven = flow->awaited > 0;
    if (bits & READY_READ)
        flow_receive(traffic, flow, bits & READY_ENDED);
    if (!was_proven && flow->awaited > 0)
        setup->proven++;
}

/* Counts each connection that had no echo in time, those not begun included. The message names the
 * first one. */
static void give_up(struct setup *setup)
{
    for (uint32_t i = 0; i < setup->traffic->load->connections; i++)
        if (setup->flows[i].awaited == 0)
            tally_error(&setup->traffic->tally, ERROR_unproven,
                        "connection %" PRIu32 " to %s: no echo of its first message within %.1f s",
                        i, setup->traffic->target->name,
                        (double)setup->traffic->load->connect_timeout_ns / 1e9);
}

/* One wake-up: begins as many connects as may be under way, then handles the events. Returns the
 * same as readiness_wait. */
static int turn(struct setup *setup, uint64_t deadline_ns)
{
    struct ready_event events[READINESS_BATCH];
    const struct load *load = setup->traffic->load;

    while (setup->begun < load->connections && setup->begun - setup->proven < load->connects)
        if (!begin_next(setup))
            return 0;
    uint64_t soon_ns = clock_after(clock_now(), longest_sleep_ns);
    int count =
        readiness_wait(setup->readiness, deadline_ns < soon_ns ? deadline_ns : soon_ns, events);
    for (int i = 0; i < count; i++)
        serve(setup, events[i].owner, events[i].bits);
    return count;
}

/* The others, after the first one. */
static int prove_all(struct setup *setup)
{
    const struct load *load = setup->traffic->load;
    uint64_t deadline_ns = clock_after(clock_now(), load->connect_timeout_ns);

    while (setup->proven < load->connections) {
        uint32_t proven = setup->proven;
        if (turn(setup, deadline_ns) < 0)
            return -1;
        if (stop_count() > 0 || tally_errors(&setup->traffic->tally) > 0)
            return 1;
        uint64_t now_ns = clock_now();
        if (setup->proven > proven)
            deadline_ns = clock_after(now_ns, load->connect_timeout_ns);
        else if (now_ns >= deadline_ns) {
            give_up(setup);
            return 1;
        }
    }
    return 0;
}

int setup_connect(struct contact *contact, struct traffic *traffic, struct target *target,
                  struct flow *flows, struct error *error)
{
    struct setup setup = {.traffic = traffic, .flows = flows, .readiness = readiness_open(error)};

    if (setup.readiness == NULL)
        return -1;
    int result = contact_make(contact, traffic, target, &flows[0], setup.readiness, error);
    setup.proven = setup.begun = result == 0;
    if (result == 0) {
        result = prove_all(&setup);
        if (result < 0)
            (void)error_set(error, "waiting for connections", "", errno);
    } else if (result > 0 && stop_count() == 0 && tally_errors(&traffic->tally) == 0) {
        give_up(&setup);
    }
    readiness_close(setup.readiness);
    traffic->tally.established = setup.proven;
    /* A flow that carries no requests needs no memory for them. */
    for (uint32_t i = 0; i < traffic->load->connections; i++)
        if (!flows[i].active && flows[i].awaited == flows[i].issued)
            flow_free(&flows[i]);
    return result;
}
