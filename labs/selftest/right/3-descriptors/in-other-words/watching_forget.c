void watching_forget(struct model *model, const struct file *file)
{
    for (struct file *set = model->files; set < model->files + OPEN_FILES; set++) {
        if (set->kind != FILE_EPOLL)
            continue;
        for (size_t i = set->interest_count; i-- > 0;)
            if (set->interests[i].file == file)
                (void)watching_delete(set, set->interests[i].file, set->interests[i].number);
    }
}
