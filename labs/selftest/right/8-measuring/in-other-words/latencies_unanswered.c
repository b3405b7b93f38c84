void latencies_unanswered(struct latencies *latencies, uint64_t scheduled_ns, uint64_t sent_ns,
                          uint64_t end_ns)
{
    histogram_record(latencies->censored, end_ns - scheduled_ns);
    if (sent_ns == LATENCIES_NOT_SENT)
        return;
    histogram_record(latencies->censored_service, end_ns - sent_ns);
}
