static void update_pause(struct connection *connection, struct context *context)
{
    const struct options *marks = context->options;

    switch (connection->input) {
    case INPUT_WANTED:
        if (connection->output < marks->high_water)
            break;
        context->stats->pauses += 1;
        connection->input = INPUT_PAUSED;
        break;
    case INPUT_PAUSED:
        if (connection->output <= marks->low_water)
            connection->input = INPUT_WANTED;
        break;
    default:
        break;
    }
}
