/* What is fuzzed. Each takes any bytes, returns 0, and aborts when a check fails. */
#ifndef FUZZ_TARGETS_H
#define FUZZ_TARGETS_H

#include <stddef.h>
#include <stdint.h>

/* common/frame.c: where whole frames end. */
int frame_target(const uint8_t *bytes, size_t size);

/* common/connection.c, buffer.c: what came and what left. */
int connection_target(const uint8_t *bytes, size_t size);

/* A whole server, from its options to its exit status, between peers, a kernel and a clock. */
int loop_target(const uint8_t *bytes, size_t size);

/* common/options.c, option_table.c: command lines. */
int options_target(const uint8_t *bytes, size_t size);

#endif
