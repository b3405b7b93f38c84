void descriptor_fork(const struct process *parent, struct process *child)
{
    for (int number = 0; number < NUMBERS; number++) {
        child->descriptors[number] = parent->descriptors[number];
        if (child->descriptors[number].file)
            ++child->descriptors[number].file->references;
    }
}
