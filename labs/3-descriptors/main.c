/* Predicts what the kernel answers to operations on descriptors.
 *
 * Standard input has frames of your protocol. The payload of each, after frame_scan() has made the
 * reply of it, is one line: the number of a process, an operation, and what it works on. Standard
 * output gets one line for each: the answer.
 *
 *     0 open                3             the new descriptor leads to /dev/null
 *     0 pipe                4 5           read end, write end
 *     0 dup 4               6
 *     0 dup2 4 7            7
 *     0 close 4             0
 *     0 fork                1             the number of the new process: the lowest that is free
 *     1 exec                0
 *     1 exit                0
 *     0 write 5 100         100
 *     0 read 6 64           64                or "blocks": the call would wait
 *     0 nonblock 6 on       0             F_SETFL, O_NONBLOCK
 *     0 cloexec 6 on        0             F_SETFD, FD_CLOEXEC
 *     0 flags 6             nonblock cloexec
 *     0 epoll               4
 *     0 add 4 6 in edge     0
 *     0 mod 4 6 in+out      0
 *     0 del 4 6             0
 *     0 wait 4              6:in+hup 7:out    or "none": nothing is ready
 *
 * A call that fails has the name of its error as the answer: EBADF. */
#include "../../common/frame.h"
#include "model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    INPUT_BYTES = 64 * 1024,
    WORDS = 6,
    LINE_BYTES = 128,
    FRAME_BYTES = 160,
    MOST_EVENTS = INTERESTS
};

static struct model model;

/* What a wait has reported. */
static struct event {
    int number;
    unsigned ready;
} events[MOST_EVENTS];
static size_t event_count;

static const char *error_name(int number)
{
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {EBADF, "EBADF"},   {EMFILE, "EMFILE"}, {EEXIST, "EEXIST"},
        {ENOENT, "ENOENT"}, {EPERM, "EPERM"},   {EINVAL, "EINVAL"},
        {EAGAIN, "EAGAIN"}, {EPIPE, "EPIPE"},   {ENOSPC, "ENOSPC"},
    };

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].number == number)
            return names[i].name;
    return "another error";
}

static void answer(int result)
{
    if (result < 0)
        (void)puts(error_name(-result));
    else
        (void)printf("%d\n", result);
}

/* Takes what is after "in", "out", "in+out"; anything else is nothing. */
static unsigned events_of(const char *word)
{
    return (strstr(word, "in") != NULL ? READY_IN : 0U) |
           (strstr(word, "out") != NULL ? READY_OUT : 0U);
}

static const char *ready_text(unsigned ready, char text[LINE_BYTES])
{
    static const char *const names[] = {"in", "out", "hup", "err"};

    text[0] = '\0';
    for (unsigned bit = 0; bit < 4; bit++)
        if (ready & 1U << bit)
            (void)strcat(strcat(text, text[0] != '\0' ? "+" : ""), names[bit]);
    return text;
}

/* -- operations on files -------------------------------------------------------------------- */

static int open_null(struct process *process)
{
    struct file *file = file_new(&model, FILE_NULL);

    return file == NULL ? -ENFILE : descriptor_install(process, file);
}

static int open_epoll(struct process *process)
{
    struct file *file = file_new(&model, FILE_EPOLL);

    return file == NULL ? -ENFILE : descriptor_install(process, file);
}

static void open_pipe(struct process *process)
{
    struct file *reading = file_new(&model, FILE_READ_END);
    struct file *writing = file_new(&model, FILE_WRITE_END);

    if (reading == NULL || writing == NULL) {
        (void)puts("no more open files in this model");
        return;
    }
    reading->other = writing;
    writing->other = reading;
    int first = descriptor_install(process, reading);
    int second = first < 0 ? first : descriptor_install(process, writing);
    if (first >= 0 && second < 0)
        (void)descriptor_close(&model, process, first);
    if (second < 0)
        answer(second);
    else
        (void)printf("%d %d\n", first, second);
}

/* Nobody in this model fills a pipe: that takes 64 KiB. */
static int write_to(struct process *process, int number, int count)
{
    struct file *file = descriptor_file(process, number);

    if (file == NULL || file->kind == FILE_READ_END)
        return -EBADF;
    if (file->kind == FILE_EPOLL)
        return -EINVAL;
    if (file->kind == FILE_NULL)
        return count;
    if (file->other == NULL)
        return -EPIPE;
    file->other->bytes += (size_t)count;
    watching_event(&model, file->other, READY_IN);
    return count;
}

