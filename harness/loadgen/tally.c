#include "tally.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static const char *const error_names[ERROR_KIND_COUNT] = {
#define X(name) #name,
    ERROR_KINDS(X)
#undef X
};

const char *tally_error_name(enum error_kind kind)
{
    return error_names[kind];
}

void tally_add(struct tally *into, const struct tally *from)
{
#define X(name) into->name += from->name;
    TALLIES(X)
#undef X
    for (int kind = 0; kind < ERROR_KIND_COUNT; kind++) {
        if (into->errors[kind] == 0)
            memcpy(into->examples[kind], from->examples[kind], TALLY_EXAMPLE_BYTES);
        into->errors[kind] += from->errors[kind];
    }
    for (int quarter = 0; quarter < TALLY_QUARTERS; quarter++)
        into->quarters[quarter] += from->quarters[quarter];
}

void tally_error(struct tally *tally, enum error_kind kind, const char *format, ...)
{
    va_list arguments;

    atomic_store_explicit(&tally->errors_seen, tally_errors(tally) + 1, memory_order_relaxed);
    if (tally->errors[kind]++ > 0)
        return;
    va_start(arguments, format);
    (void)vsnprintf(tally->examples[kind], TALLY_EXAMPLE_BYTES, format, arguments);
    va_end(arguments);
}

uint64_t tally_errors(const struct tally *tally)
{
    uint64_t sum = 0;

    for (int kind = 0; kind < ERROR_KIND_COUNT; kind++)
        sum += tally->errors[kind];
    return sum;
}
