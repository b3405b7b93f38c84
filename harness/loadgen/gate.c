#include "gate.h"

#include "../../common/clock.h"
#include "stop.h"

/* Time from opening the gate to the first request. The threads wake up in this time. */
static const uint64_t head_start_ns = UINT64_C(10000000);

void gate_init(struct gate *gate, const struct load *load)
{
    *gate = (struct gate){.load = load, .awaited = load->threads};
    atomic_init(&gate->measure_to_ns, NEVER);
    (void)pthread_mutex_init(&gate->lock, NULL);
    (void)pthread_cond_init(&gate->changed, NULL);
}

void gate_destroy(struct gate *gate)
{
    (void)pthread_mutex_destroy(&gate->lock);
    (void)pthread_cond_destroy(&gate->changed);
}

static void open_gate(struct gate *gate)
{
    gate->start_ns = clock_now() + head_start_ns;
    gate->measure_from_ns = gate->start_ns + gate->load->warmup_ns;
    atomic_store(&gate->measure_to_ns, gate->measure_from_ns + gate->load->duration_ns);
    (void)pthread_cond_broadcast(&gate->changed);
}

static bool await(struct gate *gate)
{
    while (gate->start_ns == 0 && !gate->shut)
        (void)pthread_cond_wait(&gate->changed, &gate->lock);
    bool opened = gate->start_ns != 0;
    (void)pthread_mutex_unlock(&gate->lock);
    return opened;
}

bool gate_arrive(struct gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    if (--gate->awaited == 0 && !gate->shut)
        open_gate(gate);
    return await(gate);
}

bool gate_watch(struct gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    return await(gate);
}

void gate_shut(struct gate *gate)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->shut = true;
    (void)pthread_cond_broadcast(&gate->changed);
    (void)pthread_mutex_unlock(&gate->lock);
}

void gate_end(struct gate *gate, uint64_t now_ns)
{
    if (now_ns < gate_end_ns(gate))
        atomic_store_explicit(&gate->measure_to_ns, now_ns, memory_order_release);
}

void gate_interrupt(struct gate *gate, uint64_t now_ns)
{
    atomic_store(&gate->heard, stop_count());
    gate_end(gate, now_ns);
}
