void watching_wait(struct file *epoll, void (*report)(int number, unsigned ready))
{
    for (size_t i = 0; i < epoll->interest_count; i++) {
        struct interest *each = &epoll->interests[i];
        if (!each->listed)
            continue;
        unsigned asked = each->events | READY_HUP | READY_ERR;
        unsigned ready = file_readiness(each->file) & asked;
        each->listed = false;
        if (ready != 0) {
            report(each->number, ready);
            each->listed = !each->edge;
        }
    }
}
