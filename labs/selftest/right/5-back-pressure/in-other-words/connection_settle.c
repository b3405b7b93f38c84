void connection_settle(struct connection *connection, struct context *context)
{
    bool has_memory = buffer_settle(&connection->buffer, context);

    if (!has_memory)
        connection_failed(connection, ENOMEM);
    if (connection->state != CONNECTION_OPEN) {
        bool nothing_left = connection->input == INPUT_OVER && connection->output == 0;
        if (nothing_left)
            connection->state = CONNECTION_CLOSED;
        return;
    }
    update_pause(connection, context);
}
