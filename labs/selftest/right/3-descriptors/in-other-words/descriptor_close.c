int descriptor_close(struct model *model, struct process *process, int number)
{
    struct file *file = descriptor_file(process, number);

    if (file != NULL) {
        process->descriptors[number].file = NULL;
        process->descriptors[number].close_on_exec = false;
        file_release(model, file);
    }
    return file != NULL ? 0 : -EBADF;
}
