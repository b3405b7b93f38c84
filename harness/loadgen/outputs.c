#include "outputs.h"

#include "../../common/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const options[OUTPUT_KINDS] = {"--json", "--hgrm", "--csv", "the table"};

static const char *name_of(const struct output *output)
{
    return output->path == NULL ? "standard output" : output->path;
}

/* O_NONBLOCK: opening a FIFO without a reader fails instead of waiting for one (fifo(7)). Writes
 * may wait for the reader. */
static int open_path(struct output *output)
{
    const int flags = O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;

    output->fd = open(output->path, flags);
    if (output->fd < 0 && errno == ENOENT) {
        output->fd = open(output->path, flags | O_CREAT | O_EXCL, 0666);
        output->created = output->fd >= 0;
        if (output->fd < 0 && errno == EEXIST) /* a symbolic link whose target is not there yet */
            output->fd = open(output->path, flags | O_CREAT, 0666);
    }
    int now = output->fd < 0 ? -1 : fcntl(output->fd, F_GETFL);
    return now < 0 ? -1 : fcntl(output->fd, F_SETFL, now & ~O_NONBLOCK);
}

/* Standard output is used as it is. One that was closed has become /dev/null, open for reading. */
static int open_standard(struct output *output)
{
    int flags = fcntl(STDOUT_FILENO, F_GETFL);

    if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY) {
        errno = EBADF;
        return -1;
    }
    output->fd = flags < 0 ? -1 : STDOUT_FILENO;
    return flags < 0 ? -1 : 0;
}

static int open_one(struct output *output, const char *path, struct error *error)
{
    struct stat status;

    output->path = strcmp(path, "-") == 0 ? NULL : path;
    if (output->path == NULL && open_standard(output) < 0)
        return error_set(error, "write", "standard output", errno);
    if (output->path != NULL && open_path(output) < 0)
        return error_set(error, errno == ENXIO ? "open (nobody reads it)" : "open",
                         path[0] == '\0' ? "''" : path, errno);
    output->regular = fstat(output->fd, &status) == 0 && S_ISREG(status.st_mode);
    return 0;
}

/* Two formats in one file would overwrite each other. In one pipe they would stand one behind the
 * other, where a reader expects one. A terminal and /dev/null take any number. */
static int refuse_same(const struct outputs *outputs, int kind, struct error *error)
{
    const struct output *output = &outputs->output[kind];
    struct stat ours;
    struct stat other;

    for (int i = 0; i < OUTPUT_KINDS && fstat(output->fd, &ours) == 0; i++) {
        if (i == kind || S_ISCHR(ours.st_mode) || outputs->output[i].fd < 0 ||
            fstat(outputs->output[i].fd, &other) < 0 || ours.st_dev != other.st_dev ||
            ours.st_ino != other.st_ino)
            continue;
        (void)snprintf(error->text, sizeof error->text, "%s %s: %s goes to the same file",
                       options[kind], name_of(output), options[i]);
        return -1;
    }
    return 0;
}

int outputs_open(struct outputs *outputs, const struct load *load, struct error *error)
{
    const char *paths[OUTPUT_KINDS] = {load->json_path, load->hgrm_path, load->csv_path, NULL};
    bool taken = load->quiet;

    for (int kind = 0; kind < OUTPUT_KINDS; kind++) {
        outputs->output[kind] = (struct output){.fd = -1};
        taken |= paths[kind] != NULL && strcmp(paths[kind], "-") == 0;
    }
    if (!taken)
        paths[OUTPUT_TABLE] = "-";
    for (int kind = 0; kind < OUTPUT_KINDS; kind++)
        if (paths[kind] != NULL && (open_one(&outputs->output[kind], paths[kind], error) < 0 ||
                                    refuse_same(outputs, kind, error) < 0))
            return -1;
    return 0;
}

FILE *outputs_page(struct outputs *outputs, enum output_kind kind)
{
    struct output *output = &outputs->output[kind];

    if (output->fd >= 0)
        output->page = open_memstream(&output->text, &output->size);
    return output->page;
}

void outputs_end_page(struct outputs *outputs, enum output_kind kind, int result)
{
    struct output *output = &outputs->output[kind];

    if (fclose(output->page) != 0 || result < 0) {
        free(output->text);
        output->text = NULL;
    }
    output->page = NULL;
}

/* Repeats what a signal has ended. Waits where the descriptor is one that does not wait by itself:
 * a parent may have left standard output so. */
static int write_text(const struct output *output)
{
    struct pollfd room = {.fd = output->fd, .events = POLLOUT};
    size_t written = 0;

    if (output->path != NULL && output->regular && ftruncate(output->fd, 0) < 0)
        return -1;
    while (written < output->size) {
        ssize_t count = write(output->fd, output->text + written, output->size - written);
        if (count >= 0)
            written += (size_t)count;
        else if (errno == EAGAIN || errno == EWOULDBLOCK)
            (void)poll(&room, 1, -1);
        else if (errno != EINTR)
            return -1;
    }
    return 0;
}

/* A file that somebody has removed during the run has no name any more: what is written to it would
 * be lost. So it is made again. Returns 0, or -1 with errno set. */
static int renew(struct output *output)
{
    struct stat status;

    if (output->path == NULL || !output->regular || fstat(output->fd, &status) < 0 ||
        status.st_nlink > 0)
        return 0;
    (void)close(output->fd);
    return open_path(output);
}

/* Returns 0, or -1 with errno set. */
static int deliver(struct output *output)
{
    if (output->text == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int result = renew(output) < 0 ? -1 : write_text(output);
    output->created = false; /* what could be written stays */
    if (output->path == NULL)
        return result;
    int number = errno;
    int closed = close(output->fd);
    output->fd = -1;
    if (result < 0)
        errno = number;
    return result < 0 ? result : closed;
}

/* Regular files come first: no reader can make them wait. */
int outputs_deliver(struct outputs *outputs)
{
    int result = 0;

    for (int pass = 0; pass < 2; pass++)
        for (int kind = 0; kind < OUTPUT_KINDS; kind++) {
            struct output *output = &outputs->output[kind];
            if (output->fd < 0 || output->regular != (pass == 0) || deliver(output) == 0)
                continue;
            error_print("write %s: %s", name_of(output), strerror(errno));
            result = -1;
        }
    return result;
}

void outputs_close(struct outputs *outputs)
{
    for (int kind = 0; kind < OUTPUT_KINDS; kind++) {
        struct output *output = &outputs->output[kind];
        if (output->page != NULL)
            (void)fclose(output->page);
        free(output->text);
        if (output->path != NULL && output->fd >= 0)
            (void)close(output->fd);
        if (output->path != NULL && output->created)
            (void)unlink(output->path);
        *output = (struct output){.fd = -1};
    }
}
