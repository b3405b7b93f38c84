void descriptor_exec(struct model *model, struct process *process)
{
    int number = NUMBERS;

    while (number-- > 0) {
        const struct descriptor *each = &process->descriptors[number];
        if (each->file != NULL && each->close_on_exec)
            (void)descriptor_close(model, process, number);
    }
}
