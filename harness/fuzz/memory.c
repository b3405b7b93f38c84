/* Memory that runs out when the script says so. Each piece carries its size in front, so that a
 * growing one can be moved and what it leaves spoilt, with any allocator underneath. */
#include "memory.h"
#include "check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

union prefix {
    size_t size;
    max_align_t alignment;
};

struct heap heap;

static bool refuses(void)
{
    if (heap.fail_in == 0 || --heap.fail_in > 0)
        return false;
    heap.failed = true;
    errno = ENOMEM;
    return true;
}

static void *allocate(size_t size, int filling)
{
    union prefix *prefix = refuses() ? NULL : malloc(sizeof *prefix + size);

    if (prefix == NULL)
        return NULL;
    prefix->size = size;
    memset(prefix + 1, filling, size);
    heap.blocks++;
    return prefix + 1;
}

void *memory_malloc(size_t size)
{
    CHECK(size > 0, "malloc of nothing may return NULL");
    return allocate(size, 0xA5);
}

void *memory_calloc(size_t count, size_t size)
{
    return allocate(count * size, 0);
}

void *memory_realloc(void *address, size_t size)
{
    void *moved = allocate(size, 0xA5);

    if (moved == NULL)
        return NULL;
    size_t before = ((union prefix *)address - 1)->size;
    memcpy(moved, address, before < size ? before : size);
    memory_free(address);
    return moved;
}

void memory_free(void *address)
{
    if (address == NULL)
        return;
    union prefix *prefix = (union prefix *)address - 1;
    CHECK(heap.blocks > 0, "freed more than there was");
    heap.blocks--;
    memset(address, 0x5A, prefix->size);
    free(prefix);
}
