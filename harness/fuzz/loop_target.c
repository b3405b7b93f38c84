/* A whole server between a script that plays the peers, the kernel and the clock, and the model.
 * README.md has the script's form. */
#include "check.h"
#include "loop_check.h"
#include "memory.h"
#include "targets.h"

#include "../../common/clock.h"
#include "../../common/signals.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#ifdef __linux__
int edge_main(int argc, char **argv);
#endif

enum {
    MOST_BYTES = 2000,
    MOST_LAST_WAITS = 4000, /* all that peers can send comes in fewer reads */
};

/* -- steps of a script ------------------------------------------------------------------------ */

static void connects(struct peer *peer, struct script *script)
{
    uint32_t window = script_number(script);

    if (peer->place != AWAY || loop_bench.stopping)
        return;
    memset(peer, 0, offsetof(struct peer, model));
    model_begin(&peer->model, &kernel.server);
    peer->model.filling = (uint8_t)(kernel.connects * 41);
    peer->number = kernel.connects++;
    peer->window = window & 0x8000 ? (size_t)window * 64 : window;
    peer->place = QUEUED;
    kernel_news(A_LISTENER);
}

/* May the peer send? If so, it is going to. */
static bool sends(struct peer *peer)
{
    if (peer->place == AWAY || peer->ended || peer->broken != 0)
        return false;
    kernel_peer_news(peer);
    return true;
}

static void frames(struct peer *peer, struct script *script)
{
    if (sends(peer))
        model_frames(&peer->model, script, kernel.server.options->max_frame);
}

static void raw(struct peer *peer, struct script *script)
{
    if (sends(peer))
        model_raw(&peer->model, script);
}

static void oversize(struct peer *peer, struct script *script)
{
    if (sends(peer))
        model_oversize(&peer->model, script, kernel.server.options->max_frame);
}

static void ends(struct peer *peer, struct script *script)
{
    (void)script;
    if (sends(peer))
        peer->ended = true;
}

static void vanishes(struct peer *peer, struct script *script)
{
    peer->broken = script_errno(script);
    kernel_peer_news(peer);
}

/* Room is news only to one who was refused some. */
static void take(struct peer *peer, size_t more)
{
    peer->window += more;
    if (peer->blocked && more > 0)
        kernel_peer_news(peer);
}

static void takes(struct peer *peer, struct script *script)
{
    uint32_t number = script_number(script);

    take(peer, number & 0x8000 ? (size_t)number * 64 : number);
}

static struct answer planned(struct script *script, size_t whole)
{
    switch (script_byte(script) % 6) {
    case 0:
        return (struct answer){.number = EINTR};
    case 1:
        return (struct answer){.number = EAGAIN};
    case 2:
        return (struct answer){.number = script_errno(script)};
    default:
        return (struct answer){.most = script_amount(script, whole)};
    }
}

static void answer_recv(struct peer *peer, struct script *script)
{
    peer->on_recv = planned(script, peer->model.arrived - peer->model.received);
}

static void answer_send(struct peer *peer, struct script *script)
{
    peer->on_send = planned(script, model_output(&peer->model));
}

static void pass_time(struct peer *peer, struct script *script)
{
    uint32_t number = script_number(script);

    (void)peer;
    kernel.server.now_ns += number & 0x8000 ? number : number % 512; /* mostly within a timeout */
    if (number == UINT16_MAX)
        kernel.server.now_ns += NANOSECONDS_A_SECOND;
}

static void run_out(struct peer *peer, struct script *script)
{
    uint8_t number = script_byte(script);

    (void)peer;
    if (number & 0x80)
        heap.fail_in = 1 + number % 4;
    else
        kernel.limit = 2 + number % (DESCRIPTORS - 1);
}

static void raise_signal(struct peer *peer, struct script *script)
{
    static const int numbers[] = {0, 0, SIGUSR1, SIGTERM, 0, 0, SIGUSR1, SIGINT};

    (void)peer; /* most do not stop it, or most scripts would be short */
    kernel.signals[kernel.signals[0] != 0] = numbers[script_byte(script) % 8];
    kernel_news(A_SIGNALS);
}

