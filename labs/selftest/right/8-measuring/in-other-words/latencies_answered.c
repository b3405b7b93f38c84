void latencies_answered(struct latencies *latencies, uint64_t scheduled_ns, uint64_t sent_ns,
                        uint64_t received_ns)
{
    uint64_t service_ns = received_ns - sent_ns;
    uint64_t late_ns = sent_ns - scheduled_ns;

    histogram_record(latencies->service, service_ns);
    histogram_record(latencies->response, late_ns + service_ns);
}
