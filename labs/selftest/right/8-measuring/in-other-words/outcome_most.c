struct percentile outcome_most(struct timing timing)
{
    struct percentile most = {.known = count_of(timing) > 0};

    most.ns = histogram_load(&timing.done->most_ns);
    if (unanswered_of(timing) > 0) {
        uint64_t oldest = histogram_load(&timing.censored->most_ns);
        most.at_least = true;
        most.ns = oldest > most.ns ? oldest : most.ns;
    }
    return most;
}