static void fail_rarely(struct peer *peer, struct script *script)
{
    static const int accept_numbers[] = {EINTR, ECONNABORTED, ENFILE, ENOBUFS};
    uint8_t number = script_byte(script);

    switch (number % 8) {
    case 0:
        loop_bench.add_fails = true;
        break;
    case 1:
        loop_bench.update_fails = true;
        break;
    case 2:
        peer->shutdown_number = peer->shut ? 0 : ENOTCONN;
        break;
    case 3:
        loop_bench.broken |= number == 0xFB; /* the wait */
        break;
    default:
        kernel.accept_number = accept_numbers[number / 8 % 4];
    }
}

static void happens_rarely(struct peer *peer, struct script *script)
{
    uint8_t number = script_byte(script);

    switch (number % 4) {
    case 0: /* the byte itself is not in the stream, only its place is marked there */
        if (!sends(peer))
            break;
        peer->urgent = true;
        peer->mark = peer->model.arrived;
        break;
    case 1:
        kernel.log_full = !kernel.log_full;
        break;
    default:
        peer->progress = (enum progress)(number / 4 % 4);
    }
}

static const struct operation {
    const char *name;
    void (*run)(struct peer *peer, struct script *script); /* NULL: the wait returns */
} operations[] = {
    {"wait returns", NULL},
    {"frames", frames},
    {"connects", connects},
    {"takes echoes", takes},
    {"raw bytes", raw},
    {"ends", ends},
    {"next recv answers", answer_recv},
    {"next send answers", answer_send},
    {"oversize header", oversize},
    {"vanishes", vanishes},
    {"time passes", pass_time},
    {"wait returns", NULL},
    {"memory or descriptors run out", run_out},
    {"signal", raise_signal},
    {"a call will fail", fail_rarely},
    {"an urgent byte, progress, or the log fills up", happens_rarely},
};

/* -- the wait --------------------------------------------------------------------------------- */

/* Which of the descriptors are reported, from which on, and how; all zero: what is so. */
struct wake {
    uint8_t how;
    uint16_t left_out;
};

enum { INTERRUPTED = 1, BACKWARDS = 2, TWICE = 4, SPURIOUS = 8, SOME = 16 };

/* Plays until the wait returns. */
static struct wake play(struct script *script)
{
    struct wake wake = {0};

    while (!script_over(script)) {
        uint8_t which = script_byte(script);
        const struct operation *operation =
            &operations[(which & 15) % (sizeof operations / sizeof operations[0])];
        struct peer *peer = &kernel.peers[(which >> 4) % PEERS];
        step("%d: %s", (which >> 4) % PEERS, operation->name);
        if (operation->run == NULL) {
            wake.how = script_byte(script);
            wake.left_out = wake.how & SOME ? (uint16_t)script_number(script) : 0;
            break;
        }
        operation->run(peer, script);
    }
    return wake;
}

static unsigned due(const struct descriptor *descriptor)
{
    if (descriptor->data == NULL || (descriptor->by_edges && !descriptor->news))
        return NOTHING;
    if (descriptor->peer != NULL && descriptor->peer->broken != 0) /* comes unasked */
        return READABLE | WRITABLE | (descriptor->interest & (HANGUP | URGENT));
    return kernel_readiness(descriptor) & descriptor->interest;
}

static int collect(struct wake wake, struct kernel_event *events, int most)
{
    int count = 0;

    for (int i = 0; i < DESCRIPTORS; i++) {
        int at = ((wake.how >> 5) + (wake.how & BACKWARDS ? DESCRIPTORS - i : i)) % DESCRIPTORS;
        struct descriptor *descriptor = &kernel.descriptors[at];
        unsigned ready = wake.left_out >> at & 1 ? NOTHING : due(descriptor);
        if (ready != NOTHING)
            descriptor->news = false;
        if (wake.how & SPURIOUS && descriptor->data != NULL && descriptor->kind <= A_SOCKET)
            ready |= descriptor->interest & (READABLE | WRITABLE);
        for (int times = wake.how & TWICE && !loop_bench.edges ? 2 : 1; times > 0; times--)
            if (ready != NOTHING && count < most)
                events[count++] = (struct kernel_event){.data = descriptor->data, .ready = ready};
    }
    return count;
}

