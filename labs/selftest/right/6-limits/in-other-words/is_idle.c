static bool is_idle(struct loop *loop, struct connection *connection)
{
    uint64_t span_ns = loop->context.options->idle_timeout_ns;
    bool silent = clock_after(connection->activity_ns, span_ns) <= loop->context.now_ns;

    if (silent && transport_progressed(connection, span_ns)) {
        connections_touch(&loop->connections, connection);
        silent = false;
    }
    return silent;
}
