/* Preloaded: NO_MEMORY=CALL:LEAST:MOST:N makes the N-th malloc, calloc or realloc of LEAST to MOST
 * bytes, or the N-th open_memstream, fail with ENOMEM; with N of 0, all of them. By size, because
 * the C library asks for memory too, and what it asks for is not meant. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Answers for one that has no size. */
enum { NO_SIZE = 0 };

static char call[16];
static size_t least, most;
static unsigned long due, calls;

__attribute__((constructor)) static void read_wish(void)
{
    const char *text = getenv("NO_MEMORY");

    if (text == NULL || sscanf(text, "%15[a-z_]:%zu:%zu:%lu", call, &least, &most, &due) != 4)
        call[0] = '\0';
}

static bool fails(const char *name, size_t size)
{
    if (strcmp(name, call) != 0 || size < least || size > most)
        return false;
    calls++;
    if (due != 0 && calls != due)
        return false;
    errno = ENOMEM;
    return true;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

void *malloc(size_t size)
{
    static void *(*real)(size_t);

    if (real == NULL)
        *(void **)&real = next("malloc");
    return fails("malloc", size) ? NULL : real(size);
}

/* dlsym(3) may itself ask for zeroed memory, the first time: it does without. */
void *calloc(size_t count, size_t size)
{
    static void *(*real)(size_t, size_t);
    static bool asking;

    if (asking)
        return NULL;
    if (real == NULL) {
        asking = true;
        *(void **)&real = next("calloc");
        asking = false;
    }
    return fails("calloc", count * size) ? NULL : real(count, size);
}

void *realloc(void *old, size_t size)
{
    static void *(*real)(void *, size_t);

    if (real == NULL)
        *(void **)&real = next("realloc");
    return fails("realloc", size) ? NULL : real(old, size);
}

FILE *open_memstream(char **text, size_t *size)
{
    static FILE *(*real)(char **, size_t *);

    if (real == NULL)
        *(void **)&real = next("open_memstream");
    return fails("open_memstream", NO_SIZE) ? NULL : real(text, size);
}
