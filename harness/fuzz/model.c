#include "model.h"

#include "../../common/clock.h"

#include <errno.h>
#include <string.h>

void model_begin(struct model *model, const struct server_model *server)
{
    memset(model, 0, offsetof(struct model, stream));
    model->opened_ns = model->activity_ns = server->now_ns;
}

size_t model_output(const struct model *model)
{
    return model->state == CONNECTION_CLOSED ? 0 : model->due - model->sent;
}

size_t model_pending(const struct model *model)
{
    return model->state == CONNECTION_OPEN ? model->received - model->sent : model_output(model);
}

unsigned model_wants(const struct model *model)
{
    if (model->state == CONNECTION_CLOSED)
        return NOTHING;
    return (unsigned)(model->paused || model->input_ended ? NOTHING : READABLE) |
           (unsigned)(model_output(model) > 0 ? WRITABLE : NOTHING);
}

void model_close(struct model *model, enum close_reason reason)
{
    if (model->state == CONNECTION_OPEN)
        model->reason = reason;
    model->state = CONNECTION_CLOSED;
}

void model_failed(struct model *model, int number)
{
    model_close(model, number == ECONNRESET || number == EPIPE ? CLOSE_reset : CLOSE_error);
}

static void take_no_more(struct model *model, enum close_reason reason)
{
    model->state = CONNECTION_FLUSHING;
    model->reason = reason;
    model->paused = false;
}

void model_finish(struct model *model, const struct server_model *server, enum close_reason reason)
{
    if (model->state == CONNECTION_CLOSED || model->ending)
        return;
    if (model->state == CONNECTION_OPEN)
        take_no_more(model, reason);
    model->ending = true;
    model->ending_ns = server->now_ns;
}

void model_ended(struct model *model)
{
    model->input_ended = true;
    if (model->state == CONNECTION_OPEN)
        take_no_more(model, model->header_bytes > 0 ? CLOSE_truncated : CLOSE_end);
}

/* One more byte of a header, or as much of a payload as has come. */
static size_t take_piece(struct model *model, struct server_model *server, size_t size)
{
    size_t piece = size < model->body_left ? size : (size_t)model->body_left;

    if (model->header_bytes < 4) {
        piece = 1;
        model->length = model->length * 256 + model->stream[model->received];
        model->body_left = ++model->header_bytes == 4 ? model->length : 0;
        if (model->header_bytes == 4 && model->length > server->options->max_frame)
            model_finish(model, server, CLOSE_oversize);
    } else {
        model->body_left -= piece;
    }
    return piece;
}

void model_received(struct model *model, struct server_model *server, size_t count)
{
    size_t until = model->received + count;

    server->stats.bytes_in += count;
    model->activity_ns = server->now_ns;
    while (model->received < until && model->state == CONNECTION_OPEN) {
        model->received += take_piece(model, server, until - model->received);
        if (model->state == CONNECTION_OPEN && model->header_bytes == 4 && model->body_left == 0) {
            model->header_bytes = 0;
            model->length = 0;
            model->due = model->received;
            server->stats.frames++;
        }
    }
    model->received = until;
}

void model_sent(struct model *model, struct server_model *server, size_t count)
{
    server->stats.bytes_out += count;
    model->activity_ns = server->now_ns;
    model->sent += count;
}

void model_settle(struct model *model, struct server_model *server)
{
    size_t output = model_output(model);

    if (model->state != CONNECTION_OPEN) {
        if (output == 0 && model->input_ended)
            model->state = CONNECTION_CLOSED;
    } else if (!model->paused && output >= server->options->high_water) {
        model->paused = true;
        server->stats.pauses++;
    } else if (output <= server->options->low_water) {
        model->paused = false;
    }
}

bool model_owes_fin(const struct model *model)
{
    return model->state == CONNECTION_FLUSHING && model_output(model) == 0;
}

void model_fin_sent(struct model *model, const struct server_model *server)
{
    model->state =
        server->options->drain_timeout_ns == 0 ? CONNECTION_CLOSED : CONNECTION_LINGERING;
}

uint64_t model_cut(const struct model *model, const struct server_model *server)
{
    if (model->ending)
        return clock_after(model->ending_ns, server->options->drain_timeout_ns);
    return clock_after(model->activity_ns, server->options->idle_timeout_ns);
}

uint64_t model_deadline(const struct model *model, const struct server_model *server)
{
    uint64_t cut = model_cut(model, server);
    uint64_t too_old = clock_after(model->opened_ns, server->options->max_lifetime_ns);

    return model->ending || cut < too_old ? cut : too_old;
}
