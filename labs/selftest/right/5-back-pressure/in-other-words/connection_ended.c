void connection_ended(struct connection *connection)
{
    uint32_t unfinished = connection->buffer.end - connection->buffer.start - connection->output;
    enum close_reason reason = unfinished == 0 ? CLOSE_end : CLOSE_truncated;

    if (connection->state == CONNECTION_OPEN)
        stop_taking_frames(connection, reason);
    connection->input = INPUT_OVER;
}
