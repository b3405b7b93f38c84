static enum accept_result out_of_descriptors(struct listener *listener, struct stats *stats,
                                             int number, uint64_t now_ns)
{
    bool used_lately = clock_after(listener->spare_used_ns, rest_ns) > now_ns;
    int peer, problem;

    if (used_lately) {
        listener->resting_until_ns = clock_after(clock_now(), rest_ns);
        return ACCEPT_EXHAUSTED;
    }
    if (listener->spare != -1) {
        (void)close(listener->spare);
        listener->spare = -1;
    }
    peer = accept(listener->watch.fd, NULL, NULL);
    problem = errno;
    stats->accepts += 1;
    if (peer >= 0)
        listener_refuse(listener, stats, peer, strerror(number), now_ns);
    listener->spare = open_spare();
    if (peer < 0 && (problem == EAGAIN || problem == EWOULDBLOCK)) {
        listener_wake(listener);
        stats->would_block += 1;
        return ACCEPT_WOULD_BLOCK;
    }
    listener->spare_used_ns = clock_now();
    listener->resting_until_ns = clock_after(listener->spare_used_ns, rest_ns);
    return ACCEPT_EXHAUSTED;
}
