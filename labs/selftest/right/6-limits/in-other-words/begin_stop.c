static void begin_stop(struct loop *loop)
{
    struct connection_queue *open = &loop->connections.open;
    struct restart *restart = &loop->service.restart;

    loop->finishing = true;
    if (restart_under_way(restart)) {
        restart_abandon(restart);
        end_restart(loop);
    }
    restart->deadline_ns = NEVER;
    stop_accepting(loop);
    for (;;) {
        struct connection *first = TAILQ_FIRST(open);
        if (first == NULL)
            return;
        if (last_turn(loop, first)) {
            connection_finish(first, CLOSE_stop);
            loop_settle(loop, first);
        }
    }
}
