#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* O_NONBLOCK: a FIFO without a writer would stop the server in open(2) (fifo(7)). A regular file
 * does not know the flag: reading it may wait for the disk. */
#define FLAGS (O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)

/* The kernel answers EAGAIN when something was renamed while it looked at a "..". */
enum { ATTEMPTS = 8 };

/* One step of open_by_steps(): the next name of the path. "is_last": the file itself. */
static int open_step(int at, const char *path, size_t length, bool is_last)
{
    char name[NAME_MAX + 1];
    int fd;

    if (length >= sizeof name || (length == 2 && memcmp(path, "..", 2) == 0)) {
        errno = ENOENT;
        return -1;
    }
    memcpy(name, path, length);
    name[length] = '\0';
    do {
        fd = openat(at, name,
                    is_last ? FLAGS | O_NOFOLLOW : O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

/* Without openat2: one name at a time, and none may be a symbolic link. So this refuses a link that
 * stays below the directory as well: where it leads could change between a check and the open. */
static int open_by_steps(int root, const char *path)
{
    int at = root;

    for (;;) {
        size_t length = strcspn(path, "/");
        bool is_last = path[length] == '\0';
        int fd = open_step(at, path, length, is_last);
        int number = errno;
        if (at != root)
            (void)close(at);
        errno = number;
        if (fd < 0 || is_last)
            return fd;
        at = fd;
        path += length + strspn(path + length, "/");
    }
}

/* openat2(2), Linux 5.6: the kernel itself keeps the whole walk below `root`, links included. To
 * compare the name with "..", or the result of realpath(3) with the root, is no replacement: a
 * link can be changed between that and the open. glibc has no function for this call.
 * EPERM: a sandbox that does not know the call refuses it so. */
static int open_beneath(int root, const char *path)
{
    struct open_how how = {
        .flags = FLAGS,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };
    long fd = -1;

    for (int i = 0; i < ATTEMPTS; i++) {
        fd = syscall(SYS_openat2, root, path, &how, sizeof how);
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return open_by_steps(root, path);
    return (int)fd;
}

/* EXDEV, a path that leaves the directory, is 404 like a name that is not there: whoever asks does
 * not learn what is outside. */
static int status_of(int number)
{
    switch (number) {
    case EACCES:
    case EPERM:
        return 403;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
    case EINTR:
        return 503;
    case EIO:
        return 500;
    default:
        return 404;
    }
}

static const char *type_of(const char *path)
{
    static const struct {
        const char *end, *type;
    } types[] = {
        {".html", "text/html; charset=utf-8"},
        {".txt", "text/plain; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".json", "application/json"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcasecmp(dot, types[i].end) == 0)
            return types[i].type;
    return "application/octet-stream";
}

/* fstat(2) on what was opened, not stat(2) on the name: the name may mean another file by now. */
static int look_at(struct file *file)
{
    struct stat about;
    int status = 404;

    if (fstat(file->fd, &about) < 0) {
        status = status_of(errno);
    } else if (S_ISREG(about.st_mode)) {
        file->size = about.st_size;
        return 0;
    }
    (void)close(file->fd);
    return status;
}

int files_open(struct file *file, int root, const char *path)
{
    char name[PATH_MAX];

    if (root < 0 || path[0] != '/')
        return 404;
    path += strspn(path, "/"); /* what is left is relative: "//etc/passwd" is no absolute path */
    bool is_directory = path[0] == '\0' || path[strlen(path) - 1] == '/';
    int length = snprintf(name, sizeof name, "%s%s", path, is_directory ? "index.html" : "");
    if (length >= (int)sizeof name)
        return 404;
    file->type = type_of(name);
    file->fd = open_beneath(root, name);
    return file->fd < 0 ? status_of(errno) : look_at(file);
}
