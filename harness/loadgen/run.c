#include "run.h"

#include "../../common/clock.h"
#include "mix.h"
#include "observer.h"
#include "setup.h"
#include "usage.h"
#include "worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* Standard streams, the output files, the witness. Each thread needs two more. */
enum { RESERVED_DESCRIPTORS = 16 };

struct run {
    struct outcome *outcome;
    const struct load *load;
    struct target target;
    struct contact contact;
    struct flow *flows;
    struct gate gate;
    struct worker *workers;
    uint32_t initialised; /* workers */
    uint32_t started;     /* threads, this one not counted */
    struct observer *observer;
};

/* Whether the threads can be bound, before anything is measured. */
static int need_pins(const struct load *load, struct error *error)
{
    struct cpu_mask before;
    int result = 0;

    usage_read_mask(&before);
    for (uint32_t i = 0; i < load->pins && result == 0; i++) {
        result = usage_pin(load->pin[i]);
        if (result < 0)
            (void)snprintf(error->text, sizeof error->text,
                           "--pin %d: this CPU cannot be used here: %s", load->pin[i],
                           strerror(errno));
    }
    usage_set_mask(&before);
    return result;
}

static int need_descriptors(const struct load *load, struct error *error)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)load->connections + 2 * (rlim_t)load->threads + RESERVED_DESCRIPTORS;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return error_set(error, "getrlimit", "RLIMIT_NOFILE", errno);
    rlim_t soft = limit.rlim_cur;
    if (soft < needed) {
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            limit.rlim_cur = soft; /* some systems enforce a lower limit than they report */
    }
    if (limit.rlim_cur >= needed)
        return 0;
    (void)snprintf(error->text, sizeof error->text,
                   "--connections %u: needs %llu descriptors, and the limit is %llu (ulimit -n)",
                   (unsigned)load->connections, (unsigned long long)needed,
                   (unsigned long long)limit.rlim_cur);
    return -1;
}

/* Returns the same as setup_connect. */
static int establish(struct run *run, struct error *error)
{
    struct outcome *outcome = run->outcome;
    struct server_sample before; /* only to know whether it can be read: it may be starting */
    struct server_sample after;
    struct traffic traffic;
    uint64_t begun_ns = clock_now();

    run->flows = calloc(run->load->connections, sizeof *run->flows);
    if (run->flows == NULL)
        return error_set(error, "malloc", "", ENOMEM);
    setup_place(run->load, run->flows);
    server_sample_read(&before, run->load->server_pid);
    if (run->load->server_pid != 0 && !before.known) {
        (void)snprintf(error->text, sizeof error->text,
                       "--server-pid %d: no such process can be read here", run->load->server_pid);
        return -1;
    }
    int result = traffic_init(&traffic, run->load, &run->target, UINT32_MAX, error);
    if (result == 0)
        result = setup_connect(&run->contact, &traffic, &run->target, run->flows, error);
    tally_add(&outcome->tally, &traffic.tally);
    traffic_destroy(&traffic);
    outcome->setup_seconds = (double)(clock_now() - begun_ns) / 1e9;
    server_sample_read(&after, run->load->server_pid);
    if (result == 0 && after.known && run->contact.server.known && run->load->connections > 1)
        outcome->server_bytes_a_connection =
            ((double)after.resident_bytes - (double)run->contact.server.resident_bytes) /
            (double)(run->load->connections - 1);
    return result;
}

static int init_workers(struct run *run, struct error *error)
{
    const struct load *load = run->load;
    uint32_t *order = calloc((size_t)load->active + 1, sizeof *order);
    int result = 0;

    if (order == NULL)
        result = error_set(error, "malloc", "", ENOMEM);
    else
        schedule_order(load->seed, load->active, order);
    while (result == 0 && run->initialised < load->threads) {
        uint32_t i = run->initialised++;
        result = worker_init(&run->workers[i], i, &run->gate, load, &run->target, run->flows, order,
                             error);
    }
    free(order);
    return result;
}

/* The first worker runs on this thread, each of the others on a thread of its own. */
static void work(struct run *run, struct error *error)
{
    uint32_t threads = run->load->threads;
    int number = 0;

    while (number == 0 && run->started + 1 < threads) {
        struct worker *worker = &run->workers[run->started + 1];
        number = pthread_create(&worker->thread, NULL, worker_main, worker);
        run->started += number == 0;
    }
    if (number == 0) {
        (void)worker_main(&run->workers[0]);
    } else {
        run->workers[0].status = error_set(&run->workers[0].error, "pthread_create", "", number);
        gate_shut(&run->gate);
    }
    for (uint32_t i = 1; i <= run->started; i++)
        (void)pthread_join(run->workers[i].thread, NULL);
    for (uint32_t i = 0; i <= run->started; i++)
        if (run->workers[i].status < 0)
            *error = run->workers[i].error;
}

static double share(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0.0 : 100.0 * (double)part / (double)whole;
}

static double larger(double one, double other)
{
    return one > other ? one : other;
}

