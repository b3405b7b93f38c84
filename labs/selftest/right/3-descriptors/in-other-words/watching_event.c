void watching_event(struct model *model, const struct file *file, unsigned events)
{
    unsigned always = events & (READY_HUP | READY_ERR);

    for (struct file *set = model->files; set < model->files + OPEN_FILES; set++)
        for (size_t i = 0; set->kind == FILE_EPOLL && i < set->interest_count; i++)
            if (set->interests[i].file == file && (always || (events & set->interests[i].events)))
                set->interests[i].listed = true;
}
