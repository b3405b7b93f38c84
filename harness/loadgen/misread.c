#include "misread.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SMALL_SEARCH = 64, /* messages to compare when a payload carries no identity */
};

struct misread {
    size_t used;
    size_t capacity;
    uint8_t bytes[];
};

struct missing {
    size_t count;
    size_t capacity;
    uint64_t numbers[];
};

size_t misread_missing(const struct missing *missing)
{
    return missing == NULL ? 0 : missing->count;
}

uint64_t misread_missing_number(const struct missing *missing, size_t index)
{
    return missing->numbers[index];
}

const char *misread_quote(const uint8_t *bytes, size_t size, char text[MISREAD_QUOTED_BYTES])
{
    size_t used = 0;

    for (size_t i = 0; i < size && used + sizeof "\\xHH..." < MISREAD_QUOTED_BYTES; i++) {
        bool plain = isprint(bytes[i]) && bytes[i] != '"' && bytes[i] != '\\';
        used += (size_t)snprintf(text + used, MISREAD_QUOTED_BYTES - used, plain ? "%c" : "\\x%02x",
                                 bytes[i]);
        if (i + 1 < size && used + sizeof "\\xHH..." >= MISREAD_QUOTED_BYTES)
            used += (size_t)snprintf(text + used, MISREAD_QUOTED_BYTES - used, "...");
    }
    text[used] = '\0';
    return text;
}

static int no_memory(struct traffic *traffic, struct flow *flow)
{
    tally_error(&traffic->tally, ERROR_failed, "no memory for a wrong reply");
    flow_end(traffic, flow);
    return -1;
}

static uint32_t expected_size(const struct traffic *traffic, const struct flow *flow,
                              uint64_t number)
{
    return payload_size(&traffic->load->payload, flow_identity(traffic, flow, number));
}

/* Makes room for `size` bytes in all. */
static int reserve(struct traffic *traffic, struct flow *flow, size_t size)
{
    struct misread *misread = flow->misread;

    if (misread != NULL && misread->capacity >= size)
        return 0;
    struct misread *larger = realloc(misread, sizeof *larger + size);
    if (larger == NULL)
        return no_memory(traffic, flow);
    if (misread == NULL)
        larger->used = 0;
    larger->capacity = size;
    flow->misread = larger;
    return 0;
}

int misread_begin(struct traffic *traffic, struct flow *flow)
{
    size_t right = flow->receive_offset;

    if (reserve(traffic, flow, right + PAYLOAD_HEADER_BYTES) < 0)
        return -1;
    if (right > 0) /* they were right, so they were not kept and are made again */
        payload_reply(flow_identity(traffic, flow, flow->awaited),
                      expected_size(traffic, flow, flow->awaited), 0, flow->misread->bytes, right);
    flow->misread->used = right;
    flow->receive_offset = 0;
    return 0;
}

static bool is_number(const struct traffic *traffic, const struct flow *flow, uint64_t number,
                      const uint8_t *frame, uint32_t length)
{
    return expected_size(traffic, flow, number) == length &&
           payload_matches(flow_identity(traffic, flow, number), length, 0, frame,
                           payload_frame_size(length));
}

/* Counts the requests from `awaited` up to `number` (excluded) as overtaken. */
static int note_missing(struct traffic *traffic, struct flow *flow, uint64_t number)
{
    size_t count = misread_missing(flow->missing);
    size_t more = (size_t)(number - flow->awaited);

    if (flow->missing == NULL || flow->missing->capacity < count + more) {
        size_t capacity = 2 * (count + more);
        struct missing *larger =
            realloc(flow->missing, sizeof *larger + capacity * sizeof larger->numbers[0]);
        if (larger == NULL)
            return no_memory(traffic, flow);
        larger->count = count;
        larger->capacity = capacity;
        flow->missing = larger;
    }
    while (flow->awaited < number)
        flow->missing->numbers[flow->missing->count++] = flow->awaited++;
    return 0;
}