static void help_server(void)
{
    kernel.limit = DESCRIPTORS;
    kernel.accept_number = 0;
    heap.fail_in = 0;
    for (struct peer *peer = kernel.peers; peer < kernel.peers + PEERS; peer++) {
        peer->on_recv = peer->on_send = (struct answer){0};
        take(peer, SIZE_MAX / 2);
        ends(peer, NULL);
    }
}

/* The script is over. Unless they are stubborn, the peers take all echoes and end, and then nobody
 * may be left. At last the server is stopped: it must end, by its timeouts if need be. */
static void wind_up(bool something, bool sleeps)
{
    CHECK(loop_bench.last_waits < MOST_LAST_WAITS, "the loop goes round for ever");
    if (something || !sleeps)
        return;
    CHECK(loop_bench.stubborn || kernel_first(CONNECTED) == NULL, "peer %d waits for ever",
          (int)(kernel_first(CONNECTED) - kernel.peers));
    if (loop_bench.stopping || (!loop_bench.stubborn && kernel_first(QUEUED) != NULL)) {
        CHECK(kernel.timer_ns != NEVER, "the loop sleeps for ever");
        return;
    }
    kernel.signals[0] = SIGTERM;
    kernel_news(A_SIGNALS);
}

static int wait_for(struct kernel_event *events, int most, bool sleeps)
{
    struct wake wake = play(&loop_bench.script);
    bool over = script_over(&loop_bench.script);

    if (over && loop_bench.last_waits++ == 0 && !loop_bench.stubborn)
        help_server();
    if (loop_bench.broken || wake.how & INTERRUPTED) {
        errno = loop_bench.broken ? EBADF : EINTR;
        return -1;
    }
    if (over)
        wake = (struct wake){0};
    int count = collect(wake, events, most);
    if (over)
        wind_up(count > 0 || kernel.signals[0] != 0, sleeps);
    if (count > 0 || !sleeps)
        return count;
    if ((count = collect((struct wake){0}, events, most)) > 0) /* nobody sleeps while it is so */
        return count;
    check_sleep();
    if (kernel.signals[0] != 0 || kernel.timer_ns == NEVER) {
        errno = EINTR;
        return -1;
    }
    if (kernel.server.now_ns < kernel.timer_ns)
        kernel.server.now_ns = kernel.timer_ns;
    return collect((struct wake){0}, events, most);
}

int kernel_wait(struct kernel_event *events, int most, bool sleeps)
{
    CHECK(kernel.timer_ns <= loop_bench.deadline_ns, "sleeps beyond the deadline");
    kernel.server.stats.waits++;
    kernel.calls = 0;
    heap.failed = false; /* for a peer that was refused */
    int count = wait_for(events, most, sleeps);
    step("    %d events at %" PRIu64 " ns", count, kernel.server.now_ns);
    kernel.in_batch = true;
    kernel.server.stats.events += count > 0 ? (uint64_t)count : 0;
    return count;
}

/* -- the run ---------------------------------------------------------------------------------- */

/* Stands in for common/stats.c. */
int stats_print(FILE *stream, const struct stats *stats, const struct stats_gauges *gauges)
{
    (void)stream;
    if (loop_bench.loop != NULL) {
        CHECK(stats == &loop_bench.loop->service.stats, "other statistics");
        CHECK(gauges->connections == loop_bench.loop->connections.count, "connections: %" PRIu64,
              gauges->connections);
    }
    CHECK(!kernel.log_full, "prints statistics, though that write would wait");
    loop_bench.printed +=
        loop_bench.closed || loop_bench.loop == NULL || loop_bench.loop->mux == NULL;
    return 0;
}

