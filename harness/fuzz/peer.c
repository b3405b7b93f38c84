/* What a peer sends: steps of a script. */
#include "check.h"
#include "model.h"

#include <string.h>

enum { LONGEST_FRAME = 80000 }; /* longer than what one recv brings */

static void sends(struct model *model, const uint8_t *bytes, size_t size)
{
    if (model->arrived + size > STREAM_BYTES)
        return;
    memcpy(model->stream + model->arrived, bytes, size);
    model->arrived += size;
}

static void sends_header(struct model *model, uint32_t length)
{
    const uint8_t header[] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16),
                              (uint8_t)(length >> 8), (uint8_t)length};

    sends(model, header, sizeof header);
}

void model_frames(struct model *model, struct script *script, uint32_t max_frame)
{
    uint32_t most = max_frame < LONGEST_FRAME ? max_frame : LONGEST_FRAME;
    uint8_t form = script_byte(script);
    uint32_t number = script_number(script);
    uint32_t length = form & 0x40 ? most : (form & 0x80 ? number * 2 : number % 256) % (most + 1);

    step("    %d frames of %u", 1 + form % 8, length);
    for (int count = 1 + form % 8; count > 0; count--) {
        if (model->arrived + 4 + length > STREAM_BYTES)
            return;
        sends_header(model, length);
        for (uint32_t i = 0; i < length; i++)
            model->stream[model->arrived++] = model->filling++;
        model->filling += 3;
    }
}

void model_raw(struct model *model, struct script *script)
{
    for (int count = 1 + script_byte(script) % 16; count > 0; count--) {
        uint8_t byte = script_byte(script);
        sends(model, &byte, 1);
    }
}

void model_oversize(struct model *model, struct script *script, uint32_t max_frame)
{
    uint32_t number = script_number(script);

    sends_header(model, number & 1 ? UINT32_MAX - number : max_frame + 1 + number);
}
