/* The state machine of common/connection.h, told what came and what left by a script, and compared
 * with the model after every step. README.md has the script's form. */
#include "check.h"
#include "memory.h"
#include "model.h"
#include "targets.h"

#include "../../common/clock.h"

#include <errno.h>
#include <string.h>

enum { MOST_STEPS = 500 };

struct bench {
    struct script script;
    struct options options;
    struct stats stats;
    struct context context;
    struct server_model server;
    struct connection connection;
    bool lent;      /* room was asked for since the connection was settled */
    bool undelayed; /* every turn so far has ended with nothing pending */
    int fin_number; /* errno for the next FIN, or 0 */
};

static struct model model;

static void begin_connection(struct bench *bench)
{
    bench->connection = (struct connection){.activity_ns = bench->context.now_ns};
    model_begin(&model, &bench->server);
}

/* What connections.c does with one that is closed, or that the API cannot watch any longer. */
static void retire(struct bench *bench)
{
    connection_close(&bench->connection, CLOSE_error);
    model_close(&model, CLOSE_error);
    model_compare(&model, &bench->connection);
    buffer_free(&bench->connection.buffer, &bench->context);
    bench->lent = false;
    begin_connection(bench);
    step("    the next connection");
}

static void send_fin(struct bench *bench)
{
    step("    FIN");
    if (bench->fin_number != 0) {
        connection_failed(&bench->connection, bench->fin_number);
        model_failed(&model, bench->fin_number);
    } else {
        connection_fin_sent(&bench->connection, &bench->context);
        model_fin_sent(&model, &bench->server);
    }
    bench->fin_number = 0;
}

static void settle(struct bench *bench)
{
    heap.failed = false;
    connection_settle(&bench->connection, &bench->context);
    if (heap.failed)
        model_failed(&model, ENOMEM);
    model_settle(&model, &bench->server);
    memset(bench->context.scratch, 0x5A, SCRATCH_BYTES);
    bench->lent = false;
    bench->undelayed = bench->undelayed && bench->connection.buffer.data == NULL;
    model_compare_settled(&model, &bench->connection, &bench->options);
    CHECK(connection_owes_fin(&bench->connection) == model_owes_fin(&model), "owes FIN: %d",
          connection_owes_fin(&bench->connection));
    if (model_owes_fin(&model))
        send_fin(bench);
    if (model.state == CONNECTION_CLOSED)
        retire(bench);
}

static void receive(struct bench *bench, size_t most)
{
    size_t room = 0;

    if (bench->lent)
        settle(bench);
    if (!(connection_wants(&bench->connection) & READABLE))
        return;
    heap.failed = false;
    uint8_t *into = connection_room(&bench->connection, &bench->context, &room);
    CHECK((into == NULL) == heap.failed, "room: %d", into != NULL);
    if (into == NULL) {
        connection_failed(&bench->connection, ENOMEM);
        model_failed(&model, ENOMEM);
        return;
    }
    CHECK(room > 0, "recv into no room answers 0, as at the end of file");
    bench->lent = true;
    memset(into, 0xA5, room); /* all of it must be writable */
    size_t count = least(least(most, room), model.arrived - model.received);
    if (count == 0) /* would block */
        return;
    memcpy(into, model.stream + model.received, count);
    connection_received(&bench->connection, &bench->context, count);
    model_received(&model, &bench->server, count);
}

static void receives(struct bench *bench)
{
    receive(bench, script_amount(&bench->script, model.arrived - model.received));
}

static void send_some(struct bench *bench, size_t most)
{
    size_t size = 0;

    if (!(connection_wants(&bench->connection) & WRITABLE))
        return;
    model_compare(&model, &bench->connection);
    (void)connection_output(&bench->connection, &size);
    size_t count = least(most, size);
    connection_sent(&bench->connection, &bench->context, count);
    model_sent(&model, &bench->server, count);
}

static void sends(struct bench *bench)
{
    send_some(bench, script_amount(&bench->script, model_output(&model)));
}

/* A turn in which all goes well. */
static void turn(struct bench *bench)
{
    receive(bench, SIZE_MAX);
    send_some(bench, SIZE_MAX);
    settle(bench);
}

static void frames(struct bench *bench)
{
    model_frames(&model, &bench->script, bench->options.max_frame);
}

static void raw(struct bench *bench)
{
    model_raw(&model, &bench->script);
}

static void oversize(struct bench *bench)
{
    model_oversize(&model, &bench->script, bench->options.max_frame);
}

static void ends(struct bench *bench)
{
    if (!(connection_wants(&bench->connection) & READABLE))
        return;
    connection_ended(&bench->connection);
    model_ended(&model);
}

