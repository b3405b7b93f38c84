/* The fuzzer's input, read as a script: numbers from the first byte on. Where it is over, zeros
 * come, so that every input is a script. */
#ifndef FUZZ_SCRIPT_H
#define FUZZ_SCRIPT_H

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

#endif
