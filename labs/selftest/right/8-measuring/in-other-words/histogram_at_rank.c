uint64_t histogram_at_rank(const struct histogram *histogram, uint64_t rank)
{
    uint64_t most_ns = histogram_load(&histogram->most_ns);
    uint64_t wanted = rank == 0 ? 1 : rank;
    uint32_t slot = 0;

    while (slot < HISTOGRAM_SLOTS) {
        uint64_t here = histogram_load(&histogram->slots[slot]);
        if (here >= wanted)
            return histogram_value(slot, most_ns);
        wanted -= here;
        slot++;
    }
    return most_ns;
}
