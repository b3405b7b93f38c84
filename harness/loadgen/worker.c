#include "worker.h"

#include "../../common/clock.h"
#include "idle.h"
#include "mix.h"
#include "stop.h"
#include "usage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    /* Due requests are sent first, but replies must be read as well. */
    ISSUES_A_TURN = 64,
    POLLS_A_READING = 8,
};

/* A run that ends early is noticed within this time. */
static const uint64_t longest_sleep_ns = NANOSECONDS_A_SECOND / 20;

/* An idle connection with --idle trickle sends a byte at this interval. */
static const uint64_t trickle_ns = NANOSECONDS_A_SECOND;

static int deal_flows(struct worker *worker, struct flow *flows, const uint32_t *order)
{
    const struct load *load = worker->traffic.load;
    uint32_t actives = 0;
    uint32_t idles = 0;

    worker->flows = calloc(load->active / load->threads + 1, sizeof(struct flow *));
    worker->idle = calloc(load->connections / load->threads + 1, sizeof(struct flow *));
    worker->pieces = calloc(load->active / load->threads + 1, sizeof(struct flow *));
    struct flow **active = calloc((size_t)load->active + 1, sizeof(struct flow *));
    if (!worker->flows || !worker->idle || !worker->pieces || !active) {
        free(active);
        return -1;
    }
    for (uint32_t i = 0; i < load->connections; i++) {
        if (flows[i].active)
            active[actives++] = &flows[i];
        else if (idles++ % load->threads == worker->number)
            worker->idle[worker->idle_count++] = &flows[i];
    }
    for (uint32_t turn = worker->number; turn < load->active; turn += load->threads)
        worker->flows[worker->flow_count++] = active[order[turn]];
    free(active);
    return 0;
}

int worker_init(struct worker *worker, uint32_t number, struct gate *gate, const struct load *load,
                const struct target *target, struct flow *flows, const uint32_t *order,
                struct error *error)
{
    *worker = (struct worker){.number = number, .gate = gate};
    if (traffic_init(&worker->traffic, load, target, number, error) < 0)
        return -1;
    if (deal_flows(worker, flows, order) < 0)
        return error_set(error, "malloc", "", ENOMEM);
    if (load_is_open(load))
        schedule_init(&worker->schedule, load->rate_milli, load->arrivals, load->seed, number,
                      load->threads);
    worker->readiness = readiness_open(error);
    return worker->readiness == NULL ? -1 : 0;
}

void worker_destroy(struct worker *worker)
{
    traffic_destroy(&worker->traffic);
    if (worker->readiness != NULL)
        readiness_close(worker->readiness);
    free(worker->flows);
    free(worker->idle);
    free(worker->pieces);
}

static int watch(struct worker *worker, struct flow *flow)
{
    if (readiness_add(worker->readiness, flow->fd, flow) == 0)
        return 0;
    tally_error(&worker->traffic.tally, ERROR_failed, "connection %" PRIu32 ": watching it: %s",
                flow->id, strerror(errno));
    flow_end(&worker->traffic, flow);
    return -1;
}

/* Writes everything at once, or a piece. After a piece, the rest waits until other flows have had
 * their turn. So the server finds frames cut and joined at any place. */
static void write_out(struct worker *worker, struct flow *flow)
{
    struct traffic *traffic = &worker->traffic;

    if (!traffic->load->fragment) {
        flow_flush(traffic, flow, SIZE_MAX);
        return;
    }
    if (!flow->queued && flow->writable && flow_has_output(traffic, flow)) {
        flow->queued = true;
        worker->pieces[worker->piece_count++] = flow;
    }
}

static void write_pieces(struct worker *worker)
{
    struct traffic *traffic = &worker->traffic;
    uint64_t longest = 2 * (uint64_t)payload_frame_size(traffic->load->payload.most);
    uint32_t kept = 0;

    for (uint32_t i = 0; i < worker->piece_count; i++) {
        struct flow *flow = worker->pieces[i];
        flow_flush(traffic, flow, (size_t)mix_below(&traffic->stream, longest) + 1);
        flow->queued = flow->writable && flow_has_output(traffic, flow);
        if (flow->queued)
            worker->pieces[kept++] = flow;
    }
    worker->piece_count = kept;
}

/* --churn: replaces a connection that has carried its messages and received all echoes. */
static void replace(struct worker *worker, struct flow *flow)
{
    struct traffic *traffic = &worker->traffic;

    traffic->tally.reconnects++;
    flow_close(flow, traffic->load->close_mode);
    if (flow_connect(traffic, flow) == 0)
        (void)watch(worker, flow);
    else
        flow_refused(traffic, flow);
}

