#include "model.h"

#include "../../common/clock.h"
#include "check.h"

#include <errno.h>

void model_open(struct model *model, const struct server_model *server)
{
    *model = (struct model){
        .state = CONNECTION_OPEN, .opened_ns = server->now_ns, .activity_ns = server->now_ns};
}

static size_t output(const struct model *model, const struct wire *wire)
{
    return model->state == CONNECTION_CLOSED ? 0 : wire->may_send - wire->sent;
}

size_t model_pending(const struct model *model, const struct wire *wire)
{
    if (model->state == CONNECTION_OPEN)
        return wire->received - wire->sent;
    return output(model, wire);
}

unsigned model_wants(const struct model *model, const struct wire *wire)
{
    if (model->state == CONNECTION_CLOSED)
        return NOTHING;
    return (unsigned)(model->paused || model->input_ended ? NOTHING : READABLE) |
           (unsigned)(output(model, wire) > 0 ? WRITABLE : NOTHING);
}

void model_close(struct model *model, enum close_reason reason)
{
    if (model->state == CONNECTION_OPEN)
        model->reason = reason;
    model->state = CONNECTION_CLOSED;
}

static void take_no_more(struct model *model, enum close_reason reason)
{
    model->state = CONNECTION_FLUSHING;
    model->reason = reason;
    model->paused = false;
}

void model_finish(struct model *model, const struct server_model *server, enum close_reason reason)
{
    if (model->state == CONNECTION_CLOSED || model->closing)
        return;
    if (model->state == CONNECTION_OPEN)
        take_no_more(model, reason);
    model->closing = true;
    model->closing_ns = server->now_ns;
}

static void begin_body(struct model *model, struct server_model *server)
{
    model->body_left = model->length;
    if (model->length > server->options->max_frame) {
        model_finish(model, server, CLOSE_oversize);
        server->oversize_lines++;
    }
}

/* The bytes of the stream from `from` to `until`, as they come. */
static void take_bytes(struct model *model, struct server_model *server, struct wire *wire,
                       size_t from, size_t until)
{
    while (from < until && model->state == CONNECTION_OPEN) {
        if (model->header_bytes < 4) {
            model->length = model->length * 256 + wire->stream[from++];
            if (++model->header_bytes == 4)
                begin_body(model, server);
        } else {
            size_t here = until - from < model->body_left ? until - from : model->body_left;
            model->body_left -= here;
            from += here;
        }
        if (model->state == CONNECTION_OPEN && model->header_bytes == 4 && model->body_left == 0) {
            model->header_bytes = 0;
            model->length = 0;
            wire->may_send = from;
            server->stats.frames++;
        }
    }
}

static void failed(struct model *model, int number)
{
    bool by_peer = number == ECONNRESET || number == EPIPE;

    model_close(model, by_peer ? CLOSE_reset : CLOSE_error);
}

static void end_of_input(struct model *model)
{
    model->input_ended = true;
    if (model->state == CONNECTION_OPEN)
        take_no_more(model, model->header_bytes > 0 ? CLOSE_truncated : CLOSE_end);
}

void model_read(struct model *model, struct server_model *server, struct wire *wire,
                enum io_result result, bool without_memory)
{
    const struct told *told = &wire->last_recv;
    enum io_result expected = told->count < told->asked ? IO_SHORT : IO_MORE;

    CHECK(told->number != EINTR, "a recv that was interrupted was not called again");
    if (without_memory || (told->number != 0 && told->number != EAGAIN)) {
        failed(model, without_memory ? ENOMEM : told->number);
        expected = IO_END;
    } else if (told->number == EAGAIN) {
        expected = IO_WOULD_BLOCK;
    } else if (told->count == 0) {
        end_of_input(model);
        expected = IO_END;
    } else {
        server->stats.bytes_in += told->count;
        model->moved = true;
        take_bytes(model, server, wire, wire->received - told->count, wire->received);
    }
    CHECK(result == expected, "a read returned %d, expected %d", (int)result, (int)expected);
}

void model_write(struct model *model, struct server_model *server, const struct wire *wire,
                 enum io_result result)
{
    const struct told *told = &wire->last_send;
    enum io_result expected = told->count < told->asked ? IO_SHORT : IO_MORE;

    CHECK(told->number != EINTR, "a send that was interrupted was not called again");
    if (told->number == EAGAIN) {
        expected = IO_WOULD_BLOCK;
    } else if (told->number != 0) {
        failed(model, told->number);
        expected = IO_END;
    } else {
        server->stats.bytes_out += told->count;
        server->stats.partial_writes += told->count < told->asked;
        model->moved = true;
    }
    CHECK(result == expected, "a write returned %d, expected %d", (int)result, (int)expected);
}

static void pause_or_resume(struct model *model, struct server_model *server,
                            const struct wire *wire)
{
    size_t unsent = output(model, wire);

    if (model->state != CONNECTION_OPEN)
        return;
    if (!model->paused && unsent >= server->options->high_water) {
        model->paused = true;
        server->stats.pauses++;
    }
    if (model->paused && unsent <= server->options->low_water)
        model->paused = false;
}

void model_settle(struct model *model, struct server_model *server, const struct wire *wire,
                  bool without_memory)
{
    if (server->stopping)
        model_finish(model, server, CLOSE_stop);
    if (without_memory)
        failed(model, ENOMEM);
    pause_or_resume(model, server, wire);
    if (model->state == CONNECTION_FLUSHING && output(model, wire) == 0) {
        if (model->input_ended) {
            model->state = CONNECTION_CLOSED;
        } else {
            CHECK(wire->shut, "all echoes are sent, and no FIN after them");
            model->state = CONNECTION_LINGERING;
            if (wire->shutdown_number != 0)
                failed(model, wire->shutdown_number);
        }
    }
    if (model->state == CONNECTION_LINGERING &&
        (model->input_ended || server->options->drain_timeout_ns == 0))
        model->state = CONNECTION_CLOSED;
    if (model->moved)
        model->activity_ns = server->now_ns;
    model->moved = false;
}

static uint64_t cut_at(const struct model *model, const struct server_model *server)
{
    if (model->closing)
        return clock_after(model->closing_ns, server->options->drain_timeout_ns);
    return clock_after(model->activity_ns, server->options->idle_timeout_ns);
}

bool model_is_cut(const struct model *model, const struct server_model *server)
{
    return cut_at(model, server) <= server->now_ns;
}

uint64_t model_deadline(const struct model *model, const struct server_model *server)
{
    uint64_t cut = cut_at(model, server);
    uint64_t too_old = clock_after(model->opened_ns, server->options->max_lifetime_ns);

    return model->closing || cut < too_old ? cut : too_old;
}
