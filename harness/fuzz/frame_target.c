/* The frame parser against one that takes a byte at a time, on inputs cut anywhere. */
#include "../../common/frame.h"
#include "../../common/line.h"

#include "check.h"
#include "script.h"
#include "targets.h"

#include <stdlib.h>
#include <string.h>

/* A parser as the protocol is told: it knows the byte that it is at, and nothing of buffers. */
struct reference {
    uint64_t length;
    unsigned header_bytes;
    size_t position;
    size_t whole;
    uint64_t frames;
    bool oversize;
};

static void take_line_byte(struct reference *reference, uint8_t byte, uint32_t max_frame)
{
    if (byte != '\n') {
        reference->length++;
        reference->oversize = reference->length > max_frame;
        return;
    }
    reference->whole = reference->position;
    reference->frames++;
    reference->length = 0;
}

static void take_byte(struct reference *reference, uint8_t byte, uint32_t max_frame, bool lines)
{
    reference->position++;
    if (reference->oversize)
        return;
    if (lines) {
        take_line_byte(reference, byte, max_frame);
        return;
    }
    if (reference->header_bytes < 4) {
        reference->length = reference->length * 256 + byte;
        reference->header_bytes++;
        reference->oversize = reference->header_bytes == 4 && reference->length > max_frame;
    }
    if (reference->header_bytes == 4 && !reference->oversize &&
        reference->position == reference->whole + 4 + reference->length) {
        reference->whole = reference->position;
        reference->frames++;
        reference->header_bytes = 0;
        reference->length = 0;
    }
}

/* How far from the end of a frame, and how near to the limit, the input was cut: shown to libFuzzer
 * beside the edges of the code. */
#ifdef __linux__
__attribute__((section("__libfuzzer_extra_counters")))
#endif
static uint8_t cuts[5][4][4];

static size_t nearness(uint64_t one, uint64_t other)
{
    if (one == other)
        return 1;
    return one == other + 1 ? 2 : 3 * (one > other);
}

static void show_cut(const struct reference *reference, uint32_t max_frame)
{
    uint64_t end = reference->whole + 4 + reference->length;

    cuts[reference->header_bytes][nearness(end, reference->position)]
        [nearness(reference->length, max_frame)] = 1;
}

/* The parser under test, as a connection uses it: what it leaves is scanned again with more. */
struct tested {
    size_t whole;
    uint64_t frames;
    bool oversize;
};

static void scan_copy(struct tested *tested, const uint8_t *bytes, size_t size, size_t fresh,
                      uint32_t max_frame, bool lines)
{
    uint8_t *copy = malloc(size + 1); /* of this size, so that a look beyond it is caught */

    if (copy == NULL)
        return;
    uint8_t *end = copy + 1 + size;
    memcpy(end - size, bytes, size); /* at an odd address */
    if (lines)
        memset(end - size, '\n', size - fresh); /* which is not to be looked at again */
    struct frame_scan scan = lines ? line_scan(end - size, size, fresh, max_frame)
                                   : frame_scan(end - size, size, max_frame);
    free(copy);
    CHECK(scan.whole <= size, "%zu bytes of %zu are whole frames", scan.whole, size);
    tested->whole += scan.whole;
    tested->frames += scan.frames;
    tested->oversize = scan.oversize;
}

int frame_target(const uint8_t *bytes, size_t size)
{
    static const uint32_t limits[] = {0, 1, 2, 5, 255, 256, 65535, 1U << 20, 1U << 28, UINT32_MAX};
    struct script script = {.bytes = bytes, .size = size};
    struct reference reference = {0};
    struct tested tested = {0};
    uint8_t kind = script_byte(&script);
    bool lines = kind >= 128;
    uint32_t max_frame = limits[kind % (sizeof limits / sizeof limits[0])];
    uint32_t piece = script_byte(&script); /* 0: all at once */
    size_t total = size - script.at;

    if (total == 0)
        return 0;
    const uint8_t *stream = bytes + script.at;
    step("%s, max_frame %u, %zu bytes in pieces of %u", lines ? "lines" : "lengths", max_frame,
         total, piece);
    for (size_t arrived = 0; arrived < total && !tested.oversize;) {
        size_t until = piece == 0 || total - arrived < piece ? total : arrived + piece;
        size_t fresh = until - arrived;
        while (arrived < until)
            take_byte(&reference, stream[arrived++], max_frame, lines);
        show_cut(&reference, max_frame);
        scan_copy(&tested, stream + tested.whole, arrived - tested.whole, fresh, max_frame, lines);
        step("%zu bytes: %zu whole, %zu expected", arrived, tested.whole, reference.whole);
        CHECK(tested.whole == reference.whole, "%zu bytes whole, expected %zu", tested.whole,
              reference.whole);
        CHECK(tested.frames == reference.frames, "%llu frames, expected %llu",
              (unsigned long long)tested.frames, (unsigned long long)reference.frames);
        CHECK(tested.oversize == reference.oversize, "oversize: %d, expected %d", tested.oversize,
              reference.oversize);
    }
    return 0;
}
