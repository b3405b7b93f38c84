/* Descriptors: numbers of one process, each of which leads to an open file. */
#include "model.h"

#include <errno.h>

struct file *descriptor_file(const struct process *process, int number)
{
    return number < 0 || number >= NUMBERS ? NULL : process->descriptors[number].file;
}

/* POSIX promises the lowest free number. A server that closes a descriptor too early meets it
 * again: the next peer gets the same number. */
int descriptor_lowest(const struct process *process)
{
    for (int number = 0; number < NUMBERS; number++)
        if (process->descriptors[number].file == NULL)
            return number;
    return -EMFILE;
}

int descriptor_install(struct process *process, struct file *file)
{
    int number = descriptor_lowest(process);

    if (number < 0)
        return number;
    process->descriptors[number] = (struct descriptor){.file = file};
    file->references++;
    return number;
}

/* dup(2): another number for the same open file. FD_CLOEXEC belongs to the number, and the new one
 * begins without it. */
int descriptor_dup(struct process *process, int number)
{
    struct file *file = descriptor_file(process, number);

    return file == NULL ? -EBADF : descriptor_install(process, file);
}

/* dup2(2): the new number is chosen, and what it led to before is closed. If both are the same
 * number, nothing happens: its FD_CLOEXEC stays, too. */
int descriptor_dup2(struct model *model, struct process *process, int from, int into)
{
    struct file *file = descriptor_file(process, from);

    if (file == NULL || into < 0 || into >= NUMBERS)
        return -EBADF;
    if (from == into)
        return into;
    file->references++;
    (void)descriptor_close(model, process, into);
    process->descriptors[into] = (struct descriptor){.file = file};
    return into;
}

/* close(2) frees the number. The open file goes with its last descriptor only. */
int descriptor_close(struct model *model, struct process *process, int number)
{
    struct file *file = descriptor_file(process, number);

    if (file == NULL)
        return -EBADF;
    process->descriptors[number] = (struct descriptor){0};
    file_release(model, file);
    return 0;
}

/* fork(2) copies the numbers with their FD_CLOEXEC, and shares the open files. */
void descriptor_fork(const struct process *parent, struct process *child)
{
    *child = *parent;
    for (int number = 0; number < NUMBERS; number++)
        if (child->descriptors[number].file != NULL)
            child->descriptors[number].file->references++;
}

/* execve(2) closes the descriptors that have FD_CLOEXEC, and keeps the others. */
void descriptor_exec(struct model *model, struct process *process)
{
    for (int number = 0; number < NUMBERS; number++)
        if (process->descriptors[number].close_on_exec)
            (void)descriptor_close(model, process, number);
}

int descriptor_set_nonblocking(struct process *process, int number, bool on)
{
    struct file *file = descriptor_file(process, number);

    if (file == NULL)
        return -EBADF;
    file->nonblocking = on; /* every descriptor that leads to it has the flag from now on */
    return 0;
}

int descriptor_set_close_on_exec(struct process *process, int number, bool on)
{
    if (descriptor_file(process, number) == NULL)
        return -EBADF;
    process->descriptors[number].close_on_exec = on;
    return 0;
}
