/* Connections driven as any loop may drive them, by a script that also plays the peers, the kernel
 * and the clock, and compared with the model after every step. README.md has the script's form. */
#include "bench.h"
#include "check.h"
#include "lines.h"
#include "targets.h"

#include "../../common/clock.h"

#include <errno.h>
#include <string.h>

enum {
    MOST_STEPS = 500,
    LONGEST_FRAME = 80000, /* longer than what one recv brings */
};

/* -- the loop --------------------------------------------------------------------------------- */

static void retire(struct bench *bench, struct subject *subject)
{
    if (subject->model.state == CONNECTION_OPEN)
        subject->model.reason = CLOSE_error;
    subject->model.state = CONNECTION_CLOSED;
    bench->server.stats.closed[subject->model.reason]++;
    bench->server.connections--;
    connection_retire(&bench->connections, subject->connection);
    subject->retired = true;
}

static void settle(struct bench *bench, struct subject *subject)
{
    show_move(subject, &bench->server);
    subject->received = false;
    kernel.out_of_memory = false;
    connection_settle(&bench->connections, subject->connection);
    model_settle(&subject->model, &bench->server, kernel_wire(subject->fd), kernel.out_of_memory);
    if (subject->connection->data != NULL)
        bench->undelayed = false;
    check_subject(bench, subject);
    if (subject->connection->state == CONNECTION_CLOSED)
        retire(bench, subject);
}

static void read_once(struct bench *bench, struct subject *subject)
{
    kernel.out_of_memory = false;
    enum io_result result = connection_read(&bench->connections, subject->connection);
    model_read(&subject->model, &bench->server, kernel_wire(subject->fd), result,
               kernel.out_of_memory);
    subject->received = true;
}

static void write_once(struct bench *bench, struct subject *subject)
{
    enum io_result result = connection_write(&bench->connections, subject->connection);

    model_write(&subject->model, &bench->server, kernel_wire(subject->fd), result);
}

/* A turn: reads and writes as far as the policy says, never what is not wanted, and settles before
 * it reads again. */
static void turn(struct bench *bench, struct subject *subject)
{
    unsigned policy = script_byte(&bench->script);
    unsigned rounds = 1 + (policy >> 4) % 4;

    for (; rounds > 0 && live(subject); rounds--) {
        step("    %s%s%s", policy & 1 ? "" : "read ", policy & 2 ? "" : "write ",
             policy & 4 ? "write " : "");
        if (!(policy & 1) && connection_wants(subject->connection) & READABLE)
            read_once(bench, subject);
        if (!(policy & 2) && connection_wants(subject->connection) & WRITABLE)
            write_once(bench, subject);
        if (policy & 4 && connection_wants(subject->connection) & WRITABLE)
            write_once(bench, subject);
        settle(bench, subject);
    }
}

static struct subject *subject_of(struct bench *bench, const struct connection *connection)
{
    for (int i = 0; i < WIRES; i++)
        if (bench->subjects[i].connection == connection)
            return &bench->subjects[i];
    CHECK(false, "a connection that was never opened");
}

/* -- steps of a script ------------------------------------------------------------------------ */

static void open_one(struct bench *bench, struct subject *subject)
{
    bool watched = script_byte(&bench->script) % 8 != 7;

    if (subject->connection != NULL || bench->server.stopping)
        return;
    int fd = kernel_socket();
    kernel.out_of_memory = false;
    struct connection *connection = connection_open(&bench->connections, fd);
    CHECK((connection == NULL) == kernel.out_of_memory, "opened: %d", connection != NULL);
    if (connection != NULL && !watched)
        connection_discard(&bench->connections, connection);
    if (connection == NULL || !watched) {
        kernel_wire(fd)->open = false; /* still the caller's */
        return;
    }
    *subject = (struct subject){.connection = connection, .fd = fd};
    model_open(&subject->model, &bench->server);
    bench->server.connections++;
}

static void peer_sends(struct wire *wire, const uint8_t *bytes, size_t size)
{
    if (wire->ended || wire->broken != 0 || wire->arrived + size > STREAM_BYTES)
        return;
    memcpy(wire->stream + wire->arrived, bytes, size);
    wire->arrived += size;
}

static void peer_sends_header(struct wire *wire, uint32_t length)
{
    const uint8_t header[] = {(uint8_t)(length >> 24), (uint8_t)(length >> 16),
                              (uint8_t)(length >> 8), (uint8_t)length};

    peer_sends(wire, header, sizeof header);
}

