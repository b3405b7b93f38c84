/* A connection beside its model, and what libFuzzer is shown of it. */
#include "check.h"
#include "model.h"

#include "../../common/buffer.h"

#include <string.h>

/* Which states of a connection the script has come through: shown to libFuzzer beside the edges of
 * the code, which many different states share. It clears them before each input. */
#ifdef __linux__
__attribute__((section("__libfuzzer_extra_counters")))
#endif
static uint8_t reached[1 << 10];

/* Where an open stream stands: between frames, in a header, one byte before the end, elsewhere. */
static size_t place(const struct model *model)
{
    if (model->header_bytes < 4 || model->state != CONNECTION_OPEN)
        return model->header_bytes > 0 && model->state == CONNECTION_OPEN;
    return model->body_left == 1 ? 2 : 3;
}

static void show_state(const struct model *model)
{
    size_t state = (size_t)model->state;

    state = state << 3 | (model->state == CONNECTION_OPEN ? 0 : (size_t)model->reason);
    state = state << 1 | (model->paused || model->ending);
    state = state << 1 | model->input_ended;
    state = state << 1 | (model_pending(model) > 0);
    state = state << 2 | place(model);
    reached[state] = 1;
}

void model_compare(const struct model *model, const struct connection *connection)
{
    static const char *const names[] = {"open", "flushing", "lingering", "closed"};
    unsigned wants = connection_wants(connection);
    size_t output = 0;

    show_state(model);
    CHECK(connection->state == model->state, "is %s, expected %s", names[connection->state],
          names[model->state]);
    if (model->state != CONNECTION_OPEN)
        CHECK(connection->reason == model->reason, "reason %d, expected %d", connection->reason,
              (int)model->reason);
    CHECK(wants == model_wants(model), "wants %u, expected %u", wants, model_wants(model));
    CHECK(connection->ending == model->ending, "ending: %d", connection->ending);
    CHECK(connection->activity_ns == model->activity_ns, "active at %llu, expected %llu",
          (unsigned long long)connection->activity_ns, (unsigned long long)model->activity_ns);
    if (!(wants & WRITABLE))
        return;
    const uint8_t *bytes = connection_output(connection, &output);
    CHECK(output == model_output(model), "%zu bytes to be sent, expected %zu", output,
          model_output(model));
    CHECK(memcmp(bytes, model->stream + model->sent, output) == 0,
          "what is to be sent from byte %zu on is not what came", model->sent);
}

void model_compare_settled(const struct model *model, const struct connection *connection,
                           const struct options *options)
{
    const struct buffer *buffer = &connection->buffer;
    size_t pending = model_pending(model);
    size_t most = 2 * ((size_t)options->high_water + options->max_frame + 4);

    model_compare(model, connection);
    CHECK(model_wants(model) != NOTHING || model->state == CONNECTION_CLOSED,
          "wants nothing, for ever");
    CHECK(!buffer->borrowed, "the shared buffer is still lent");
    CHECK(buffer->end - buffer->start == pending, "keeps %u bytes, %zu are pending",
          buffer->end - buffer->start, pending);
    CHECK((buffer->data != NULL) == (pending > 0), "holds a %s with %zu bytes pending",
          buffer->data ? "buffer" : "nothing", pending);
    CHECK(buffer->capacity <= (most > SCRATCH_BYTES ? most : SCRATCH_BYTES), "a buffer of %u bytes",
          buffer->capacity);
    if (pending > 0)
        CHECK(memcmp(buffer->data + buffer->start, model->stream + model->sent, pending) == 0,
              "what is kept from byte %zu on is not what came", model->sent);
}