static void add_worker(struct outcome *outcome, const struct worker *worker)
{
    const struct usage *usage = &worker->usage;
    const struct traffic *traffic = &worker->traffic;
    struct figures *figures = &outcome->figures;
    uint64_t work_ns = usage->cpu_ns > usage->spun_ns ? usage->cpu_ns - usage->spun_ns : 0;

    tally_add(&outcome->tally, &traffic->tally);
    latencies_add(&outcome->latencies, &traffic->latencies);
    timeline_add(outcome->timeline, traffic->timeline);
    outcome->client.cpu_ns += usage->cpu_ns;
    outcome->client.user_ns += usage->user_ns;
    outcome->client.system_ns += usage->system_ns;
    outcome->client.spun_ns += usage->spun_ns;
    outcome->client.waited_ns += usage->waited_ns;
    outcome->client.switches += usage->switches;
    outcome->client.wall_ns += usage->wall_ns;
    figures->busy = larger(figures->busy, share(work_ns, usage->wall_ns));
    figures->preempted = larger(figures->preempted, share(usage->waited_ns, usage->wall_ns));
    figures->batches = larger(figures->batches, worker->full_share);
    figures->silence = larger(figures->silence, (double)traffic->silence_ns);
    if (worker->cut_short)
        figures->interrupted = 1;
}

static void fill_server(struct outcome *outcome)
{
    const struct server_sample *server = &outcome->server;
    uint64_t threads_ns = (uint64_t)(outcome->seconds * 1e9) * server->threads;

    if (!server->known)
        return;
    outcome->figures.server_threads = (double)server->threads;
    outcome->figures.saturation = share(server->cpu_ns, threads_ns);
    outcome->figures.server_preempted = share(server->waited_ns, threads_ns);
}

static void fill_machine(struct run *run)
{
    struct outcome *outcome = run->outcome;
    struct figures *figures = &outcome->figures;
    const struct witness *witness = &run->observer->witness;

    outcome->started_unix_ns = run->observer->started_unix_ns;
    outcome->server = run->observer->server;
    fill_server(outcome);
    outcome->machine = run->observer->machine;
    if (run->observer->interrupted)
        figures->interrupted = 1;
    outcome->witness_looks = (double)witness->looks;
    outcome->witness_privileged = witness->privileged;
    uint64_t counted_ns = (uint64_t)(outcome->seconds * 1e9);
    figures->witness = share(witness_lost_ns(witness, counted_ns), counted_ns);
    figures->witness_most = (double)witness->most_ns;
    figures->steal = -1;
    if (!outcome->machine.known)
        return;
    figures->steal = share(outcome->machine.steal_ticks, outcome->machine.ticks);
    figures->listen_overflows = (double)outcome->machine.listen_overflows;
    figures->listen_drops = (double)outcome->machine.listen_drops;
    figures->retransmits = (double)outcome->machine.retransmits;
}

static double p99_of(const struct outcome *outcome, enum timing_kind kind)
{
    return (double)outcome_percentile(latencies_timing(&outcome->latencies, kind), 99000).ns;
}

/* What ended the run before its time. */
static void fill_partial(struct run *run)
{
    struct outcome *outcome = run->outcome;
    double wanted = (double)run->load->duration_ns / 1e9;
    char *text = outcome->partial;
    size_t size = sizeof outcome->partial;

    if (run->observer->interrupted && outcome->started_unix_ns == 0)
        (void)snprintf(text, size, "ended by a signal in the warm-up");
    else if (run->observer->interrupted)
        (void)snprintf(text, size, "ended by a signal after %.3f of %.3f s", outcome->seconds,
                       wanted);
    else if (outcome->figures.interrupted > 0)
        (void)snprintf(text, size, "ended by a signal while the last replies were awaited");
    else if (outcome->figures.capped > 0)
        (void)snprintf(text, size, "ended by --max-outstanding after %.3f of %.3f s",
                       outcome->seconds, wanted);
}

static void fill_figures(struct run *run)
{
    struct outcome *outcome = run->outcome;
    struct figures *figures = &outcome->figures;
    const struct load *load = run->load;
    const struct tally *tally = &outcome->tally;
    uint64_t end_ns = atomic_load(&run->gate.measure_to_ns);

    if (end_ns > run->gate.measure_from_ns)
        outcome->seconds = (double)(end_ns - run->gate.measure_from_ns) / 1e9;
    for (uint32_t i = 0; i < load->threads; i++)
        add_worker(outcome, &run->workers[i]);
    figures->open_loop = load_is_open(load);
    figures->offered = (double)tally->issued;
    figures->achieved = (double)tally->achieved;
    figures->seconds = outcome->seconds;
    if (!load_is_open(load))
        figures->outstanding = (double)load->active * (double)load->pipeline;
    figures->mean_service = outcome_mean(latencies_timing(&outcome->latencies, TIMING_SERVICE));
    figures->response_p99 = p99_of(outcome, TIMING_RESPONSE);
    figures->lag_p99 = p99_of(outcome, TIMING_LAG);
    figures->unanswered = (double)tally->unanswered;
    figures->oldest_unanswered = (double)histogram_load(&outcome->latencies.censored->most_ns);
    figures->capped = atomic_load(&run->gate.capped);
    figures->ceiling = (double)load->ceiling_milli / 1e3;
    figures->quarter_before = (double)tally->quarters[2];
    figures->quarter_after = (double)tally->quarters[3];
    figures->churn = load->churn > 0;
    fill_machine(run);
    fill_partial(run);
}

