
#include <unistd.h>

__attribute__((constructor)) static void print_without_end(void)
{
    static const char word[] = "0\n";

    for (;;)
        if (write(STDOUT_FILENO, word, sizeof word - 1) < 0)
            (void)pause();
}