static void serve(struct worker *worker, struct flow *flow, unsigned bits)
{
    struct traffic *traffic = &worker->traffic;
    uint64_t churn = traffic->load->churn;

    if (flow->state == FLOW_CONNECTING && (bits & READY_WRITE)) {
        int result = flow_connected(flow);
        if (result == 1)
            flow->unblocked_ns = clock_now();
        else if (result < 0)
            flow_refused(traffic, flow);
    }
    if (flow->state != FLOW_OPEN)
        return;
    if (!flow->active && traffic->load->idle == IDLE_NOT_READING) {
        if (bits & READY_ENDED)
            idle_ended(traffic, flow);
        else if (bits & READY_WRITE)
            idle_writable(traffic, flow);
        return;
    }
    if ((bits & READY_WRITE) && !flow->writable) {
        flow->writable = true;
        flow->unblocked_ns = clock_now();
    }
    if (bits & READY_READ)
        flow_receive(traffic, flow, bits & READY_ENDED);
    if (flow->state != FLOW_OPEN || !flow->active)
        return;
    if (churn > 0 && flow->awaited >= flow->opened + churn &&
        (!worker->draining || flow->awaited < flow->issued))
        replace(worker, flow);
    else
        write_out(worker, flow);
}

static void issue(struct worker *worker, struct flow *flow, uint64_t scheduled_ns)
{
    if (flow->state != FLOW_ENDED && flow_issue(&worker->traffic, flow, scheduled_ns))
        write_out(worker, flow);
}

/* Beyond the cap the run can show nothing more: the server does not keep up. The shares of all
 * threads add up to the cap. */
static void check_cap(struct worker *worker, uint64_t now_ns)
{
    const struct load *load = worker->traffic.load;

    uint64_t share = load->max_outstanding / load->threads +
                     (worker->number < load->max_outstanding % load->threads);

    if (histogram_load(&worker->traffic.outstanding) <= share)
        return;
    atomic_store_explicit(&worker->gate->capped, true, memory_order_relaxed);
    gate_end(worker->gate, now_ns);
}

/* Open loop: sends what is due, however late it is. No request is skipped. */
static void issue_due(struct worker *worker, uint64_t now_ns)
{
    struct schedule *schedule = &worker->schedule;

    for (int budget = ISSUES_A_TURN; budget > 0; budget--) {
        if (schedule->next_ns > now_ns || schedule->next_ns >= gate_end_ns(worker->gate))
            break;
        issue(worker, worker->flows[schedule->next % worker->flow_count], schedule->next_ns);
        schedule_advance(schedule);
    }
    check_cap(worker, now_ns);
}

static uint64_t next_trickle_ns(const struct worker *worker)
{
    if (worker->traffic.load->idle != IDLE_TRICKLE || worker->idle_count == 0)
        return NEVER;
    return worker->gate->start_ns + worker->trickled * (trickle_ns / worker->idle_count);
}

static void trickle(struct worker *worker, uint64_t now_ns)
{
    while (next_trickle_ns(worker) <= now_ns)
        idle_trickle(&worker->traffic, worker->idle[worker->trickled++ % worker->idle_count]);
}

/* A poll that found nothing. The stretch that it belongs to is measured from the end of its first
 * poll on; a message sent in between ends it, because sending is work. */
static void note_poll(struct worker *worker)
{
    struct spin *spin = &worker->spin;
    uint64_t sends = worker->traffic.tally.sends;

    if (spin->sends != sends)
        spin->stretch = 0;
    spin->sends = sends;
    spin->polls++;
    if (spin->stretch++ % POLLS_A_READING > 0)
        return;
    uint64_t now_ns = usage_cpu_ns();
    if (spin->stretch > 1) {
        spin->measured += POLLS_A_READING;
        spin->measured_ns += now_ns - spin->read_ns;
    }
    spin->read_ns = now_ns;
}

/* What all polls took, if the others took as long as those that were measured. */
static uint64_t spun_ns(const struct spin *spin)
{
    if (spin->measured == 0)
        return 0;
    return (uint64_t)((double)spin->measured_ns / (double)spin->measured * (double)spin->polls);
}

static void first_mark(struct worker *worker)
{
    worker->measuring = true;
    usage_read(&worker->mark);
    worker->spin = (struct spin){0};
    worker->waits_marked = worker->traffic.tally.waits;
    worker->full_waits_marked = worker->traffic.tally.full_waits;
}

static void second_mark(struct worker *worker)
{
    const struct tally *tally = &worker->traffic.tally;
    struct usage *usage = &worker->usage;
    const struct usage *mark = &worker->mark;
    uint64_t waits = tally->waits - worker->waits_marked;

    worker->draining = true;
    worker->traffic.refill = false;
    usage_read(usage);
    usage->spun_ns = spun_ns(&worker->spin);
    usage->cpu_ns -= mark->cpu_ns;
    usage->user_ns -= mark->user_ns;
    usage->system_ns -= mark->system_ns;
    usage->waited_ns -= mark->waited_ns;
    usage->switches -= mark->switches;
    usage->wall_ns -= mark->wall_ns;
    if (waits > 0)
        worker->full_share =
            100.0 * (double)(tally->full_waits - worker->full_waits_marked) / (double)waits;
}

