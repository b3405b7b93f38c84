/* Memory that runs out when the script says so. */
#ifndef FUZZ_MEMORY_H
#define FUZZ_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct heap {
    size_t blocks;  /* pieces that are held */
    size_t fail_in; /* the allocation that will fail, counted from the next one; 0: none */
    bool failed;    /* one has failed since this was cleared */
};

extern struct heap heap;

/* As in the C library; what is new is filled with rubbish, and realloc always moves. */
void *memory_malloc(size_t size);
void *memory_calloc(size_t count, size_t size);
void *memory_realloc(void *address, size_t size);
void memory_free(void *address);

#endif