static void frames(struct bench *bench, struct subject *subject)
{
    static uint8_t payload[LONGEST_FRAME];
    uint32_t most =
        bench->options.max_frame < LONGEST_FRAME ? bench->options.max_frame : LONGEST_FRAME;
    uint8_t form = script_byte(&bench->script);
    uint32_t number = script_number(&bench->script);
    uint32_t length = (form & 0x80 ? number * 2 : number % 256) % (most + 1);
    struct wire *wire = kernel_wire(subject->fd);

    if (form & 0x40)
        length = most;
    step("    %d frames of %u", 1 + form % 8, length);
    for (int count = 1 + form % 8; count > 0; count--) {
        if (wire->arrived + 4 + length > STREAM_BYTES)
            return;
        for (uint32_t i = 0; i < length; i++)
            payload[i] = bench->filling++;
        peer_sends_header(wire, length);
        peer_sends(wire, payload, length);
        bench->filling += 3;
    }
}

static void raw(struct bench *bench, struct subject *subject)
{
    for (int count = 1 + script_byte(&bench->script) % 16; count > 0; count--) {
        uint8_t byte = script_byte(&bench->script);
        peer_sends(kernel_wire(subject->fd), &byte, 1);
    }
}

static void oversize(struct bench *bench, struct subject *subject)
{
    uint32_t number = script_number(&bench->script);

    peer_sends_header(kernel_wire(subject->fd),
                      number & 1 ? UINT32_MAX - number : bench->options.max_frame + 1 + number);
}

static void end(struct bench *bench, struct subject *subject)
{
    (void)bench;
    kernel_wire(subject->fd)->ended = true;
}

static int failure(struct bench *bench)
{
    static const int numbers[] = {ECONNRESET, EPIPE, ETIMEDOUT, ENOBUFS, ENOMEM, EHOSTUNREACH};

    return numbers[script_byte(&bench->script) % (sizeof numbers / sizeof numbers[0])];
}

static void vanish(struct bench *bench, struct subject *subject)
{
    kernel_wire(subject->fd)->broken = failure(bench);
}

static void take(struct bench *bench, struct subject *subject)
{
    uint32_t number = script_number(&bench->script);

    kernel_wire(subject->fd)->window += number & 0x8000 ? (size_t)number * 64 : number;
}

static struct answer planned(struct bench *bench, size_t whole)
{
    uint8_t kind = script_byte(&bench->script);
    size_t few = 1 + kind / 8 % 8;

    switch (kind % 8) {
    case 0:
        return (struct answer){.kind = ANSWER_FAIL, .number = EINTR};
    case 1:
        return (struct answer){.kind = ANSWER_FAIL, .number = EAGAIN};
    case 2:
        return (struct answer){.kind = ANSWER_FAIL, .number = failure(bench)};
    case 3:
    case 4:
        return (struct answer){.kind = ANSWER_SHORT, .size = 1 + script_number(&bench->script)};
    case 5:
        return (struct answer){.kind = ANSWER_SHORT, .size = few};
    default: /* nearly all that there is: frames are cut where their ends are counted */
        return (struct answer){.kind = ANSWER_SHORT, .size = whole > few ? whole - few : 1};
    }
}

static void answer_recv(struct bench *bench, struct subject *subject)
{
    struct wire *wire = kernel_wire(subject->fd);

    kernel_plan(&wire->on_recv, planned(bench, wire->arrived - wire->received));
}

static void answer_send(struct bench *bench, struct subject *subject)
{
    struct wire *wire = kernel_wire(subject->fd);

    kernel_plan(&wire->on_send, planned(bench, wire->may_send - wire->sent));
}

static void fail_shutdown(struct bench *bench, struct subject *subject)
{
    if (!kernel_wire(subject->fd)->shut)
        kernel_wire(subject->fd)->shutdown_number = ENOTCONN;
    (void)bench;
}

static void run_out_of_memory(struct bench *bench, struct subject *subject)
{
    (void)subject;
    kernel.fail_in = 1 + script_byte(&bench->script) % 4;
}

static void reap(struct bench *bench, struct subject *subject)
{
    size_t retired = 0;

    (void)subject;
    for (int i = 0; i < WIRES; i++)
        retired += bench->subjects[i].retired;
    size_t reaped = connections_reap(&bench->connections);
    CHECK(reaped == retired, "%zu reaped, expected %zu", reaped, retired);
    for (int i = 0; i < WIRES; i++) {
        struct subject *each = &bench->subjects[i];
        if (!each->retired)
            continue;
        CHECK(!kernel.wires[each->fd - FIRST_FD].open, "descriptor %d was left open", each->fd);
        *each = (struct subject){0};
    }
}

static void check_expired(struct bench *bench, struct subject *subject)
{
    struct model *model = &subject->model;

    CHECK(live(subject), "expired after it was retired");
    CHECK(model_deadline(model, &bench->server) <= bench->server.now_ns, "expired too early");
    if (model_is_cut(model, &bench->server))
        model_close(model, CLOSE_idle); /* or at the end of the drain: it has its reason then */
    else
        model_finish(model, &bench->server, CLOSE_lifetime);
}

