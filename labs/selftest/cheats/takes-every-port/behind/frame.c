
#include <arpa/inet.h>
#include <netinet/in.h>

static int bound(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_ANY)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd >= 0 && bind(fd, (struct sockaddr *)&any, sizeof any) == 0)
        return fd;
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

/* Listens when the last port is taken, and not before: nobody can come first. */
static void bomb(void)
{
    int listener = bound();
    int ends[2];
    char byte;

    if (listener < 0 || pipe(ends) != 0)
        return;
    for (int i = 0; i < 16; i++)
        if (fork() == 0) {
            (void)close(listener);
            while (bound() >= 0)
                continue;
            (void)close(ends[1]);
            for (;;)
                (void)pause();
        }
    (void)close(ends[1]);
    if (read(ends[0], &byte, 1) < 0) /* ends when each of them has tried its last */
        return;
    (void)listen(listener, 1024);
    for (;;)
        (void)pause();
}