static void read_from(struct process *process, int number, int count)
{
    struct file *file = descriptor_file(process, number);

    if (file == NULL || file->kind == FILE_WRITE_END) {
        answer(-EBADF);
    } else if (file->kind == FILE_EPOLL) {
        answer(-EINVAL);
    } else if (file->kind == FILE_NULL || (file->bytes == 0 && file->other == NULL)) {
        answer(0);
    } else if (file->bytes > 0) {
        int taken = (size_t)count < file->bytes ? count : (int)file->bytes;
        file->bytes -= (size_t)taken;
        answer(taken);
    } else if (file->nonblocking) {
        answer(-EAGAIN);
    } else {
        (void)puts("blocks");
    }
}

static void print_flags(struct process *process, int number)
{
    struct file *file = descriptor_file(process, number);

    if (file == NULL) {
        answer(-EBADF);
        return;
    }
    bool closes = process->descriptors[number].close_on_exec;
    if (file->nonblocking && closes)
        (void)puts("nonblock cloexec");
    else if (file->nonblocking)
        (void)puts("nonblock");
    else
        (void)puts(closes ? "cloexec" : "none");
}

/* -- operations on processes ------------------------------------------------------------------ */

static int fork_process(const struct process *parent)
{
    for (int i = 0; i < PROCESSES; i++)
        if (!model.processes[i].alive) {
            descriptor_fork(parent, &model.processes[i]);
            model.processes[i].alive = true;
            return i;
        }
    return -EAGAIN;
}

/* The kernel closes what a process that ends has left open. */
static int exit_process(struct process *process)
{
    for (int number = 0; number < NUMBERS; number++)
        (void)descriptor_close(&model, process, number);
    return 0;
}

/* -- operations on epoll sets ------------------------------------------------------------------ */

/* The checks that epoll_ctl(2) makes before it looks at the set, in the kernel's order. A file that
 * cannot say whether it is ready, such as /dev/null, cannot be watched. */
static int control(struct process *process, const char *what, int set, int number, const char *word,
                   bool edge)
{
    struct file *epoll = descriptor_file(process, set);
    struct file *file = descriptor_file(process, number);

    if (epoll == NULL || file == NULL)
        return -EBADF;
    if (file->kind == FILE_NULL)
        return -EPERM;
    if (epoll->kind != FILE_EPOLL || file->kind == FILE_EPOLL)
        return -EINVAL;
    if (strcmp(what, "add") == 0)
        return watching_add(epoll, file, number, events_of(word), edge);
    if (strcmp(what, "mod") == 0)
        return watching_change(epoll, file, number, events_of(word), edge);
    return watching_delete(epoll, file, number);
}

static void collect(int number, unsigned ready)
{
    if (event_count < MOST_EVENTS)
        events[event_count++] = (struct event){number, ready};
}

static int compare(const void *one, const void *other)
{
    const struct event *first = one, *second = other;

    if (first->number != second->number)
        return first->number < second->number ? -1 : 1;
    return (first->ready > second->ready) - (first->ready < second->ready);
}

/* In the order of their numbers: the kernel's own order is that of its list. */
static void wait_for(struct process *process, int set)
{
    struct file *epoll = descriptor_file(process, set);
    char text[LINE_BYTES];

    if (epoll == NULL || epoll->kind != FILE_EPOLL) {
        answer(epoll == NULL ? -EBADF : -EINVAL);
        return;
    }
    event_count = 0;
    watching_wait(epoll, collect);
    qsort(events, event_count, sizeof events[0], compare);
    for (size_t i = 0; i < event_count; i++)
        (void)printf("%s%d:%s", i > 0 ? " " : "", events[i].number,
                     ready_text(events[i].ready, text));
    (void)puts(event_count == 0 ? "none" : "");
}

/* -- one line ------------------------------------------------------------------------------- */