/* Whether a request of the measured time has not been issued yet. It is sent, however late, before
 * the run goes on to the drain. */
static bool has_due(const struct worker *worker)
{
    return load_is_open(worker->traffic.load) &&
           worker->schedule.next_ns < worker->traffic.measure_to_ns;
}

/* A signal that did not end the measured time already ends the wait for the last replies. */
static bool is_cut_short(struct worker *worker)
{
    worker->cut_short |= stop_count() > atomic_load(&worker->gate->heard);
    return worker->cut_short;
}

/* Whether what is due is not sent any more: a client that is behind its schedule could need many
 * times the duration. A signal says so, and the cap; after a signal that ended the measured time,
 * the end of the drain. */
static bool gives_up(struct worker *worker, uint64_t now_ns)
{
    const struct traffic *traffic = &worker->traffic;
    struct gate *gate = worker->gate;
    uint64_t drained_ns = clock_after(traffic->measure_to_ns, traffic->load->drain_ns);

    return is_cut_short(worker) || atomic_load_explicit(&gate->capped, memory_order_relaxed) ||
           (atomic_load(&gate->heard) > 0 && now_ns >= drained_ns);
}

static void forgo_due(struct worker *worker, uint64_t now_ns)
{
    while (has_due(worker)) {
        traffic_forgo(&worker->traffic, worker->schedule.next_ns, now_ns);
        schedule_advance(&worker->schedule);
    }
}

/* Moves from the warm-up to the measured time, and from there to the drain. Returns false when the
 * run is over. */
static bool pass_marks(struct worker *worker, uint64_t now_ns)
{
    struct traffic *traffic = &worker->traffic;

    if (traffic->ended > 0 && traffic->ended == worker->flow_count) /* no flow is left */
        gate_end(worker->gate, now_ns);
    traffic->measure_to_ns = gate_end_ns(worker->gate);
    if (!worker->measuring && now_ns >= traffic->measure_from_ns)
        first_mark(worker);
    if (now_ns >= traffic->measure_to_ns && has_due(worker) && gives_up(worker, now_ns))
        forgo_due(worker, now_ns);
    if (!worker->draining && now_ns >= traffic->measure_to_ns && !has_due(worker)) {
        if (!worker->measuring) /* the run ended early, in the warm-up */
            first_mark(worker);
        second_mark(worker);
    }
    return !worker->draining ||
           (histogram_load(&traffic->outstanding) > 0 && !is_cut_short(worker) &&
            now_ns < clock_after(traffic->measure_to_ns, traffic->load->drain_ns));
}

static uint64_t earlier(uint64_t one, uint64_t other)
{
    return one < other ? one : other;
}

static uint64_t next_deadline(const struct worker *worker, uint64_t now_ns)
{
    const struct traffic *traffic = &worker->traffic;
    uint64_t deadline_ns = clock_after(now_ns, longest_sleep_ns);

    if (!worker->measuring)
        deadline_ns = earlier(deadline_ns, traffic->measure_from_ns);
    if (!worker->draining) {
        deadline_ns = earlier(deadline_ns, traffic->measure_to_ns);
        if (load_is_open(traffic->load) && worker->schedule.next_ns < traffic->measure_to_ns)
            deadline_ns = earlier(deadline_ns, worker->schedule.next_ns);
    }
    return earlier(deadline_ns, next_trickle_ns(worker));
}

/* A sleep ends some microseconds late, more on a virtual machine. So when the next request is due
 * soon, the thread polls and does not sleep. That time is no work of the client's. */
static int await_events(struct worker *worker, uint64_t now_ns, struct ready_event *events)
{
    struct tally *tally = &worker->traffic.tally;
    uint64_t deadline_ns = next_deadline(worker, now_ns);
    uint64_t spin_ns = worker->traffic.load->spin_ns;
    bool spin = load_is_open(worker->traffic.load) && !worker->draining;

    if (worker->piece_count > 0 || deadline_ns <= now_ns ||
        (spin && deadline_ns - now_ns <= spin_ns))
        deadline_ns = 0;
    else if (spin)
        deadline_ns -= spin_ns;
    int count = readiness_wait(worker->readiness, deadline_ns, events);
    tally->waits++;
    tally->full_waits += count == READINESS_BATCH;
    if (count == 0 && deadline_ns == 0 && worker->piece_count == 0)
        note_poll(worker);
    else
        worker->spin.stretch = 0;
    return count;
}

