static enum accept_result out_of_descriptors(struct listener *listener, struct stats *stats,
                                             int number, uint64_t now_ns)
{
    bool used_lately = clock_after(listener->spare_used_ns, rest_ns) > now_ns;
    int peer, problem;

    listener_rest(listener);
    if (used_lately || listener->spare == -1)
        return ACCEPT_EXHAUSTED;
    (void)close(listener->spare);
    peer = accept(listener->watch.fd, NULL, NULL);
    problem = errno;
    stats->accepts += 1;
    if (peer >= 0) {
        listener_refuse(listener, stats, peer, strerror(number), now_ns);
        listener->spare_used_ns = clock_now();
    }
    listener->spare = open_spare();
    if (peer < 0 && (problem == EAGAIN || problem == EWOULDBLOCK)) {
        listener_wake(listener);
        stats->would_block += 1;
        return ACCEPT_WOULD_BLOCK;
    }
    return ACCEPT_EXHAUSTED;
}