/* Returns the same as setup_connect. */
static int carry_out(struct run *run, struct error *error)
{
    int result = establish(run, error);

    if (result == 0)
        result = init_workers(run, error);
    if (result == 0) {
        struct cpu_mask before;
        usage_read_mask(&before);
        error->text[0] = '\0';
        work(run, error);
        usage_set_mask(&before);
        if (run->load->urgent)
            usage_set_urgent(false);
        if (error->text[0] != '\0')
            result = -1;
    }
    if (result != 0)
        gate_shut(&run->gate);
    observer_join(run->observer);
    if (result == 0)
        fill_figures(run);
    return result;
}

static void clean_up(struct run *run)
{
    for (uint32_t i = 0; i < run->initialised; i++)
        worker_destroy(&run->workers[i]);
    for (uint32_t i = 0; run->flows != NULL && i < run->load->connections; i++) {
        if (run->flows[i].state != FLOW_NEW)
            flow_close(&run->flows[i], run->load->close_mode);
        flow_free(&run->flows[i]);
    }
    free(run->flows);
    gate_destroy(&run->gate);
}

static uint64_t client_resident(void)
{
    struct rusage usage = {0};

    (void)getrusage(RUSAGE_SELF, &usage);
#ifdef __APPLE__
    return (uint64_t)usage.ru_maxrss;
#else
    return (uint64_t)usage.ru_maxrss * 1024;
#endif
}

/* A hash over times, connections, sizes and pieces. Two runs with the same hash asked for the same
 * load. */
static uint64_t hash_of(const struct load *load)
{
    uint64_t hash =
        schedule_hash(load->rate_milli, load->arrivals, load->seed, load->threads, load->active);

    hash = mix_into(mix_into(hash, load->connections), (uint64_t)load->placement);
    hash = mix_into(mix_into(hash, (uint64_t)load->idle), load->fragment);
    hash = mix_into(mix_into(hash, load->pipeline), load->churn);
    hash = mix_into(mix_into(hash, load->warmup_ns), load->duration_ns);
    for (const char *byte = load->payload_text; *byte != '\0'; byte++)
        hash = mix_into(hash, (uint8_t)*byte);
    return hash;
}

static int prepare(struct run *run, struct error *error)
{
    return need_pins(run->load, error) < 0 || need_descriptors(run->load, error) < 0 ||
                   target_find(&run->target, run->load, error) < 0
               ? -1
               : 0;
}

/* The verdict, and what is said beside it. */
static void judge(struct run *run, bool interrupted)
{
    struct outcome *outcome = run->outcome;
    struct judgement *judgement = &outcome->judgement;

    verdict_decide(&outcome->figures, &run->load->limits, judgement);
    if (interrupted) {
        judgement_add(judgement, VERDICT_UNSTABLE, "interrupted: while connecting");
        (void)snprintf(outcome->partial, sizeof outcome->partial,
                       "ended by a signal while connecting");
    }
    if (run->contact.passed_over[0] != '\0' && tally_errors(&outcome->tally) == 0 && !interrupted)
        judgement_add(judgement, VERDICT_VALID, "address: %s was used; %s", run->target.name,
                      run->contact.passed_over);
    if (outcome->started_unix_ns != 0 && run->load->server_pid != 0 && !outcome->server.known)
        judgement_add(judgement, VERDICT_VALID,
                      "server: process %d was gone before the measured time was over",
                      run->load->server_pid);
}

int run_load(struct outcome *outcome, struct error *error)
{
    struct worker *workers = calloc(outcome->load->threads, sizeof *workers);
    struct observer observer;
    struct run run = {
        .outcome = outcome, .load = outcome->load, .workers = workers, .observer = &observer};

    if (workers == NULL)
        return error_set(error, "malloc", "", ENOMEM);
    gate_init(&run.gate, run.load);
    outcome->schedule_hash = hash_of(run.load);
    int result = prepare(&run, error);
    if (result == 0)
        result = observer_start(&observer, &run.gate, run.load, run.workers, error);
    if (result == 0)
        result = carry_out(&run, error);
    clean_up(&run);
    free(workers);
    if (result < 0)
        return -1;
    (void)snprintf(outcome->target, sizeof outcome->target, "%s", run.target.name);
    outcome->client_resident = client_resident();
    outcome->figures.errors = (double)tally_errors(&outcome->tally);
    judge(&run, result > 0 && tally_errors(&outcome->tally) == 0);
    return 0;
}
