/* What the kernel knows of processes, descriptors, open files and epoll sets, as a model.
 *
 *     process            open file                pipe
 *     0 1 2  3 ----.                        .---> bytes
 *            4 -----+--> references, flags -'     its two open files
 *            5 ----'
 *
 * A descriptor is a number in one process, and leads to an open file. Several descriptors may lead
 * to the same one: after dup(2), and after fork(2) in another process, too. What belongs to the
 * number and what belongs to the open file is the subject of this lab. */
#ifndef LAB_MODEL_H
#define LAB_MODEL_H

#include <stdbool.h>
#include <stddef.h>

enum {
    NUMBERS = 32,   /* descriptors a process */
    PROCESSES = 4,  /* at once; the first is 0 */
    INTERESTS = 32, /* entries of one epoll set */
    OPEN_FILES = 64,
};

/* Bits of what is ready, and of what an entry of an epoll set asks for. */
enum {
    READY_IN = 1,
    READY_OUT = 2,
    READY_HUP = 4, /* this and the next are reported although nobody asks for them */
    READY_ERR = 8,
};

enum file_kind { FILE_FREE, FILE_NULL, FILE_READ_END, FILE_WRITE_END, FILE_EPOLL };

struct file;

/* What epoll_ctl(2) has put into a set. */
struct interest {
    struct file *file;
    int number;      /* the descriptor, as it was called when it was added */
    unsigned events; /* READY_IN, READY_OUT or both */
    bool edge;       /* EPOLLET */
    bool listed;     /* stands on the list of the set: the next wait looks at it */
};

/* An open file: what open(2), pipe(2) or epoll_create1(2) makes ("open file description" in the
 * manual pages). */
struct file {
    enum file_kind kind;
    unsigned references; /* how many descriptors lead to it, in all processes */
    bool nonblocking;    /* O_NONBLOCK */
    struct file *other;  /* of a pipe: its other end, or NULL when that is closed for good */
    size_t bytes;        /* of a pipe, kept at its read end: how many wait in it */
    struct interest interests[INTERESTS]; /* of an epoll set */
    size_t interest_count;
};

struct descriptor {
    struct file *file; /* NULL: the number is free */
    bool close_on_exec;
};

struct process {
    bool alive;
    struct descriptor descriptors[NUMBERS];
};

struct model {
    struct process processes[PROCESSES];
    struct file files[OPEN_FILES];
};

/* -- files.c: open files ------------------------------------------------------------------- */

/* An open file without a reference. NULL when the model has no more. */
struct file *file_new(struct model *model, enum file_kind kind);

/* What is ready now: of a pipe that is never full, of /dev/null, of an epoll set nothing. */
unsigned file_readiness(const struct file *file);

/* One descriptor less leads to it. With the last one it is gone: epoll forgets it, and those who
 * watch the other end of a pipe are told. */
void file_release(struct model *model, struct file *file);

/* -- descriptors.c ------------------------------------------------------------------------- */

/* All of these return a number, or an errno as a negative number: -EBADF. */

/* The file of an open descriptor, or NULL. Any number may be asked for. */
struct file *descriptor_file(const struct process *process, int number);

/* The number that open(2), pipe(2), dup(2) and accept(2) would give: -EMFILE when none is free. */
int descriptor_lowest(const struct process *process);

/* A new descriptor for the file, with the lowest number. */
int descriptor_install(struct process *process, struct file *file);

int descriptor_dup(struct process *process, int number);                               /* dup(2) */
int descriptor_dup2(struct model *model, struct process *process, int from, int into); /* dup2(2) */
int descriptor_close(struct model *model, struct process *process, int number); /* close(2) */

/* fork(2): the child has the descriptors that the parent has. */
void descriptor_fork(const struct process *parent, struct process *child);

/* execve(2): the process goes on with another program. */
void descriptor_exec(struct model *model, struct process *process);

/* fcntl(2): F_SETFL with O_NONBLOCK, and F_SETFD with FD_CLOEXEC, on or off. */
int descriptor_set_nonblocking(struct process *process, int number, bool on);
int descriptor_set_close_on_exec(struct process *process, int number, bool on);

/* -- watching.c: epoll(7) ------------------------------------------------------------------ */

/* The entry of an epoll set for this descriptor, or NULL. */
struct interest *watching_find(struct file *epoll, const struct file *file, int number);

/* EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL. The file is that of the number. */
int watching_add(struct file *epoll, struct file *file, int number, unsigned events, bool edge);
int watching_change(struct file *epoll, struct file *file, int number, unsigned events, bool edge);
int watching_delete(struct file *epoll, struct file *file, int number);

/* Something has happened to the file: every entry for it, in every set, that asks for one of the
 * events goes on the list of its set. READY_HUP and READY_ERR are asked for always. */
void watching_event(struct model *model, const struct file *file, unsigned events);

/* The file is gone: so are its entries, in every set. */
void watching_forget(struct model *model, const struct file *file);

/* epoll_wait(2) with a timeout of 0. Calls report for each event, in the order of the entries. */
void watching_wait(struct file *epoll, void (*report)(int number, unsigned ready));

#endif
