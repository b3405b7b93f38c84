int descriptor_dup2(struct model *model, struct process *process, int from, int into)
{
    struct file *wanted = descriptor_file(process, from);

    if (wanted == NULL)
        return -EBADF;
    if (into >= NUMBERS || into < 0)
        return -EBADF;
    if (into != from) {
        struct file *before = process->descriptors[into].file;
        wanted->references++;
        process->descriptors[into].file = wanted;
        process->descriptors[into].close_on_exec = false;
        if (before != NULL)
            file_release(model, before);
    }
    return into;
}
