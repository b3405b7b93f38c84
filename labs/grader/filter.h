/* Which system calls a program that nobody trusts may make. */
#ifndef GRADER_FILTER_H
#define GRADER_FILTER_H

/* For this process and its children, for good (seccomp(2)); it needs no_new_privs. What is
 * refused fails with an error, the same with and without a tracer. "server": all but what would
 * change or look into other processes, the kernel or the namespaces, keep memory that no limit
 * counts, or (io_uring) work unseen by strace(1). "program": besides, no process, descriptor or
 * socket can be made, so that whoever predicts what a call does cannot ask the kernel. Returns
 * 0, or -1 with errno set. */
int filter_install(const char *name);

#endif
