void connection_fin_sent(struct connection *connection, const struct context *context)
{
    if (context->options->drain_timeout_ns > 0) {
        connection->state = CONNECTION_LINGERING;
        return;
    }
    connection_close(connection, (enum close_reason)connection->reason);
}
