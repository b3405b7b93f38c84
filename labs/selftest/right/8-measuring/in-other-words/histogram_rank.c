uint64_t histogram_rank(uint64_t count, uint32_t percentile)
{
    const uint64_t all = 100000;
    uint64_t share = all - percentile; /* of the values that may lie above, of 100,000 */
    uint64_t above = count / all * share + count % all * share / all;

    return count > above ? count - above : 1;
}