/* Stands in for common/signals.c. */
int signals_block(struct error *error)
{
    (void)error;
    return 0;
}

/* For a restart, which never begins: no SIGUSR2 comes here. */
int signals_give_back(void)
{
    return 0;
}

void signals_set(sigset_t *set)
{
    (void)sigemptyset(set);
}

enum { ARGUMENTS = 15, LONGEST = 32 };

static void read_options(char texts[ARGUMENTS][LONGEST], struct script *script)
{
    static const char *const names[] = {"--max-frame",    "--high-water",   "--low-water",
                                        "--max-conns",    "--idle-timeout", "--max-lifetime",
                                        "--drain-timeout"};
    static const uint32_t limits[] = {16, 0, 1, 300, 5000, 70000, 1U << 20};
    static const uint32_t marks[] = {100, 1, 3000, 70000, 1U << 18};
    uint32_t values[7];

    values[0] = limits[script_byte(script) % (sizeof limits / sizeof limits[0])];
    values[1] = marks[script_byte(script) % (sizeof marks / sizeof marks[0])];
    values[2] = (uint32_t)((uint64_t)values[1] * script_byte(script) / 256);
    values[3] = 1 + script_byte(script) % PEERS;
    for (int i = 4; i < 7; i++)
        values[i] = script_byte(script);
    (void)snprintf(texts[0], LONGEST, "fuzz");
    for (int i = 0; i < 7; i++) {
        (void)snprintf(texts[1 + 2 * i], LONGEST, "%s", names[i]);
        (void)snprintf(texts[2 + 2 * i], LONGEST, i < 4 ? "%" PRIu32 : "%" PRIu32 "e-7", values[i]);
        step("%s %s", names[i], texts[2 + 2 * i]);
    }
}

static int run_server(struct script *script)
{
    static const struct server server = {.name = "fuzz", .wait = "wait"};
    char texts[ARGUMENTS][LONGEST];
    char *arguments[ARGUMENTS + 1] = {0};

    read_options(texts, script);
    for (int i = 0; i < ARGUMENTS; i++)
        arguments[i] = texts[i];
    optind = 1;
#ifdef __linux__
    if (loop_bench.edges)
        return edge_main(ARGUMENTS, arguments);
#endif
    return loop_main(&server, ARGUMENTS, arguments);
}

int loop_target(const uint8_t *bytes, size_t size)
{
    struct script script = {.bytes = bytes, .size = size < MOST_BYTES ? size : MOST_BYTES};

    kernel_reset();
    heap = (struct heap){0};
    uint8_t flags = script_byte(&script);
    loop_bench = (struct loop_bench){.edges = flags & 1, .stubborn = flags & 2};
#ifndef __linux__
    loop_bench.edges = false;
#endif
    reported_lines = 0;
    kernel.closed_streams = flags >> 2 & 7;
    heap.fail_in = flags >= 0xFC ? 1 + loop_bench.edges : 0; /* to begin with */
    loop_bench.script = script;
    int status = run_server(&loop_bench.script);
    bool fails = loop_bench.broken || flags >= 0xFC;
    CHECK(status == (fails || kernel.log_full), "exit status %d", status);
    CHECK(loop_bench.printed == !kernel.log_full, "final statistics: %d times", loop_bench.printed);
    CHECK(reported_lines == loop_bench.lines + (fails && !kernel.log_full),
          "%" PRIu64 " lines, expected %" PRIu64, reported_lines, loop_bench.lines);
    for (int i = 0; i < DESCRIPTORS; i++)
        CHECK(kernel.descriptors[i].kind == NO_DESCRIPTOR, "descriptor %d was left open",
              FIRST_FD + i);
    CHECK(heap.blocks == 0, "%zu pieces of memory were not freed", heap.blocks);
    return 0;
}