static void fails(struct bench *bench)
{
    int number = script_errno(&bench->script);

    connection_failed(&bench->connection, number);
    model_failed(&model, number);
}

static void fin_fails(struct bench *bench)
{
    bench->fin_number = script_errno(&bench->script);
}

static void finishes(struct bench *bench)
{
    enum close_reason reason = script_byte(&bench->script) & 1 ? CLOSE_stop : CLOSE_lifetime;

    connection_finish(&bench->connection, reason);
    model_finish(&model, &bench->server, reason);
}

static void idles(struct bench *bench)
{
    connection_close(&bench->connection, CLOSE_idle);
    model_close(&model, CLOSE_idle);
}

static void given_up(struct bench *bench)
{
    if (script_byte(&bench->script) % 4 == 3) /* else most conversations would be short */
        retire(bench);
}

static void time_passes(struct bench *bench)
{
    bench->context.now_ns += script_number(&bench->script);
    bench->server.now_ns = bench->context.now_ns;
}

static void run_out_of_memory(struct bench *bench)
{
    heap.fail_in = 1 + script_byte(&bench->script) % 4;
}

static const struct operation {
    const char *name;
    void (*run)(struct bench *bench);
} operations[] = {
    {"frames come", frames},
    {"a turn", turn},
    {"receive", receives},
    {"send", sends},
    {"settle", settle},
    {"raw bytes come", raw},
    {"the input ends", ends},
    {"an oversize header comes", oversize},
    {"a call fails", fails},
    {"the server finishes it", finishes},
    {"idle", idles},
    {"time passes", time_passes},
    {"memory runs out", run_out_of_memory},
    {"the next FIN fails", fin_fails},
    {"the loop gives it up", given_up},
};

static void check_counts(const struct bench *bench)
{
    const struct stats *is = &bench->stats;
    const struct buffer *buffer = &bench->connection.buffer;
    bool owned = buffer->data != NULL && !buffer->borrowed;

    CHECK(is->frames == bench->server.stats.frames, "%llu frames", (unsigned long long)is->frames);
    CHECK(is->pauses == bench->server.stats.pauses, "%llu pauses", (unsigned long long)is->pauses);
    CHECK(is->buffers == owned, "%llu buffers", (unsigned long long)is->buffers);
    CHECK(heap.blocks == owned, "%zu pieces of memory are held", heap.blocks);
    /* Every byte is moved once from the shared buffer at most; a buffer that is moved to its front
     * or grows leaves room for as much again, so the rest is paid for by what comes then. */
    CHECK(is->copied_bytes <= 6 * bench->server.stats.bytes_in, "%llu bytes copied of %llu",
          (unsigned long long)is->copied_bytes, (unsigned long long)bench->server.stats.bytes_in);
    CHECK(is->copied_bytes == 0 || !bench->undelayed, "%llu bytes copied, though none had to wait",
          (unsigned long long)is->copied_bytes);
}

static void read_options(struct options *options, struct script *script)
{
    static const uint32_t limits[] = {16, 0, 1, 300, 5000, 70000, 1U << 20};
    static const uint32_t marks[] = {100, 1, 3000, 70000, 1U << 18};

    /* One statement each: within an initializer the order of the calls would be the compiler's. */
    options->max_frame = limits[script_byte(script) % (sizeof limits / sizeof limits[0])];
    options->high_water = marks[script_byte(script) % (sizeof marks / sizeof marks[0])];
    options->low_water = (uint32_t)((uint64_t)options->high_water * script_byte(script) / 256);
    options->drain_timeout_ns = script_byte(script);
    step("max-frame %u, high-water %u, low-water %u", options->max_frame, options->high_water,
         options->low_water);
}

int connection_target(const uint8_t *bytes, size_t size)
{
    static uint8_t scratch[SCRATCH_BYTES];
    struct bench bench = {.script = {.bytes = bytes, .size = size}, .undelayed = true};

    heap = (struct heap){0};
    read_options(&bench.options, &bench.script);
    bench.context = (struct context){
        .now_ns = 1000, .scratch = scratch, .options = &bench.options, .stats = &bench.stats};
    bench.server = (struct server_model){.options = &bench.options, .now_ns = 1000};
    begin_connection(&bench);
    for (int steps = 0; steps < MOST_STEPS && !script_over(&bench.script); steps++) {
        const struct operation *operation =
            &operations[script_byte(&bench.script) % (sizeof operations / sizeof operations[0])];
        step("%s", operation->name);
        operation->run(&bench);
        model_compare(&model, &bench.connection);
        check_counts(&bench);
    }
    retire(&bench);
    CHECK(heap.blocks == 0, "%zu pieces of memory were not freed", heap.blocks);
    return 0;
}