static bool forget_missing(struct flow *flow, uint64_t number)
{
    for (size_t i = 0; i < misread_missing(flow->missing); i++)
        if (flow->missing->numbers[i] == number) {
            flow->missing->numbers[i] = flow->missing->numbers[--flow->missing->count];
            return true;
        }
    return false;
}

/* The frame is a message of this connection, but not the awaited one. */
static void judge_own(struct traffic *traffic, struct flow *flow, uint64_t number,
                      uint64_t received_ns)
{
    if (number >= flow->awaited) {
        if (note_missing(traffic, flow, number) == 0)
            flow_complete(traffic, flow, received_ns);
    } else if (forget_missing(flow, number)) {
        if (flow->active)
            flow_forget(traffic, 1);
        tally_error(&traffic->tally, ERROR_reordered,
                    "connection %" PRIu32 ", reply %" PRIu64 ": came after reply %" PRIu64,
                    flow->id, number, flow->awaited - 1);
    } else {
        tally_error(&traffic->tally, ERROR_duplicated,
                    "connection %" PRIu32 ", reply %" PRIu64 ": came again", flow->id, number);
    }
}

static void judge_corrupted(struct traffic *traffic, struct flow *flow, const uint8_t *frame,
                            uint32_t length, uint64_t received_ns)
{
    size_t size = payload_frame_size(length);
    size_t right = 0;

    if (flow->awaited == flow->issued) {
        tally_error(&traffic->tally, ERROR_corrupted,
                    "connection %" PRIu32 ": %" PRIu32 " bytes that nothing asked for", flow->id,
                    length);
        return;
    }
    while (right < size &&
           payload_matches(flow_identity(traffic, flow, flow->awaited),
                           expected_size(traffic, flow, flow->awaited), right, frame + right, 1))
        right++;
    tally_error(&traffic->tally, ERROR_corrupted,
                "connection %" PRIu32 ", reply %" PRIu64 ": byte %zu of its frame is 0x%02x",
                flow->id, flow->awaited, right, right < size ? frame[right] : 0U);
    flow_complete(traffic, flow, received_ns);
}

/* Whether the frame is the awaited message with some bytes wrong: same size, and most bytes
 * right. */
static bool is_mostly_awaited(const struct traffic *traffic, const struct flow *flow,
                              const uint8_t *frame, uint32_t length)
{
    size_t right = 0;

    if (flow->awaited == flow->issued || expected_size(traffic, flow, flow->awaited) != length)
        return false;
    uint64_t identity = flow_identity(traffic, flow, flow->awaited);
    for (size_t i = 0; i < length; i++)
        right += payload_matches(identity, length, PAYLOAD_HEADER_BYTES + i,
                                 frame + PAYLOAD_HEADER_BYTES + i, 1);
    return right > length / 2;
}

/* The frame is too small to carry an identity. A message near the awaited one with the same bytes
 * is probably it. */
static bool judge_small(struct traffic *traffic, struct flow *flow, const uint8_t *frame,
                        uint32_t length, uint64_t received_ns)
{
    uint64_t first = flow->awaited > SMALL_SEARCH ? flow->awaited - SMALL_SEARCH : 0;

    for (uint64_t number = flow->awaited; number < flow->issued; number++)
        if (number - flow->awaited < SMALL_SEARCH &&
            is_number(traffic, flow, number, frame, length)) {
            judge_own(traffic, flow, number, received_ns);
            return true;
        }
    for (uint64_t number = flow->awaited; number-- > first;)
        if (is_number(traffic, flow, number, frame, length)) {
            judge_own(traffic, flow, number, received_ns);
            return true;
        }
    return false;
}

