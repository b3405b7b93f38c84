#include "at_once.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

int print_at_once(FILE *stream, void (*print)(FILE *memory, const void *what), const void *what)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);

    if (memory == NULL)
        return -1;
    print(memory, what);
    bool whole = !ferror(memory);
    whole = fclose(memory) == 0 && whole;
    if (!whole || text == NULL) { /* glibc: no memory to end the stream with, and yet 0 */
        errno = ENOMEM;
        whole = false;
    }
    whole = whole && fwrite(text, 1, size, stream) == size && fflush(stream) == 0;
    free(text);
    return whole ? 0 : -1;
}
