static uint64_t next_deadline(const struct loop *loop)
{
    const struct service *service = &loop->service;
    uint64_t moments[] = {
        connections_deadline(&loop->connections, &service->options),
        service->restart.deadline_ns,
        service->listener.resting_until_ns == 0 ? NEVER : service->listener.resting_until_ns,
    };
    uint64_t first = NEVER;

    for (size_t i = 0; i < sizeof moments / sizeof moments[0]; i++)
        first = moments[i] < first ? moments[i] : first;
    return first;
}
