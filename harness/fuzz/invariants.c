/* What must be true between two steps of a script, and what libFuzzer is shown of it. */
#include "bench.h"
#include "check.h"
#include "lines.h"

#include "../../common/buffer.h"
#include "../../common/clock.h"

#include <string.h>

/* Which states of a connection the script has come through: shown to libFuzzer beside the edges of
 * the code, which many different states share. It clears them before each input. */
#ifdef __linux__
__attribute__((section("__libfuzzer_extra_counters")))
#endif
static uint8_t reached[1 << 10];

#ifdef __linux__
__attribute__((section("__libfuzzer_extra_counters")))
#endif
static uint8_t moves[2][2][2];

/* Bytes moved in this turn: in which direction only, and is that later than the last ones did? */
void show_move(const struct subject *subject, const struct server_model *server)
{
    const struct model *model = &subject->model;

    if (model->moved)
        moves[subject->received][server->now_ns > model->activity_ns]
             [server->options->idle_timeout_ns != NEVER] = 1;
}

/* Where the stream stands: between frames, in a header, one byte before the end, anywhere else. */
static size_t place(const struct model *model)
{
    if (model->header_bytes < 4)
        return model->header_bytes > 0;
    return model->body_left == 1 ? 2 : 3;
}

static void show_state(const struct subject *subject)
{
    const struct model *model = &subject->model;
    size_t pending = model_pending(model, &kernel.wires[subject->fd - FIRST_FD]);
    size_t state = (size_t)model->state;

    state = state << 3 | (model->state == CONNECTION_OPEN ? 0 : (size_t)model->reason);
    state = state << 1 | (model->paused || model->closing);
    state = state << 1 | model->input_ended;
    state = state << 1 | (pending > 0);
    state = state << 2 | place(model);
    reached[state] = 1;
}

static void check_memory(const struct bench *bench, const struct subject *subject)
{
    const struct connection *connection = subject->connection;
    const struct wire *wire = kernel_wire(subject->fd);
    size_t pending = model_pending(&subject->model, wire);
    size_t most = 2 * ((size_t)bench->options.high_water + bench->options.max_frame + 4);

    CHECK(!connection->borrowed, "the shared buffer is still lent");
    CHECK(connection->used - connection->start == pending, "keeps %u bytes, %zu are pending",
          connection->used - connection->start, pending);
    CHECK((connection->data != NULL) == (pending > 0), "holds a %s with %zu bytes pending",
          connection->data ? "buffer" : "nothing", pending);
    CHECK(connection->capacity <= (most > SCRATCH_BYTES ? most : SCRATCH_BYTES),
          "a buffer of %u bytes", connection->capacity);
    if (pending > 0)
        CHECK(memcmp(connection->data + connection->start, wire->stream + wire->sent, pending) == 0,
              "what is kept from byte %zu on is not what came", wire->sent);
}

void check_subject(const struct bench *bench, const struct subject *subject)
{
    static const char *const names[] = {"open", "flushing", "lingering", "closed"};
    const struct connection *connection = subject->connection;
    const struct model *model = &subject->model;
    unsigned wants = connection_wants(connection);

    show_state(subject);
    CHECK(connection->state == model->state, "is %s, expected %s", names[connection->state],
          names[model->state]);
    if (model->state != CONNECTION_OPEN)
        CHECK(connection->reason == model->reason, "reason %d, expected %d", connection->reason,
              (int)model->reason);
    if (subject->retired)
        return;
    CHECK(wants == model_wants(model, kernel_wire(subject->fd)), "wants %u, expected %u", wants,
          model_wants(model, kernel_wire(subject->fd)));
    CHECK(wants != NOTHING || model->state == CONNECTION_CLOSED, "wants nothing, for ever");
    CHECK(connection->closing == model->closing, "closing: %d", connection->closing);
    check_memory(bench, subject);
}

static void check_counts(const struct bench *bench)
{
    const struct stats *is = &bench->stats;
    const struct stats *must = &bench->server.stats;

#define SAME(name, expected)                                                                       \
    CHECK(is->name == (expected), #name " %llu, expected %llu", (unsigned long long)is->name,      \
          (unsigned long long)(expected))
    SAME(frames, must->frames);
    SAME(bytes_in, must->bytes_in);
    SAME(bytes_out, must->bytes_out);
    SAME(partial_writes, must->partial_writes);
    SAME(pauses, must->pauses);
    SAME(reads, kernel.recvs);
    SAME(writes, kernel.sends);
    SAME(would_block, kernel.would_block);
    for (int reason = 0; reason < CLOSE_REASON_COUNT; reason++)
        SAME(closed[reason], must->closed[reason]);
#undef SAME
    CHECK(reported_lines == bench->server.oversize_lines, "%llu lines reported, expected %llu",
          (unsigned long long)reported_lines, (unsigned long long)bench->server.oversize_lines);
    /* Every byte is moved once from the shared buffer at most; a buffer that is moved to its front
     * or grows leaves room for as much again, so the rest is paid for by what comes then. */
    CHECK(is->copied_bytes <= 6 * is->bytes_in, "%llu bytes copied of %llu",
          (unsigned long long)is->copied_bytes, (unsigned long long)is->bytes_in);
    CHECK(is->copied_bytes == 0 || !bench->undelayed, "%llu bytes copied, though none had to wait",
          (unsigned long long)is->copied_bytes);
}

void check_all(const struct bench *bench)
{
    size_t buffers = 0;
    size_t blocks = 1; /* the shared buffer */
    uint64_t deadline = NEVER;

    for (int i = 0; i < WIRES; i++) {
        const struct subject *subject = &bench->subjects[i];
        if (subject->connection == NULL)
            continue;
        check_subject(bench, subject);
        blocks++;
        if (subject->retired)
            continue;
        buffers += subject->connection->data != NULL;
        uint64_t its = model_deadline(&subject->model, &bench->server);
        deadline = its < deadline ? its : deadline;
    }
    CHECK(bench->connections.buffers == buffers, "counts %zu buffers, there are %zu",
          bench->connections.buffers, buffers);
    CHECK(bench->connections.count == bench->server.connections, "counts %zu connections",
          bench->connections.count);
    CHECK(kernel.blocks == blocks + buffers, "%zu pieces of memory are held, expected %zu",
          kernel.blocks, blocks + buffers);
    CHECK(connections_deadline(&bench->connections) == deadline,
          "the next deadline is %llu, expected %llu",
          (unsigned long long)connections_deadline(&bench->connections),
          (unsigned long long)deadline);
    check_counts(bench);
}