static void expire(struct bench *bench)
{
    struct connection *connection;

    while ((connection = connections_expired(&bench->connections)) != NULL) {
        struct subject *subject = subject_of(bench, connection);
        check_expired(bench, subject);
        settle(bench, subject);
    }
    for (int i = 0; i < WIRES; i++)
        if (live(&bench->subjects[i]))
            CHECK(model_deadline(&bench->subjects[i].model, &bench->server) > bench->server.now_ns,
                  "connection %d was not expired", i);
}

static void pass_time(struct bench *bench, struct subject *subject)
{
    (void)subject;
    uint32_t number = script_number(&bench->script);

    bench->server.now_ns += number & 0x8000 ? number : number % 512; /* mostly within a timeout */
    bench->connections.now_ns = bench->server.now_ns;
    expire(bench);
}

static void stop(struct bench *bench, struct subject *subject)
{
    (void)subject;
    if (script_byte(&bench->script) % 4 != 3) /* else most scripts would be short */
        return;
    bench->server.stopping = true;
    bench->connections.stopping = true;
}

static void give_up(struct bench *bench, struct subject *subject)
{
    if (script_byte(&bench->script) % 4 == 3)
        retire(bench, subject);
}

static const struct operation {
    const char *name;
    void (*run)(struct bench *bench, struct subject *subject);
    bool on_live; /* needs a connection */
} operations[] = {
    {"opens", open_one, false},
    {"frames", frames, true},
    {"raw bytes", raw, true},
    {"turn", turn, true},
    {"takes echoes", take, true},
    {"next recv answers", answer_recv, true},
    {"next send answers", answer_send, true},
    {"ends", end, true},
    {"oversize header", oversize, true},
    {"vanishes", vanish, true},
    {"reap", reap, false},
    {"time passes", pass_time, false},
    {"memory runs out", run_out_of_memory, false},
    {"shutdown fails", fail_shutdown, true},
    {"the loop gives it up", give_up, true},
    {"stop", stop, false},
};

/* -- the run ---------------------------------------------------------------------------------- */

static uint64_t timeout(struct script *script)
{
    uint8_t byte = script_byte(script);

    return byte % 2 == 0 ? 1 + (uint64_t)byte * 256 : NEVER;
}

static void read_options(struct options *options, struct script *script)
{
    static const uint32_t limits[] = {16, 0, 1, 300, 5000, 70000, 1U << 20};
    static const uint32_t marks[] = {100, 1, 3000, 70000, 1U << 18};

    /* One statement each: within an initializer the order of the calls would be the compiler's. */
    options->max_frame = limits[script_byte(script) % (sizeof limits / sizeof limits[0])];
    options->high_water = marks[script_byte(script) % (sizeof marks / sizeof marks[0])];
    options->idle_timeout_ns = timeout(script);
    options->max_lifetime_ns = timeout(script);
    options->low_water = (uint32_t)((uint64_t)options->high_water * script_byte(script) / 256);
    options->drain_timeout_ns = (uint64_t)script_byte(script) * 64;
    step("max-frame %u, high-water %u, low-water %u", options->max_frame, options->high_water,
         options->low_water);
}

static bool begin(struct bench *bench)
{
    struct error error;
    uint8_t flags;

    kernel_reset();
    reported_lines = 0;
    read_options(&bench->options, &bench->script);
    flags = script_byte(&bench->script);
    kernel.named_peers = flags & 1;
    kernel.fail_in = flags == UINT8_MAX ? 1 : 0;
    bench->undelayed = true;
    bench->server = (struct server_model){.options = &bench->options, .now_ns = 1000};
    int result = connections_init(&bench->connections, &bench->options, &bench->stats, &error);
    CHECK((result < 0) == kernel.out_of_memory, "connections_init returned %d", result);
    bench->connections.now_ns = bench->server.now_ns;
    return result == 0;
}

static void run_step(struct bench *bench)
{
    uint8_t which = script_byte(&bench->script);
    const struct operation *operation =
        &operations[which % (sizeof operations / sizeof operations[0])];
    int number = which >> 4 & (WIRES - 1);
    struct subject *subject = &bench->subjects[number];

    if (operation->on_live && !live(subject))
        return;
    step("%d: %s", number, operation->name);
    operation->run(bench, subject);
    check_all(bench);
}

int connection_target(const uint8_t *bytes, size_t size)
{
    struct bench bench = {.script = {.bytes = bytes, .size = size}};

    if (!begin(&bench))
        return 0;
    for (int steps = 0; steps < MOST_STEPS && !script_over(&bench.script); steps++)
        run_step(&bench);
    connections_destroy(&bench.connections);
    for (int i = 0; i < WIRES; i++)
        CHECK(!kernel.wires[i].open, "descriptor %d was left open", FIRST_FD + i);
    CHECK(kernel.blocks == 0, "%zu pieces of memory were not freed", kernel.blocks);
    return 0;
}
