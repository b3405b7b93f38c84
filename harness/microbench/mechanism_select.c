/* select(2). The kernel takes bitmaps of any length and reads them as arrays of unsigned long; only
 * the C library's fd_set ends at FD_SETSIZE. On Linux the bitmaps are on the heap and go to the
 * system call directly, so that select can be compared with the others beyond that size. */
#include "mechanism.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if defined(__linux__) && defined(SYS_pselect6)

enum { WORD_BITS = 8 * sizeof(unsigned long) };

struct bitmaps {
    unsigned long *want;
    unsigned long *ready;
    size_t words;
};

static int bitmaps_reserve(struct bitmaps *bitmaps, size_t words)
{
    unsigned long *want = realloc(bitmaps->want, words * sizeof *want);

    if (want == NULL)
        return -1;
    bitmaps->want = want;
    unsigned long *ready = realloc(bitmaps->ready, words * sizeof *ready);
    if (ready == NULL)
        return -1;
    bitmaps->ready = ready;
    memset(want + bitmaps->words, 0, (words - bitmaps->words) * sizeof *want);
    bitmaps->words = words;
    return 0;
}

static int bitmaps_want(struct bitmaps *bitmaps, int fd, struct error *error)
{
    size_t word = (size_t)fd / WORD_BITS;

    if (word >= bitmaps->words && bitmaps_reserve(bitmaps, word + 1) < 0)
        return error_set(error, "realloc", "for select's bitmaps", errno);
    bitmaps->want[word] |= 1UL << ((size_t)fd % WORD_BITS);
    return 0;
}

static bool bitmaps_has(const struct bitmaps *bitmaps, int fd)
{
    return bitmaps->ready[(size_t)fd / WORD_BITS] >> ((size_t)fd % WORD_BITS) & 1;
}

/* The call overwrites its arguments, so each call begins with a copy. */
static int bitmaps_ask(struct bitmaps *bitmaps, int limit, int milliseconds)
{
    struct { /* the kernel's timespec, which need not have the C library's time_t */
        long seconds;
        long nanoseconds;
    } timeout = {0, milliseconds * 1000000L};

    if (bitmaps->words > 0)
        memcpy(bitmaps->ready, bitmaps->want, bitmaps->words * sizeof *bitmaps->ready);
    return (int)syscall(SYS_pselect6, limit, bitmaps->ready, NULL, NULL, &timeout, NULL);
}

static void bitmaps_free(struct bitmaps *bitmaps)
{
    free(bitmaps->want);
    free(bitmaps->ready);
}

#else

/* On some BSDs FD_SET and its like make the descriptor unsigned, which would be a warning here. */
#pragma GCC diagnostic ignored "-Wsign-conversion"

struct bitmaps {
    fd_set want;
    fd_set ready;
};

static int bitmaps_want(struct bitmaps *bitmaps, int fd, struct error *error)
{
    if (fd >= FD_SETSIZE) /* FD_SET would write beyond the set */
        return error_set(error, "FD_SET", "of a descriptor that is not below FD_SETSIZE", EINVAL);
    FD_SET(fd, &bitmaps->want);
    return 0;
}

static bool bitmaps_has(const struct bitmaps *bitmaps, int fd)
{
    return FD_ISSET(fd, &bitmaps->ready);
}

static int bitmaps_ask(struct bitmaps *bitmaps, int limit, int milliseconds)
{
    struct timeval timeout = {0, milliseconds * 1000};

    bitmaps->ready = bitmaps->want;
    return select(limit, &bitmaps->ready, NULL, NULL, &timeout);
}

static void bitmaps_free(struct bitmaps *bitmaps)
{
    (void)bitmaps;
}

#endif

struct select_state {
    struct bitmaps bitmaps;
    int *fds;
    uint32_t count;
    int limit; /* the highest descriptor plus one */
    int ready;
};

static void *open_select(uint32_t most, struct error *error)
{
    struct select_state *state = calloc(1, sizeof *state);
    int *fds = calloc((size_t)most + 1, sizeof *fds);

    if (state == NULL || fds == NULL) {
        (void)error_set(error, "calloc", "for select", errno);
        free(state);
        free(fds);
        return NULL;
    }
    state->fds = fds;
    return state;
}

static void close_select(void *opened)
{
    struct select_state *state = opened;

    bitmaps_free(&state->bitmaps);
    free(state->fds);
    free(state);
}

static int add(void *opened, int fd, struct error *error)
{
    struct select_state *state = opened;

    if (bitmaps_want(&state->bitmaps, fd, error) < 0)
        return -1;
    state->fds[state->count++] = fd;
    if (fd >= state->limit)
        state->limit = fd + 1;
    return 0;
}

static int wait_select(void *opened, int milliseconds)
{
    struct select_state *state = opened;

    state->ready = bitmaps_ask(&state->bitmaps, state->limit, milliseconds);
    return state->ready;
}

static void visit(void *opened, mechanism_visitor visitor, void *context)
{
    const struct select_state *state = opened;
    int left = state->ready;

    for (uint32_t i = 0; i < state->count && left > 0; i++)
        if (bitmaps_has(&state->bitmaps, state->fds[i])) {
            left--;
            visitor(context, i);
        }
}

const struct mechanism_kind mechanism_select = {
    .name = "select",
    .implementation = "native",
    .open = open_select,
    .close = close_select,
    .add = add,
    .wait = wait_select,
    .visit = visit,
};
