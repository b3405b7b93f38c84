/* The fuzzer's input, read as a script: numbers from the first byte on. Where it is over, zeros
 * come, so that every input is a script. */
#ifndef FUZZ_SCRIPT_H
#define FUZZ_SCRIPT_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct script {
    const uint8_t *bytes;
    size_t size;
    size_t at;
};

static inline bool script_over(const struct script *script)
{
    return script->at >= script->size;
}

static inline uint8_t script_byte(struct script *script)
{
    return script_over(script) ? 0 : script->bytes[script->at++];
}

static inline uint32_t script_number(struct script *script)
{
    uint32_t high = script_byte(script);

    return high << 8 | script_byte(script);
}

/* A number of bytes, of `whole` that there are: cut best where the ends of frames are counted. */
static inline size_t script_amount(struct script *script, size_t whole)
{
    uint8_t kind = script_byte(script);
    size_t few = 1 + kind / 8 % 8;

    switch (kind % 4) {
    case 0:
        return whole > 0 ? whole : 1;
    case 1:
        return few;
    case 2:
        return whole > few ? whole - few : 1;
    default:
        return 1 + script_number(script);
    }
}

/* What a call on a connection fails with. */
static inline int script_errno(struct script *script)
{
    static const int numbers[] = {ECONNRESET, EPIPE, ETIMEDOUT, ENOBUFS, ENOMEM, EHOSTUNREACH};

    return numbers[script_byte(script) % (sizeof numbers / sizeof numbers[0])];
}

static inline size_t least(size_t one, size_t other)
{
    return one < other ? one : other;
}

#endif
