enum transport_result transport_write(struct connection *connection, struct context *context)
{
    for (;;) {
        size_t offered = 0;
        const uint8_t *first = connection_output(connection, &offered);
        ssize_t taken = send(connection->watch.fd, first, offered, 0);

        context->stats->writes += 1;
        if (taken >= 0) {
            bool whole = (size_t)taken == offered;
            connection_sent(connection, context, (size_t)taken);
            context->stats->bytes_out += (uint64_t)taken;
            context->stats->partial_writes += whole ? 0 : 1;
            return whole ? TRANSPORT_ALL : TRANSPORT_SHORT;
        }
        if (errno != EINTR)
            return failed(connection, context, errno);
    }
}
