#include "histogram.h"

#include <stdlib.h>

struct histogram *histogram_new(void)
{
    struct histogram *histogram = calloc(1, sizeof *histogram);

    if (histogram != NULL)
        atomic_init(&histogram->least_ns, UINT64_MAX);
    return histogram;
}

void histogram_add(struct histogram *into, const struct histogram *from)
{
    histogram_raise(&into->count, histogram_load(&from->count));
    histogram_raise(&into->sum_ns, histogram_load(&from->sum_ns));
    histogram_raise(&into->clamped, histogram_load(&from->clamped));
    if (histogram_load(&from->least_ns) < histogram_load(&into->least_ns))
        histogram_set(&into->least_ns, histogram_load(&from->least_ns));
    if (histogram_load(&from->most_ns) > histogram_load(&into->most_ns))
        histogram_set(&into->most_ns, histogram_load(&from->most_ns));
    for (uint32_t slot = 0; slot < HISTOGRAM_SLOTS; slot++)
        if (histogram_load(&from->slots[slot]) != 0)
            histogram_raise(&into->slots[slot], histogram_load(&from->slots[slot]));
}

/* Slots below 2,048 hold one value each. From there on, 1,024 slots make an octave. */
static unsigned slot_bits_dropped(uint32_t slot)
{
    const uint32_t octave = slot >> HISTOGRAM_STEP_BITS;

    return octave < 2 ? 0 : octave - 1;
}

uint64_t histogram_slot_lowest(uint32_t slot)
{
    unsigned dropped = slot_bits_dropped(slot);

    return ((uint64_t)slot - ((uint64_t)dropped << HISTOGRAM_STEP_BITS)) << dropped;
}

uint64_t histogram_slot_highest(uint32_t slot)
{
    return histogram_slot_lowest(slot) + (UINT64_C(1) << slot_bits_dropped(slot)) - 1;
}

/* What a value of the slot is taken for. The last slot also holds what is above all slots. */
uint64_t histogram_value(uint32_t slot, uint64_t most_ns)
{
    uint64_t highest = histogram_slot_highest(slot);

    return slot < HISTOGRAM_SLOTS - 1 && highest < most_ns ? highest : most_ns;
}

uint64_t histogram_at_rank(const struct histogram *histogram, uint64_t rank)
{
    uint64_t most = histogram_load(&histogram->most_ns);
    uint64_t passed = 0;

    for (uint32_t slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        passed += histogram_load(&histogram->slots[slot]);
        if (passed >= rank && passed > 0)
            return histogram_value(slot, most);
    }
    return most;
}

uint64_t histogram_rank(uint64_t count, uint32_t percentile)
{
    const uint64_t whole = 100000;
    /* Computed in two parts, so that no product exceeds 64 bits. */
    uint64_t rank = count / whole * percentile + (count % whole * percentile + whole - 1) / whole;

    return rank > 0 ? rank : 1;
}

double histogram_mean(const struct histogram *histogram)
{
    uint64_t count = histogram_load(&histogram->count);

    return count == 0 ? 0.0 : (double)histogram_load(&histogram->sum_ns) / (double)count;
}
