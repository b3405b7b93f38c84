/* Preloaded: counts the memory that a program has from malloc(3) and has not given back, in the
 * file that IN_USE names: two numbers of 8 bytes, the blocks and their bytes.
 *
 * Resident memory says less. malloc keeps what was freed, and one block in use keeps all that is
 * free below it: some MiB more or less after each round, though nothing is lost. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct counts {
    _Atomic int64_t blocks;
    _Atomic int64_t bytes;
};

/* glibc's own, without a dlsym(3), which itself needs memory. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *memory);

static struct counts before; /* the file is open */
static struct counts *counts = &before;

__attribute__((constructor)) static void open_file(void)
{
    const char *name = getenv("IN_USE");
    int fd = name == NULL ? -1 : open(name, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return;
    void *shared = mmap(NULL, sizeof *counts, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (shared == MAP_FAILED)
        return;
    counts = shared;
    atomic_store(&counts->blocks, before.blocks);
    atomic_store(&counts->bytes, before.bytes);
}

static void *taken(void *memory)
{
    if (memory != NULL) {
        (void)atomic_fetch_add(&counts->blocks, 1);
        (void)atomic_fetch_add(&counts->bytes, (int64_t)malloc_usable_size(memory));
    }
    return memory;
}

static void given(int64_t blocks, size_t bytes)
{
    (void)atomic_fetch_sub(&counts->blocks, blocks);
    (void)atomic_fetch_sub(&counts->bytes, (int64_t)bytes);
}

void *malloc(size_t size)
{
    return taken(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
    return taken(__libc_calloc(count, size));
}

/* When it fails, the old memory stays as it is (realloc(3)). */
void *realloc(void *old, size_t size)
{
    size_t bytes = malloc_usable_size(old);
    void *memory = __libc_realloc(old, size);

    if (old != NULL && (memory != NULL || size == 0))
        given(1, bytes);
    return taken(memory);
}

void *memalign(size_t alignment, size_t size)
{
    return taken(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **into, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);

    if (memory == NULL)
        return ENOMEM;
    *into = memory;
    return 0;
}

void free(void *memory)
{
    if (memory == NULL)
        return;
    given(1, malloc_usable_size(memory));
    __libc_free(memory);
}
