double outcome_mean(struct timing timing)
{
    uint64_t sum_ns = histogram_load(&timing.done->sum_ns);
    uint64_t requests = count_of(timing);

    if (requests == 0)
        return 0.0;
    if (timing.censored != NULL)
        sum_ns += histogram_load(&timing.censored->sum_ns);
    return (double)sum_ns / (double)requests;
}