/* One wake-up. Returns false when the run is over. */
static bool turn(struct worker *worker)
{
    struct ready_event events[READINESS_BATCH];
    uint64_t now_ns = clock_now();

    if (!pass_marks(worker, now_ns))
        return false;
    if (load_is_open(worker->traffic.load) && !worker->draining)
        issue_due(worker, now_ns);
    trickle(worker, now_ns);
    int count = await_events(worker, now_ns, events);
    if (count < 0) { /* an error like that of a connection: what was counted so far is reported */
        tally_error(&worker->traffic.tally, ERROR_failed, "waiting for events: %s",
                    strerror(errno));
        gate_end(worker->gate, now_ns);
        return false;
    }
    for (int i = 0; i < count; i++)
        serve(worker, events[i].owner, events[i].bits);
    write_pieces(worker);
    return true;
}

/* Sets the quarters of the warm-up and of the measured time. Replies are counted for each
 * quarter. */
static void set_quarters(struct traffic *traffic, uint64_t start_ns)
{
    uint64_t warmup_ns = traffic->measure_from_ns - start_ns;
    uint64_t measured_ns = traffic->measure_to_ns - traffic->measure_from_ns;

    for (uint64_t i = 0; i < 4; i++) {
        traffic->quarter_ends_ns[i] = start_ns + warmup_ns * (i + 1) / 4;
        traffic->quarter_ends_ns[4 + i] = traffic->measure_from_ns + measured_ns * (i + 1) / 4;
    }
    traffic->quarter_ends_ns[TALLY_QUARTERS - 1] = NEVER;
    traffic->quarter_end_ns = traffic->quarter_ends_ns[0];
}

static bool pass_gate(struct worker *worker)
{
    const struct gate *gate = worker->gate;
    struct traffic *traffic = &worker->traffic;

    if (!gate_arrive(worker->gate))
        return false;
    traffic->measure_from_ns = gate->measure_from_ns;
    traffic->measure_to_ns = gate_end_ns(gate);
    set_quarters(traffic, gate->start_ns);
    traffic->quiet_since_ns = gate->start_ns;
    if (load_is_open(traffic->load))
        schedule_start(&worker->schedule, gate->start_ns);
    return true;
}

/* Sleeps through the head start, and polls at its end, so that all threads begin on time. */
static void await_start(const struct worker *worker)
{
    const uint64_t start_ns = worker->gate->start_ns;
    const uint64_t early_ns = 100000;
    struct timespec left;
    uint64_t now_ns;

    while ((now_ns = clock_now()) < start_ns)
        if (start_ns - now_ns > early_ns)
            (void)nanosleep(clock_left(start_ns - early_ns, now_ns, &left), NULL);
}

static void get_ready(struct worker *worker)
{
    struct traffic *traffic = &worker->traffic;
    const struct load *load = traffic->load;

    usage_exact_timers();
    if (load->urgent)
        usage_set_urgent(true);
    if (load->pins > 0 && usage_pin(load->pin[worker->number % load->pins]) < 0)
        worker->status = error_set(&worker->error, "--pin: sched_setaffinity", "", errno);
    for (uint32_t i = 0; i < worker->flow_count; i++) {
        worker->flows[i]->opened = worker->flows[i]->awaited; /* the proof does not count */
        (void)watch(worker, worker->flows[i]);
    }
    for (uint32_t i = 0; i < worker->idle_count; i++)
        if (watch(worker, worker->idle[i]) == 0)
            idle_begin(traffic, worker->idle[i]);
}

/* The first requests of a closed loop are spread over the flows: each flow gets one before any gets
 * its second. */
static void fill(struct worker *worker)
{
    struct traffic *traffic = &worker->traffic;

    traffic->refill = true;
    for (uint32_t depth = 0; depth < traffic->load->pipeline; depth++)
        for (uint32_t i = 0; i < worker->flow_count; i++)
            issue(worker, worker->flows[i], clock_now());
}

static void finish(struct worker *worker)
{
    struct traffic *traffic = &worker->traffic;
    uint64_t now_ns = clock_now();

    if (histogram_load(&traffic->outstanding) > 0 && now_ns > traffic->quiet_since_ns &&
        now_ns - traffic->quiet_since_ns > traffic->silence_ns)
        traffic->silence_ns = now_ns - traffic->quiet_since_ns;
    for (uint32_t i = 0; i < worker->flow_count; i++)
        flow_settle(traffic, worker->flows[i], now_ns);
    for (uint32_t i = 0; i < worker->idle_count; i++)
        flow_settle(traffic, worker->idle[i], now_ns);
}

void *worker_main(void *argument)
{
    struct worker *worker = argument;

    get_ready(worker);
    if (worker->status < 0)
        gate_shut(worker->gate);
    if (!pass_gate(worker))
        return NULL;
    await_start(worker);
    if (!load_is_open(worker->traffic.load))
        fill(worker);
    while (turn(worker))
        continue;
    finish(worker);
    return NULL;
}
