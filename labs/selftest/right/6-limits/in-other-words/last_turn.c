static bool last_turn(struct loop *loop, struct connection *connection)
{
    const struct stats *stats = loop->context.stats;
    uint64_t most = stats->bytes_in + LAST_BYTES;

    for (;;) {
        uint64_t before = stats->bytes_in;
        connection->watch.ready = READABLE | WRITABLE;
        serve(loop, connection);
        if (connection->state == CONNECTION_CLOSED)
            return false;
        if (stats->bytes_in == before || stats->bytes_in >= most)
            return true;
    }
}