/* Decides what a complete frame is when it is not the awaited one. */
static void judge(struct traffic *traffic, struct flow *flow, const uint8_t *frame, uint32_t length,
                  uint64_t received_ns)
{
    uint32_t owner = 0;
    uint64_t number = 0;

    if (length < PAYLOAD_IDENTITY_BYTES) {
        if (!judge_small(traffic, flow, frame, length, received_ns))
            judge_corrupted(traffic, flow, frame, length, received_ns);
        return;
    }
    uint64_t identity = payload_named(frame, length);
    payload_owner(traffic->key, identity, &owner, &number);
    bool genuine = owner < traffic->load->connections &&
                   payload_size(&traffic->load->payload, identity) == length &&
                   payload_matches(identity, length, 0, frame, payload_frame_size(length));
    if (!genuine || is_mostly_awaited(traffic, flow, frame, length) ||
        (owner == flow->id && number >= flow->issued))
        judge_corrupted(traffic, flow, frame, length, received_ns);
    else if (owner != flow->id)
        tally_error(&traffic->tally, ERROR_crossed,
                    "connection %" PRIu32 ", reply %" PRIu64 ": is reply %" PRIu64
                    " of connection %" PRIu32,
                    flow->id, flow->awaited, number, owner);
    else
        judge_own(traffic, flow, number, received_ns);
}

/* Instead of the reply that proves a connection, it is probably the answer of another kind of
 * server: it is shown as far as it is there. */
static void report_header(struct traffic *traffic, struct flow *flow, size_t length,
                          const uint8_t *rest, size_t rest_size)
{
    uint8_t start[MISREAD_QUOTED_BYTES];
    char quoted[MISREAD_QUOTED_BYTES];
    size_t more = sizeof start - PAYLOAD_HEADER_BYTES;

    if (flow->awaited > 0) {
        tally_error(&traffic->tally, ERROR_corrupted,
                    "connection %" PRIu32 ", reply %" PRIu64 ": its header announces %zu bytes",
                    flow->id, flow->awaited, length);
        return;
    }
    if (more > rest_size)
        more = rest_size;
    memcpy(start, flow->misread->bytes, PAYLOAD_HEADER_BYTES);
    memcpy(start + PAYLOAD_HEADER_BYTES, rest, more);
    tally_error(&traffic->tally, ERROR_unproven,
                "connection %" PRIu32 " to %s: no server of this protocol: it sent \"%s\"",
                flow->id, traffic->target->name,
                misread_quote(start, PAYLOAD_HEADER_BYTES + more, quoted));
}

/* How many bytes the frame has in all, as far as that is known. 0 after an impossible length: the
 * client cannot read anything behind it, so the flow has ended. */
static size_t frame_size(struct traffic *traffic, struct flow *flow, const uint8_t *rest,
                         size_t rest_size)
{
    const struct misread *misread = flow->misread;

    if (misread->used < PAYLOAD_HEADER_BYTES)
        return PAYLOAD_HEADER_BYTES;
    size_t length = payload_announced(misread->bytes);
    if (length <= traffic->load->payload.most)
        return payload_frame_size((uint32_t)length);
    report_header(traffic, flow, length, rest, rest_size);
    flow_end(traffic, flow);
    return 0;
}

size_t misread_take(struct traffic *traffic, struct flow *flow, const uint8_t *bytes, size_t size,
                    uint64_t received_ns)
{
    size_t taken = 0;
    size_t whole;

    while ((whole = frame_size(traffic, flow, bytes + taken, size - taken)) > 0) {
        struct misread *misread = flow->misread;
        if (misread->used >= PAYLOAD_HEADER_BYTES && misread->used == whole) {
            /* Before judge(): it may complete the request, and the next frame may be wrong too. */
            flow->misread = NULL;
            judge(traffic, flow, misread->bytes, (uint32_t)(whole - PAYLOAD_OVERHEAD_BYTES),
                  received_ns);
            free(misread);
            break;
        }
        if (taken == size || reserve(traffic, flow, whole) < 0)
            break;
        misread = flow->misread;
        size_t part = whole - misread->used;
        if (part > size - taken)
            part = size - taken;
        memcpy(misread->bytes + misread->used, bytes + taken, part);
        misread->used += part;
        taken += part;
    }
    return taken;
}
