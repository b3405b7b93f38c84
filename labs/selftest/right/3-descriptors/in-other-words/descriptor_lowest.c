int descriptor_lowest(const struct process *process)
{
    int number = 0;

    while (number < NUMBERS && process->descriptors[number].file != NULL)
        number++;
    return number < NUMBERS ? number : -EMFILE;
}
