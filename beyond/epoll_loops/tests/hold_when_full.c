/* Preloaded: the first accept4(2) that fails with EMFILE returns when nobody else has the file
 * $HOLD locked. The link "$HOLD.by" says which thread is held. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static const char *name;
static int locked;

/* Opened at the start: later there is no descriptor. */
__attribute__((constructor)) static void prepare(void)
{
    name = getenv("HOLD");
    if (name == NULL || (locked = open(name, O_RDWR | O_CLOEXEC)) < 0)
        abort();
}

static void hold(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[4096], thread[32];

    (void)snprintf(path, sizeof path, "%s.by", name);
    (void)snprintf(thread, sizeof thread, "%d", (int)gettid());
    if (symlink(thread, path) < 0 || fcntl(locked, F_SETLKW, &lock) < 0)
        abort();
}

int accept4(int fd, struct sockaddr *address, socklen_t *size, int flags)
{
    static int (*_Atomic real)(int, struct sockaddr *, socklen_t *, int);
    static atomic_flag was_held = ATOMIC_FLAG_INIT;

    if (real == NULL)
        real = (int (*)(int, struct sockaddr *, socklen_t *, int))dlsym(RTLD_NEXT, "accept4");
    int result = real(fd, address, size, flags);
    int number = errno;
    if (result < 0 && number == EMFILE && !atomic_flag_test_and_set(&was_held))
        hold();
    errno = number;
    return result;
}