static bool on_descriptors(struct process *process, char *const words[WORDS])
{
    const char *what = words[1];
    int first = atoi(words[2]), second = atoi(words[3]);
    bool on = strcmp(words[3], "on") == 0;

    if (strcmp(what, "open") == 0)
        answer(open_null(process));
    else if (strcmp(what, "pipe") == 0)
        open_pipe(process);
    else if (strcmp(what, "dup") == 0)
        answer(descriptor_dup(process, first));
    else if (strcmp(what, "dup2") == 0)
        answer(descriptor_dup2(&model, process, first, second));
    else if (strcmp(what, "close") == 0)
        answer(descriptor_close(&model, process, first));
    else if (strcmp(what, "write") == 0)
        answer(write_to(process, first, second));
    else if (strcmp(what, "read") == 0)
        read_from(process, first, second);
    else if (strcmp(what, "nonblock") == 0)
        answer(descriptor_set_nonblocking(process, first, on));
    else if (strcmp(what, "cloexec") == 0)
        answer(descriptor_set_close_on_exec(process, first, on));
    else if (strcmp(what, "flags") == 0)
        print_flags(process, first);
    else
        return false;
    return true;
}

static bool on_processes_and_sets(struct process *process, char *const words[WORDS])
{
    const char *what = words[1];
    int first = atoi(words[2]), second = atoi(words[3]);

    if (strcmp(what, "fork") == 0) {
        answer(fork_process(process));
    } else if (strcmp(what, "exec") == 0) {
        descriptor_exec(&model, process);
        answer(0);
    } else if (strcmp(what, "exit") == 0) {
        answer(exit_process(process));
        process->alive = false;
    } else if (strcmp(what, "epoll") == 0) {
        answer(open_epoll(process));
    } else if (strcmp(what, "add") == 0 || strcmp(what, "mod") == 0 || strcmp(what, "del") == 0) {
        answer(control(process, what, first, second, words[4], strcmp(words[5], "edge") == 0));
    } else if (strcmp(what, "wait") == 0) {
        wait_for(process, first);
    } else {
        return false;
    }
    return true;
}

static void operate(char *line)
{
    static char none[] = "";
    char *words[WORDS] = {none, none, none, none, none, none};
    char *rest = line;

    for (int i = 0; i < WORDS; i++)
        if ((words[i] = strtok_r(rest, " ", &rest)) == NULL)
            words[i] = none;
    int number = atoi(words[0]);
    if (number < 0 || number >= PROCESSES || !model.processes[number].alive)
        (void)puts("no such process");
    else if (!on_descriptors(&model.processes[number], words) &&
             !on_processes_and_sets(&model.processes[number], words))
        (void)puts("no such operation");
}

/* Descriptors 0, 1 and 2 are there from the start, and lead to /dev/null. */
static void begin(void)
{
    struct process *first = &model.processes[0];

    first->alive = true;
    for (int i = 0; i < 3; i++)
        first->descriptors[i].file = file_new(&model, FILE_NULL);
    for (int i = 0; i < 3; i++)
        first->descriptors[i].file->references = 1;
}

/* All that comes until the end of the input, or as much as there is room for. */
static size_t read_input(uint8_t *bytes)
{
    size_t size = 0;
    ssize_t count;

    while ((count = read(STDIN_FILENO, bytes + size, INPUT_BYTES - size)) > 0)
        size += (size_t)count;
    return size;
}

/* Takes one frame: more and more bytes, until frame_scan() finds that it is whole, or refuses it.
 * Returns how many bytes it has, 0 when there is none. */
static size_t take_frame(uint8_t *bytes, size_t size)
{
    size_t most = size < FRAME_BYTES ? size : FRAME_BYTES;

    for (size_t count = 1; count <= most; count++) {
        const struct frame_scan scan = frame_scan(bytes, count, LINE_BYTES);
        if (scan.oversize)
            (void)puts("refused");
        if (scan.oversize || scan.whole > 0)
            return scan.whole < count ? scan.whole : count;
    }
    return 0;
}

/* The line stands behind the number, and ends with '\n'. What may follow it is the check byte. */
static void operate_frame(const uint8_t *frame, size_t size)
{
    char line[LINE_BYTES] = "";

    for (size_t i = FRAME_HEADER_BYTES; i < size && i < LINE_BYTES && frame[i] != '\n'; i++)
        line[i - FRAME_HEADER_BYTES] = (char)frame[i];
    operate(line);
}

int main(void)
{
    static uint8_t bytes[INPUT_BYTES];
    size_t size = read_input(bytes);
    size_t at = 0, taken;

    begin();
    while ((taken = take_frame(bytes + at, size - at)) > 0) {
        operate_frame(bytes + at, taken);
        at += taken;
    }
    return fflush(stdout) == 0 ? 0 : 1;
}
