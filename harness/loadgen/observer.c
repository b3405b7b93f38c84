#include "observer.h"

#include "../../common/clock.h"
#include "progress.h"
#include "stop.h"
#include "usage.h"

#include <errno.h>
#include <time.h>

/* Sleeps until a time of the clock, or until the run ends early. */
static void sleep_towards(struct observer *observer, struct progress *progress, uint64_t until_ns)
{
    const uint64_t nap_ns = UINT64_C(20000000);
    uint64_t now_ns;

    while ((now_ns = clock_now()) < until_ns) {
        struct timespec left;
        uint64_t end_ns = gate_end_ns(observer->gate);
        if (now_ns >= end_ns)
            return;
        if (until_ns > end_ns)
            until_ns = end_ns;
        if (stop_count() > 0) {
            observer->interrupted = true;
            gate_interrupt(observer->gate, now_ns);
            return;
        }
        progress_show(progress, observer->workers, observer->load->threads, now_ns);
        uint64_t span_ns = until_ns - now_ns < nap_ns ? until_ns - now_ns : nap_ns;
        (void)nanosleep(clock_left(span_ns, 0, &left), NULL);
    }
}

static void look_on(struct observer *observer)
{
    struct server_sample server_before;
    struct server_sample server_after;
    struct machine_sample machine_before;
    struct machine_sample machine_after;
    struct progress progress;
    struct timespec now;
    int process = observer->load->server_pid;

    progress_begin(&progress, observer->load->quiet);
    sleep_towards(observer, &progress, observer->gate->measure_from_ns);
    if (gate_end_ns(observer->gate) <= observer->gate->measure_from_ns) {
        progress_end(&progress);
        return;
    }
    (void)clock_gettime(CLOCK_REALTIME, &now);
    observer->started_unix_ns = (uint64_t)now.tv_sec * NANOSECONDS_A_SECOND + (uint64_t)now.tv_nsec;
    machine_sample_read(&machine_before);
    server_sample_read(&server_before, process);
    witness_count(&observer->witness, true);
    sleep_towards(observer, &progress, NEVER);
    witness_count(&observer->witness, false);
    server_sample_read(&server_after, process);
    machine_sample_read(&machine_after);
    progress_end(&progress);
    observer->server = server_sample_since(&server_after, &server_before);
    observer->machine = machine_sample_since(&machine_after, &machine_before);
}

static void part_descriptors(struct observer *observer)
{
    usage_part_descriptors();
    (void)pthread_mutex_lock(&observer->lock);
    observer->sharing = false;
    (void)pthread_cond_signal(&observer->changed);
    (void)pthread_mutex_unlock(&observer->lock);
}

static void *observe(void *argument)
{
    struct observer *observer = argument;
    const struct load *load = observer->load;
    struct error ignored; /* without a witness its figures stay 0; nothing else changes */

    part_descriptors(observer);
    (void)witness_start(&observer->witness, load->pins > 0 ? load->pin[0] : -1, &ignored);
    if (gate_watch(observer->gate))
        look_on(observer);
    witness_stop(&observer->witness);
    return NULL;
}

int observer_start(struct observer *observer, struct gate *gate, const struct load *load,
                   const struct worker *workers, struct error *error)
{
    *observer = (struct observer){.gate = gate, .load = load, .workers = workers, .sharing = true};
    (void)pthread_mutex_init(&observer->lock, NULL);
    (void)pthread_cond_init(&observer->changed, NULL);
    int number = pthread_create(&observer->thread, NULL, observe, observer);
    if (number != 0)
        return error_set(error, "pthread_create", "", number);
    observer->running = true;
    (void)pthread_mutex_lock(&observer->lock);
    while (observer->sharing)
        (void)pthread_cond_wait(&observer->changed, &observer->lock);
    (void)pthread_mutex_unlock(&observer->lock);
    return 0;
}

void observer_join(struct observer *observer)
{
    if (!observer->running)
        return;
    (void)pthread_join(observer->thread, NULL);
    observer->running = false;
    (void)pthread_mutex_destroy(&observer->lock);
    (void)pthread_cond_destroy(&observer->changed);
}
