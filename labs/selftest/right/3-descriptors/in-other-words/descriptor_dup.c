int descriptor_dup(struct process *process, int number)
{
    if (descriptor_file(process, number) == NULL)
        return -EBADF;
    int copy = descriptor_lowest(process);
    if (copy >= 0) {
        struct descriptor *new = &process->descriptors[copy];
        new->file = process->descriptors[number].file;
        new->close_on_exec = false;
        new->file->references += 1;
    }
    return copy;
}
