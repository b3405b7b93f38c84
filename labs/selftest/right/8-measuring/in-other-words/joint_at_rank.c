static uint64_t joint_at_rank(const struct histogram *done, const struct histogram *censored,
                              uint64_t rank, bool *at_least)
{
    uint64_t longest = histogram_load(&done->most_ns);
    uint64_t oldest = histogram_load(&censored->most_ns);
    uint64_t left = rank;
    bool met = false;
    uint32_t slot = 0;

    while (slot < HISTOGRAM_SLOTS) {
        uint64_t ended = histogram_load(&done->slots[slot]);
        uint64_t waiting = histogram_load(&censored->slots[slot]);
        met = met || waiting > 0;
        if (ended + waiting >= left)
            break;
        left -= ended + waiting;
        slot++;
    }
    *at_least = met;
    return histogram_value(slot == HISTOGRAM_SLOTS ? slot - 1 : slot,
                           longest > oldest ? longest : oldest);
}
