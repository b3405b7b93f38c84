/*
 * Tests of the emulation, in TAP: a plan, then a line for each test. Exit status 1 when one fails.
 * No test sleeps in the hope that something happens. States are awaited with poll(2). The kqueue is
 * itself a descriptor that poll understands, so "kevent would sleep" is a question with an exact
 * answer.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sys/event.h>

#define WATCHDOG_SECONDS 20

static char failure[256];
static const struct timespec no_wait = {0, 0};
/* Long enough for any machine. Only a broken emulation ever waits so long. */
static const struct timespec long_wait = {5, 0};
static int first_udata;
static int second_udata;

static bool is_equal(int line, const char *what, long long expected, long long came)
{
    if (expected != came) {
        snprintf(failure, sizeof failure, "line %d: %s: expected %lld, came %lld", line, what,
                 expected, came);
    }
    return expected == came;
}

static bool is_true(int line, const char *what, bool holds)
{
    if (!holds) {
        snprintf(failure, sizeof failure, "line %d: expected %s, came the opposite", line, what);
    }
    return holds;
}

#define CHECK_EQUAL(came, expected)                                                                \
    do {                                                                                           \
        if (!is_equal(__LINE__, #came, (long long)(expected), (long long)(came))) {                \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!is_true(__LINE__, #condition, (condition))) {                                         \
            return;                                                                                \
        }                                                                                          \
    } while (0)

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int64_t cpu_time(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    int64_t seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    return seconds * 1000000000 + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

static bool becomes_ready(int descriptor, short events)
{
    struct pollfd wanted = {.fd = descriptor, .events = events};
    return poll(&wanted, 1, 5000) == 1;
}

/* True when a kevent() without a timeout would sleep: nothing is ready inside the kqueue. */
static bool would_sleep(int kq)
{
    struct pollfd wanted = {.fd = kq, .events = POLLIN};
    return poll(&wanted, 1, 0) == 0;
}

static int change(int kq, int ident, int filter, int flags, uint32_t fflags, intptr_t data,
                  void *udata)
{
    struct kevent one;
    EV_SET(&one, ident, filter, flags, fflags, data, udata);
    return kevent(kq, &one, 1, NULL, 0, NULL);
}

/* The result of a change without data: 0 or an errno value. */
static int try_change(int kq, int ident, int filter, int flags)
{
    return change(kq, ident, filter, flags, 0, 0, NULL) == 0 ? 0 : errno;
}

/* Adds a user event and triggers it: two changes, because not every kernel does both in one. */
static int add_triggered(int kq, int ident, int flags)
{
    int added = change(kq, ident, EVFILT_USER, EV_ADD | flags, 0, 0, NULL);
    return added == 0 ? change(kq, ident, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL) : added;
}

static int fetch(int kq, struct kevent *events, int room)
{
    return kevent(kq, NULL, 0, events, room, &no_wait);
}

static void close_all(int first, int second, int third)
{
    close(first);
    close(second);
    close(third);
}

static void local_pair(int pair[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) < 0) {
        perror("socketpair");
        exit(1);
    }
}

static int tcp_listener(struct sockaddr_in *address)
{
    *address = (struct sockaddr_in){.sin_family = AF_INET};
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof *address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)address, length) < 0 ||
        listen(listener, 16) < 0 ||
        getsockname(listener, (struct sockaddr *)address, &length) < 0) {
        perror("listener");
        exit(1);
    }
    return listener;
}

static int tcp_connect(const struct sockaddr_in *address)
{
    int client = socket(AF_INET, SOCK_STREAM, 0);
    if (client < 0 || connect(client, (const struct sockaddr *)address, sizeof *address) < 0) {
        perror("connect");
        exit(1);
    }
    return client;
}

static void tcp_pair(int pair[2])
{
    struct sockaddr_in address;
    int listener = tcp_listener(&address);
    pair[1] = tcp_connect(&address);
    pair[0] = accept(listener, NULL, NULL);
    close(listener);
}

/* Closes with a reset, and returns when the other end has seen it. */
static bool reset(int descriptor, int other_end)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(descriptor);
    return becomes_ready(other_end, 0);
}

static void fill(int descriptor)
{
    static const char zeros[4096];
    while (send(descriptor, zeros, sizeof zeros, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
    }
}

static void drain(int descriptor)
{
    char buffer[4096];
    while (recv(descriptor, buffer, sizeof buffer, MSG_DONTWAIT) > 0) {
    }
}

static void test_read_level(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    local_pair(pair);
    CHECK_EQUAL(write(pair[1], "hello", 5), 5);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_READ, EV_ADD, 0, 0, &first_udata), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        CHECK_EQUAL(event.ident, pair[0]);
        CHECK_EQUAL(event.filter, EVFILT_READ);
        CHECK_EQUAL(event.flags, 0);
        CHECK_EQUAL(event.fflags, 0);
        CHECK_EQUAL(event.data, 5);
        CHECK(event.udata == &first_udata);
    }
    drain(pair[0]);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    close_all(kq, pair[0], pair[1]);
}

static void test_read_clear(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    local_pair(pair);
    CHECK_EQUAL(write(pair[1], "abc", 3), 3);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.flags, EV_CLEAR);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK_EQUAL(write(pair[1], "de", 2), 2);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.data, 5);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    /* Adding the filter once more evaluates it once more. */
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    close_all(kq, pair[0], pair[1]);
}

static void test_oneshot(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    local_pair(pair);
    CHECK_EQUAL(write(pair[1], "abc", 3), 3);
    const int filters[] = {EVFILT_READ, EVFILT_WRITE};
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(try_change(kq, pair[0], filters[i], EV_ADD | EV_ONESHOT), 0);
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        CHECK_EQUAL(event.filter, filters[i]);
        CHECK_EQUAL(event.flags, EV_ONESHOT);
        CHECK_EQUAL(fetch(kq, &event, 1), 0);
        CHECK_EQUAL(try_change(kq, pair[0], filters[i], EV_DELETE), ENOENT);
    }
    close_all(kq, pair[0], pair[1]);
}

static void test_listening_socket(void)
{
    int kq = kqueue();
    struct sockaddr_in address;
    int listener = tcp_listener(&address);
    struct kevent event;
    CHECK_EQUAL(try_change(kq, listener, EVFILT_READ, EV_ADD), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    int client = tcp_connect(&address);
    CHECK(becomes_ready(listener, POLLIN));
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK(event.data >= 1);
    CHECK_EQUAL(event.flags & EV_EOF, 0);
    close_all(kq, listener, client);
}

static void test_half_close_with_data_unread(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    tcp_pair(pair);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ADD), 0);
    CHECK_EQUAL(write(pair[1], "hello", 5), 5);
    CHECK_EQUAL(shutdown(pair[1], SHUT_WR), 0);
    CHECK(becomes_ready(pair[0], POLLRDHUP));
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.flags, EV_EOF);
    CHECK_EQUAL(event.data, 5);
    CHECK_EQUAL(event.fflags, 0);
    drain(pair[0]);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.flags, EV_EOF);
    CHECK_EQUAL(event.data, 0);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ADD), 0);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_DELETE), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.flags, 0);
    close_all(kq, pair[0], pair[1]);
}

static void test_half_close_is_an_edge(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    tcp_pair(pair);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ADD | EV_CLEAR), 0);
    CHECK_EQUAL(write(pair[1], "hello", 5), 5);
    CHECK_EQUAL(kevent(kq, NULL, 0, &event, 1, &long_wait), 1);
    CHECK_EQUAL(event.flags & EV_EOF, 0);
    drain(pair[0]);
    CHECK_EQUAL(shutdown(pair[1], SHUT_WR), 0);
    CHECK_EQUAL(kevent(kq, NULL, 0, &event, 1, &long_wait), 1);
    CHECK_EQUAL(event.flags, EV_EOF | EV_CLEAR);
    CHECK_EQUAL(event.data, 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    close_all(kq, pair[0], pair[1]);
}

static void test_reset_read(void)
{
    int kq = kqueue();
    int pair[2];
    char byte;
    struct kevent event;
    tcp_pair(pair);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ADD), 0);
    CHECK(reset(pair[1], pair[0]));
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.flags, EV_EOF);
    CHECK_EQUAL(event.fflags, ECONNRESET);
    /* Reporting the error must not have cleared it for the program. */
    CHECK_EQUAL(read(pair[0], &byte, 1), -1);
    CHECK_EQUAL(errno, ECONNRESET);
    close(kq);
    close(pair[0]);
}

static void test_reset_write_only(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    tcp_pair(pair);
    fill(pair[0]);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ADD), 0);
    CHECK(reset(pair[1], pair[0]));
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.filter, EVFILT_WRITE);
    CHECK_EQUAL(event.flags, EV_EOF);
    CHECK_EQUAL(event.fflags, ECONNRESET);
    close(kq);
    close(pair[0]);
}

static void test_write(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    local_pair(pair);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ADD), 0);
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        CHECK_EQUAL(event.flags, 0);
        CHECK(event.data >= 4096);
    }
    fill(pair[0]);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    drain(pair[1]);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    close_all(kq, pair[0], pair[1]);
}

static void test_write_clear(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    local_pair(pair);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ADD | EV_CLEAR), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    fill(pair[0]);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    drain(pair[1]);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    close_all(kq, pair[0], pair[1]);
}

static void test_pipe(void)
{
    int kq = kqueue();
    int ends[2];
    struct kevent event;
    CHECK_EQUAL(pipe(ends), 0);
    CHECK_EQUAL(write(ends[1], "abc", 3), 3);
    CHECK_EQUAL(try_change(kq, ends[1], EVFILT_WRITE, EV_ADD), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.data, fcntl(ends[1], F_GETPIPE_SZ) - 3);
    CHECK_EQUAL(event.flags, 0);
    CHECK_EQUAL(close(ends[0]), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.flags, EV_EOF);
    CHECK_EQUAL(close(ends[1]), 0);

    CHECK_EQUAL(pipe(ends), 0);
    CHECK_EQUAL(write(ends[1], "abc", 3), 3);
    CHECK_EQUAL(close(ends[1]), 0);
    CHECK_EQUAL(try_change(kq, ends[0], EVFILT_READ, EV_ADD), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.flags, EV_EOF);
    CHECK_EQUAL(event.data, 3);
    close(kq);
    close(ends[0]);
}

static void test_two_events_in_a_batch(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent events[4];
    local_pair(pair);
    CHECK_EQUAL(write(pair[1], "x", 1), 1);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_READ, EV_ADD, 0, 0, &first_udata), 0);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0, &second_udata), 0);
    CHECK_EQUAL(fetch(kq, events, 4), 2);
    struct kevent *reading = events[0].filter == EVFILT_READ ? &events[0] : &events[1];
    struct kevent *writing = events[0].filter == EVFILT_READ ? &events[1] : &events[0];
    CHECK_EQUAL(reading->filter, EVFILT_READ);
    CHECK_EQUAL(writing->filter, EVFILT_WRITE);
    CHECK(reading->udata == &first_udata && writing->udata == &second_udata);
    /* One is level-triggered and the other is not, though they share the descriptor. */
    CHECK_EQUAL(fetch(kq, events, 4), 1);
    CHECK_EQUAL(events[0].filter, EVFILT_READ);
    close_all(kq, pair[0], pair[1]);
}

static void test_add_modifies_and_does_not_enable(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    local_pair(pair);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_WRITE, EV_ADD, 0, 0, &first_udata), 0);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_WRITE, EV_ADD, 0, 0, &second_udata), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK(event.udata == &second_udata);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_WRITE, EV_DISABLE, 0, 0, NULL), 0);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_WRITE, EV_ADD, 0, 0, &first_udata), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK(would_sleep(kq));
    CHECK_EQUAL(change(kq, pair[0], EVFILT_WRITE, EV_ADD | EV_ENABLE, 0, 0, &second_udata), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK(event.udata == &second_udata);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_WRITE, EV_ADD | EV_DISABLE, 0, 0, NULL), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    close_all(kq, pair[0], pair[1]);
}

static void test_add_enables_no_signal_or_user_event(void)
{
    int kq = kqueue();
    struct kevent event;
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_ADD | EV_DISABLE), 0);
    CHECK_EQUAL(try_change(kq, 1, EVFILT_USER, EV_ADD | EV_DISABLE), 0);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_EQUAL(change(kq, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL), 0);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_ADD), 0);
    CHECK_EQUAL(try_change(kq, 1, EVFILT_USER, EV_ADD), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_ENABLE), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.filter, EVFILT_SIGNAL);
    CHECK_EQUAL(try_change(kq, 1, EVFILT_USER, EV_ENABLE), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.filter, EVFILT_USER);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_DELETE), 0);
    close(kq);
}

static void test_disable_and_enable(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    local_pair(pair);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ADD | EV_DISABLE), 0);
    CHECK_EQUAL(write(pair[1], "x", 1), 1);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_DISABLE), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ENABLE), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_DISABLE), 0);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_DELETE), 0);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ENABLE), ENOENT);
    close_all(kq, pair[0], pair[1]);
}

/* FreeBSD takes udata from every change, NetBSD from EV_ADD alone. */
static void test_udata_changes_with_add_alone(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    local_pair(pair);
    const int idents[] = {pair[0], 1, 1, SIGUSR1};
    const int filters[] = {EVFILT_WRITE, EVFILT_USER, EVFILT_TIMER, EVFILT_SIGNAL};
    for (int i = 0; i < 4; i++) {
        int ident = idents[i];
        int filter = filters[i];
        CHECK_EQUAL(change(kq, ident, filter, EV_ADD, 0, 60000, &first_udata), 0);
        CHECK_EQUAL(change(kq, ident, filter, EV_ENABLE, 0, 0, &second_udata), -1);
        CHECK_EQUAL(errno, EINVAL);
        CHECK_EQUAL(change(kq, ident, filter, 0, NOTE_TRIGGER, 0, NULL), -1);
        CHECK_EQUAL(errno, EINVAL);
        CHECK_EQUAL(change(kq, ident, filter, EV_DISABLE, 0, 0, NULL), 0);
        CHECK_EQUAL(change(kq, ident, filter, EV_ENABLE, 0, 0, NULL), -1);
        CHECK_EQUAL(errno, EINVAL);
        CHECK_EQUAL(change(kq, ident, filter, EV_ENABLE, 0, 0, &first_udata), 0);
    }
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK(event.udata == &first_udata);
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(try_change(kq, idents[i], filters[i], EV_DELETE), 0);
    }
    close_all(kq, pair[0], pair[1]);
}

static void test_disabled_does_not_spin(void)
{
    const int filters[] = {EVFILT_READ, EVFILT_WRITE};
    const struct timespec wait = {0, 40000000};
    for (int i = 0; i < 2; i++) {
        int kq = kqueue();
        int pair[2];
        struct kevent event;
        tcp_pair(pair);
        CHECK_EQUAL(try_change(kq, pair[0], filters[i], EV_ADD), 0);
        CHECK_EQUAL(try_change(kq, pair[0], filters[i], EV_DISABLE), 0);
        CHECK(reset(pair[1], pair[0]));
        CHECK(would_sleep(kq));
        int64_t before = cpu_time();
        CHECK_EQUAL(kevent(kq, NULL, 0, &event, 1, &wait), 0);
        CHECK(cpu_time() - before < 20000000);
        CHECK_EQUAL(try_change(kq, pair[0], filters[i], EV_ENABLE), 0);
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        CHECK_EQUAL(event.flags, EV_EOF);
        close(kq);
        close(pair[0]);
    }
}

/* Fetches two at a time from five that are ready. Returns a bit for each that was reported. */
static unsigned fetch_in_pieces(int kq, int pairs[5][2], int calls, int *total)
{
    unsigned seen = 0;
    *total = 0;
    for (int call = 0; call < calls; call++) {
        struct kevent events[2];
        int got = fetch(kq, events, 2);
        *total += got > 0 ? got : 0;
        for (int i = 0; i < got; i++) {
            for (int j = 0; j < 5; j++) {
                seen |= (int)events[i].ident == pairs[j][0] ? 1U << j : 0;
            }
        }
    }
    return seen;
}

static void test_overflow_of_descriptors(void)
{
    const int filters[] = {EVFILT_READ, EVFILT_WRITE};
    const int kinds[] = {0, EV_CLEAR, EV_ONESHOT};
    int pairs[5][2];
    for (int i = 0; i < 5; i++) {
        local_pair(pairs[i]);
        CHECK_EQUAL(write(pairs[i][1], "x", 1), 1);
    }
    for (int i = 0; i < 6; i++) {
        int total = 0;
        int kq = kqueue();
        for (int j = 0; j < 5; j++) {
            CHECK_EQUAL(try_change(kq, pairs[j][0], filters[i % 2], EV_ADD | kinds[i / 2]), 0);
        }
        CHECK_EQUAL(fetch_in_pieces(kq, pairs, 3, &total), 0x1f);
        CHECK_EQUAL(total, kinds[i / 2] == 0 ? 6 : 5);
        close(kq);
    }
    for (int i = 0; i < 5; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
}

static void test_overflow_of_timers(void)
{
    int kq = kqueue();
    struct kevent event;
    unsigned seen = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(change(kq, i, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_NSECONDS, 1, NULL), 0);
    }
    CHECK(becomes_ready(kq, POLLIN));
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        CHECK_EQUAL(event.data, 1);
        seen |= 1U << event.ident;
    }
    CHECK_EQUAL(seen, 7);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK(would_sleep(kq));
    close(kq);
}

static void test_overflow_of_signals(void)
{
    int kq = kqueue();
    struct kevent event;
    const int numbers[] = {SIGUSR1, SIGUSR2, SIGHUP};
    int sum = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(try_change(kq, numbers[i], EVFILT_SIGNAL, EV_ADD), 0);
        CHECK_EQUAL(raise(numbers[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        CHECK_EQUAL(event.data, 1);
        sum += (int)event.ident;
    }
    CHECK_EQUAL(sum, SIGUSR1 + SIGUSR2 + SIGHUP);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK(would_sleep(kq));
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(try_change(kq, numbers[i], EVFILT_SIGNAL, EV_DELETE), 0);
    }
    close(kq);
}

static void test_overflow_of_user_events(void)
{
    int kq = kqueue();
    struct kevent event;
    unsigned seen = 0;
    /* These stay triggered, but each must get its turn. */
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(try_change(kq, i, EVFILT_USER, EV_ADD), 0);
        CHECK_EQUAL(change(kq, i, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL), 0);
    }
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        seen |= 1U << event.ident;
    }
    CHECK_EQUAL(seen, 7);
    close(kq);
}

static void test_no_filter_starves_another(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    unsigned seen = 0;
    local_pair(pair);
    CHECK_EQUAL(write(pair[1], "x", 1), 1);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ADD), 0);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ADD), 0);
    CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_NSECONDS, 1, NULL), 0);
    CHECK_EQUAL(add_triggered(kq, 1, 0), 0);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_ADD), 0);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    for (int i = 0; i < 5; i++) {
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        seen |= 1U << -event.filter;
    }
    CHECK_EQUAL(seen, 1U << 1 | 1U << 2 | 1U << 6 | 1U << 7 | 1U << 11);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_DELETE), 0);
    close_all(kq, pair[0], pair[1]);
}

/* Closes the number and opens it again as one end of a new pair. Returns the other end. */
static int reopen(int number)
{
    int pair[2];
    close(number);
    local_pair(pair);
    if (pair[0] == number) {
        return pair[1];
    }
    int other_end = pair[0];
    if (pair[1] != number) {
        dup2(pair[1], number);
        close(pair[1]);
    }
    return other_end;
}

static void test_closed_and_reused(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent events[2];
    local_pair(pair);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, &first_udata), 0);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_WRITE, EV_ADD, 0, 0, &first_udata), 0);
    int peer = reopen(pair[0]);
    CHECK_EQUAL(fetch(kq, events, 2), 0);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ENABLE), ENOENT);
    CHECK_EQUAL(write(peer, "x", 1), 1);
    CHECK_EQUAL(change(kq, pair[0], EVFILT_READ, EV_ADD, 0, 0, &second_udata), 0);
    for (int i = 0; i < 2; i++) {
        /* The first pass: the sibling filter has not come back. The second: neither has
         * EV_CLEAR. */
        CHECK_EQUAL(fetch(kq, events, 2), 1);
        CHECK_EQUAL(events[0].filter, EVFILT_READ);
        CHECK(events[0].udata == &second_udata);
    }
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_DELETE), ENOENT);
    close_all(kq, pair[0], pair[1]);
    close(peer);
}

static void test_disabled_closed_and_reused(void)
{
    const int flags[] = {EV_ENABLE, EV_DISABLE, EV_DELETE};
    for (int i = 0; i < 3; i++) {
        int kq = kqueue();
        int pair[2];
        struct kevent event;
        local_pair(pair);
        CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ADD | EV_DISABLE), 0);
        int peer = reopen(pair[0]);
        CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, flags[i]), ENOENT);
        CHECK_EQUAL(fetch(kq, &event, 1), 0);
        CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ADD), 0);
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        close_all(kq, pair[0], pair[1]);
        close(peer);
    }
}

static void test_closed_descriptor(void)
{
    const int flags[] = {EV_DELETE, EV_ENABLE, EV_DISABLE, EV_ADD};
    for (int i = 0; i < 8; i++) {
        int kq = kqueue();
        int pair[2];
        struct kevent event;
        local_pair(pair);
        int parked = i < 4 ? 0 : EV_DISABLE;
        CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ADD | parked), 0);
        close(pair[0]);
        CHECK_EQUAL(fetch(kq, &event, 1), 0);
        CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, flags[i % 4]), EBADF);
        close(kq);
        close(pair[1]);
    }
}

static void test_refused_changes(void)
{
    int kq = kqueue();
    int pair[2];
    local_pair(pair);
    const int filters[] = {EVFILT_READ, EVFILT_WRITE, EVFILT_TIMER, EVFILT_SIGNAL, EVFILT_USER};
    const int flags[] = {EV_DELETE, EV_ENABLE, EV_DISABLE, 0};
    for (int i = 0; i < 20; i++) {
        CHECK_EQUAL(try_change(kq, pair[0], filters[i % 5], flags[i / 5]), ENOENT);
    }
    const int unknown[] = {0, 1, -3, -4, -5, -8, -12, -100};
    for (int i = 0; i < 8; i++) {
        CHECK_EQUAL(try_change(kq, pair[0], unknown[i], EV_ADD), EINVAL);
    }
    CHECK_EQUAL(try_change(kq, -1, EVFILT_READ, EV_ADD), EBADF);
    CHECK_EQUAL(try_change(kq, 1000000, EVFILT_WRITE, EV_ADD), EBADF);
    CHECK_EQUAL(try_change(kq, 1000000, EVFILT_WRITE, EV_DELETE), EBADF);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ADD | EV_ENABLE | EV_DISABLE), EINVAL);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_READ, EV_ADD | 0x80), EINVAL);
    CHECK_EQUAL(try_change(kq, 0, EVFILT_SIGNAL, EV_ADD), EINVAL);
    CHECK_EQUAL(try_change(kq, SIGRTMAX + 1, EVFILT_SIGNAL, EV_ADD), EINVAL);
    int file = memfd_create("regular", 0);
    CHECK_EQUAL(try_change(kq, file, EVFILT_READ, EV_ADD), EPERM);
    CHECK_EQUAL(try_change(kq, file, EVFILT_READ, EV_DELETE), ENOENT);
    close(file);
    close_all(kq, pair[0], pair[1]);
}

static void test_errors_in_the_event_list(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent list[3];
    local_pair(pair);
    EV_SET(&list[0], pair[0], EVFILT_WRITE, EV_ADD, 0, 0, &first_udata);
    EV_SET(&list[1], pair[0], EVFILT_READ, EV_DELETE, 0, 7, &second_udata);
    EV_SET(&list[2], 5, EVFILT_USER, EV_ADD, 0, 0, NULL);
    /* One array for both lists. The error is returned alone, before any event is fetched. */
    CHECK_EQUAL(kevent(kq, list, 3, list, 3, NULL), 1);
    CHECK_EQUAL(list[0].ident, pair[0]);
    CHECK_EQUAL(list[0].filter, EVFILT_READ);
    CHECK_EQUAL(list[0].flags, EV_ERROR);
    CHECK_EQUAL(list[0].data, ENOENT);
    CHECK(list[0].udata == &second_udata);
    /* The change behind the failed one was made. */
    CHECK_EQUAL(change(kq, 5, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL), 0);
    CHECK_EQUAL(fetch(kq, list, 3), 2);
    close_all(kq, pair[0], pair[1]);
}

static void test_error_without_room(void)
{
    int kq = kqueue();
    struct kevent changes[3];
    struct kevent event;
    EV_SET(&changes[0], 1, EVFILT_USER, EV_DELETE, 0, 0, NULL);
    EV_SET(&changes[1], -1, EVFILT_READ, EV_ADD, 0, 0, NULL);
    EV_SET(&changes[2], 2, EVFILT_USER, EV_ADD, NOTE_TRIGGER, 0, NULL);
    CHECK_EQUAL(kevent(kq, changes, 3, NULL, 0, NULL), -1);
    CHECK_EQUAL(errno, ENOENT);
    CHECK_EQUAL(kevent(kq, changes, 3, &event, 1, NULL), -1);
    CHECK_EQUAL(errno, EBADF);
    /* The changes behind the error were not applied. */
    CHECK_EQUAL(try_change(kq, 2, EVFILT_USER, EV_DELETE), ENOENT);
    close(kq);
}

static void test_receipt(void)
{
    int kq = kqueue();
    struct kevent changes[3];
    struct kevent events[3];
    EV_SET(&changes[0], 1, EVFILT_USER, EV_ADD | EV_RECEIPT, 0, 0, &first_udata);
    EV_SET(&changes[1], -1, EVFILT_READ, EV_ADD | EV_RECEIPT, 0, 0, NULL);
    EV_SET(&changes[2], 2, EVFILT_USER, EV_ADD | EV_RECEIPT, 0, 0, NULL);
    /* Without room for a receipt, the changes behind it are not applied. That is no error. */
    CHECK_EQUAL(kevent(kq, changes, 3, NULL, 0, NULL), 0);
    CHECK_EQUAL(try_change(kq, 2, EVFILT_USER, EV_DELETE), ENOENT);
    CHECK_EQUAL(kevent(kq, changes, 3, events, 3, NULL), 3);
    const int expected[] = {0, EBADF, 0};
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(events[i].flags, EV_ERROR);
        CHECK_EQUAL(events[i].data, expected[i]);
    }
    CHECK(events[0].udata == &first_udata);
    CHECK_EQUAL(change(kq, 1, EVFILT_USER, 0, NOTE_TRIGGER, 0, &first_udata), 0);
    CHECK_EQUAL(fetch(kq, events, 3), 1);
    CHECK_EQUAL(events[0].ident, 1);
    close(kq);
}

static void test_timer_units(void)
{
    int kq = kqueue();
    struct kevent event;
    const uint32_t units[] = {0, NOTE_MSECONDS, NOTE_USECONDS, NOTE_NSECONDS};
    const intptr_t amounts[] = {6, 5, 4000, 3000000};
    int64_t start = now();
    CHECK_EQUAL(change(kq, 9, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_SECONDS, 60, NULL), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(
            change(kq, i, EVFILT_TIMER, EV_ADD | EV_ONESHOT, units[i], amounts[i], &first_udata),
            0);
    }
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(kevent(kq, NULL, 0, &event, 1, &long_wait), 1);
        CHECK(event.ident < 4);
        CHECK(now() - start >= (6 - (int64_t)event.ident) * 1000000);
        CHECK_EQUAL(event.data, 1);
        CHECK_EQUAL(event.flags, EV_ONESHOT | EV_CLEAR);
        CHECK(event.udata == &first_udata);
        CHECK_EQUAL(try_change(kq, (int)event.ident, EVFILT_TIMER, EV_DELETE), ENOENT);
    }
    CHECK(would_sleep(kq));
    CHECK_EQUAL(try_change(kq, 9, EVFILT_TIMER, EV_DELETE), 0);
    close(kq);
}

static void test_timer_counts(void)
{
    int kq = kqueue();
    struct kevent event;
    int64_t start = now();
    CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD, NOTE_MSECONDS, 1, NULL), 0);
    poll(NULL, 0, 12);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK(event.data >= 11);
    CHECK(event.data <= (now() - start) / 1000000);
    CHECK_EQUAL(event.flags, EV_CLEAR);
    CHECK_EQUAL(event.fflags, 0);
    /* Periodic: it fires again, and the count starts from 0. */
    intptr_t sum = event.data;
    CHECK_EQUAL(kevent(kq, NULL, 0, &event, 1, &long_wait), 1);
    sum += event.data;
    CHECK(sum <= (now() - start) / 1000000);
    close(kq);
}

/* NetBSD keeps the period of a timer that is added again, FreeBSD takes the new one. */
static void test_timer_added_again(void)
{
    int kq = kqueue();
    struct kevent event;
    const int kinds[] = {0, EV_ONESHOT, EV_DISABLE, EV_ENABLE};
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 60, &first_udata), 0);
        CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD | kinds[i], NOTE_NSECONDS, 1, &first_udata),
                    -1);
        CHECK_EQUAL(errno, EEXIST);
        CHECK(would_sleep(kq));
        CHECK_EQUAL(try_change(kq, 1, EVFILT_TIMER, EV_DELETE), 0);
    }
    CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD, NOTE_NSECONDS, 1, NULL), 0);
    CHECK(becomes_ready(kq, POLLIN));
    /* It has expired, and nobody has fetched that. Deleting it discards the expiry. */
    CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 60, NULL), -1);
    CHECK_EQUAL(try_change(kq, 1, EVFILT_TIMER, EV_DELETE), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK(would_sleep(kq));
    /* A one-shot timer that was fetched is gone, and can be added. */
    for (int i = 0; i < 2; i++) {
        CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_NSECONDS, 1, NULL), 0);
        CHECK_EQUAL(kevent(kq, NULL, 0, &event, 1, &long_wait), 1);
    }
    close(kq);
}

static void test_timer_disabled(void)
{
    int kq = kqueue();
    struct kevent event;
    CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD, NOTE_MSECONDS, 1, NULL), 0);
    CHECK_EQUAL(try_change(kq, 1, EVFILT_TIMER, EV_DISABLE), 0);
    poll(NULL, 0, 5);
    CHECK(would_sleep(kq));
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK_EQUAL(try_change(kq, 1, EVFILT_TIMER, EV_ENABLE), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK(event.data >= 4);
    close(kq);
}

static void test_timer_refused(void)
{
    int kq = kqueue();
    const int kinds[] = {0, EV_ONESHOT};
    const uint32_t units[] = {0, NOTE_SECONDS, NOTE_MSECONDS, NOTE_USECONDS, NOTE_NSECONDS};
    for (int i = 0; i < 10; i++) {
        /* NetBSD refuses a time of 0. FreeBSD fires at once. */
        CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD | kinds[i % 2], units[i / 2], 0, NULL), -1);
        CHECK_EQUAL(errno, EINVAL);
        CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD | kinds[i % 2], units[i / 2], -1, NULL), -1);
        CHECK_EQUAL(errno, EINVAL);
    }
    CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD, NOTE_SECONDS | NOTE_USECONDS, 1, NULL), -1);
    CHECK_EQUAL(errno, EINVAL);
    CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD, 0x10, 1, NULL), -1);
    CHECK_EQUAL(errno, EINVAL);
    CHECK_EQUAL(try_change(kq, 1, EVFILT_TIMER, EV_DELETE), ENOENT);
    close(kq);
}

/* The number of the signal that ends a child which adds such a timer; 0 if none does. */
static int ended_by(uint32_t unit, intptr_t amount)
{
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO); /* what it says is not for the reader of these tests */
        int kq = kqueue();
        _exit(change(kq, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, unit, amount, NULL) != 0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("fork");
        exit(1);
    }
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

/* 2^31 ticks of 10 ms are 248 days, 13 hours and some. */
static void test_timer_longer_than_netbsd_counts(void)
{
    CHECK_EQUAL(ended_by(NOTE_SECONDS, INT32_MAX / 100), 0);
    CHECK_EQUAL(ended_by(NOTE_SECONDS, INT32_MAX / 100 + 1), SIGABRT);
    CHECK_EQUAL(ended_by(NOTE_SECONDS, INTPTR_MAX), SIGABRT);
    if (sizeof(intptr_t) > 4) {
        CHECK_EQUAL(ended_by(0, (intptr_t)((int64_t)INT32_MAX * 10)), 0);
        CHECK_EQUAL(ended_by(0, (intptr_t)((int64_t)INT32_MAX * 10 + 1)), SIGABRT);
    }
}

static void test_timers_run_out(void)
{
    int kq = kqueue();
    int made = 0;
    while (made < 10000 && change(kq, made, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 60, NULL) == 0) {
        made++;
    }
    CHECK_EQUAL(errno, ENOMEM);
    CHECK_EQUAL(made, 4096);
    CHECK_EQUAL(try_change(kq, 0, EVFILT_TIMER, EV_DELETE), 0);
    CHECK_EQUAL(change(kq, made, EVFILT_TIMER, EV_ADD, NOTE_SECONDS, 60, NULL), 0);
    close(kq);
}

static void test_signal_counts(void)
{
    int kq = kqueue();
    struct kevent event;
    int queued = SIGRTMIN + 1;
    CHECK_EQUAL(change(kq, SIGUSR1, EVFILT_SIGNAL, EV_ADD, 0, 0, &first_udata), 0);
    CHECK_EQUAL(try_change(kq, queued, EVFILT_SIGNAL, EV_ADD), 0);
    CHECK(would_sleep(kq));
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.ident, SIGUSR1);
    CHECK_EQUAL(event.filter, EVFILT_SIGNAL);
    CHECK_EQUAL(event.flags, EV_CLEAR);
    CHECK_EQUAL(event.data, 1);
    CHECK(event.udata == &first_udata);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    for (int i = 0; i < 20; i++) {
        CHECK_EQUAL(raise(queued), 0);
    }
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.ident, queued);
    CHECK_EQUAL(event.data, 20);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_DELETE), 0);
    CHECK_EQUAL(try_change(kq, queued, EVFILT_SIGNAL, EV_DELETE), 0);
    close(kq);
}

static bool is_blocked(int number)
{
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    return sigismember(&mask, number) == 1;
}

static void test_signal_mask(void)
{
    int kq = kqueue();
    struct kevent event;
    CHECK(!is_blocked(SIGUSR1));
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_ADD | EV_ONESHOT), 0);
    CHECK(is_blocked(SIGUSR1));
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK(!is_blocked(SIGUSR1));
    /* Deleting the filter discards a pending signal. Its default action would kill this process. */
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_ADD), 0);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_DELETE), 0);
    CHECK(!is_blocked(SIGUSR1));
    /* An ignored signal is reported as well. */
    CHECK(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_ADD), 0);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_DELETE), 0);
    CHECK(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
    close(kq);
}

static void test_inner_wakeup_does_not_end_the_wait(void)
{
    int kq = kqueue();
    struct kevent event;
    const struct timespec wait = {0, 20000000};
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_ADD | EV_DISABLE), 0);
    CHECK_EQUAL(raise(SIGUSR1), 0);
    int64_t start = now();
    CHECK_EQUAL(kevent(kq, NULL, 0, &event, 1, &wait), 0);
    CHECK(now() - start >= 20000000);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_ENABLE), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.data, 1);
    CHECK_EQUAL(try_change(kq, SIGUSR1, EVFILT_SIGNAL, EV_DELETE), 0);
    close(kq);
}

static void test_user_trigger(void)
{
    int kq = kqueue();
    struct kevent event;
    CHECK_EQUAL(change(kq, 7, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, &first_udata), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK_EQUAL(change(kq, 7, EVFILT_USER, 0, NOTE_TRIGGER, 42, &first_udata), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(event.ident, 7);
    CHECK_EQUAL(event.data, 42);
    CHECK(event.udata == &first_udata);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK(would_sleep(kq));
    /* A trigger has no effect in the change that adds the event. */
    CHECK_EQUAL(change(kq, 8, EVFILT_USER, EV_ADD, NOTE_TRIGGER, 0, NULL), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    /* Without EV_CLEAR it stays triggered until a change clears it. */
    CHECK_EQUAL(change(kq, 8, EVFILT_USER, 0, NOTE_TRIGGER, 0, NULL), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(try_change(kq, 8, EVFILT_USER, EV_DISABLE), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK(would_sleep(kq));
    CHECK_EQUAL(try_change(kq, 8, EVFILT_USER, EV_ENABLE), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(try_change(kq, 8, EVFILT_USER, EV_CLEAR), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 0);
    CHECK_EQUAL(add_triggered(kq, 9, EV_ONESHOT), 0);
    CHECK_EQUAL(fetch(kq, &event, 1), 1);
    CHECK_EQUAL(try_change(kq, 9, EVFILT_USER, EV_DELETE), ENOENT);
    close(kq);
}

static void test_user_flags(void)
{
    int kq = kqueue();
    struct kevent event;
    CHECK_EQUAL(change(kq, 1, EVFILT_USER, EV_ADD, NOTE_FFCOPY | 0x0f, 0, NULL), 0);
    const uint32_t steps[] = {NOTE_FFNOP | 0xff, NOTE_FFOR | 0xf0, NOTE_FFAND | 0x3c,
                              NOTE_FFCOPY | NOTE_FFLAGSMASK};
    const uint32_t expected[] = {0x0f, 0xff, 0x3c, NOTE_FFLAGSMASK};
    for (int i = 0; i < 4; i++) {
        CHECK_EQUAL(change(kq, 1, EVFILT_USER, 0, steps[i] | NOTE_TRIGGER, 0, NULL), 0);
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        CHECK_EQUAL(event.fflags, expected[i]);
    }
    close(kq);
}

static void test_timeouts(void)
{
    int kq = kqueue();
    struct kevent event;
    const struct timespec impossible[] = {{-1, 0}, {0, -1}, {0, 1000000000}};
    for (int i = 0; i < 3; i++) {
        CHECK_EQUAL(kevent(kq, NULL, 0, &event, 1, &impossible[i]), -1);
        CHECK_EQUAL(errno, EINVAL);
    }
    CHECK_EQUAL(kevent(kq, NULL, -1, &event, 1, &no_wait), -1);
    CHECK_EQUAL(errno, EINVAL);
    CHECK_EQUAL(kevent(kq, NULL, 0, &event, -1, &no_wait), -1);
    CHECK_EQUAL(errno, EINVAL);
    CHECK_EQUAL(kevent(kq, NULL, 0, NULL, 0, NULL), 0);
    /* Truncated to whole milliseconds, this wait would only spin. */
    const struct timespec fraction = {0, 900000};
    int64_t start = now();
    int64_t cpu = cpu_time();
    for (int i = 0; i < 50; i++) {
        int64_t before = now();
        CHECK_EQUAL(kevent(kq, NULL, 0, &event, 1, &fraction), 0);
        CHECK(now() - before >= fraction.tv_nsec);
    }
    CHECK(cpu_time() - cpu < (now() - start) / 2);
    close(kq);
}

static volatile sig_atomic_t ticks;

static void tick(int number)
{
    (void)number;
    ticks++;
    /* A kevent that hides EINTR would wait without end. */
    if (ticks > 1000) {
        _exit(1);
    }
}

static void test_interrupted_by_a_handler(void)
{
    int kq = kqueue();
    struct kevent one;
    struct sigaction action = {.sa_handler = tick, .sa_flags = SA_RESTART};
    struct sigaction before;
    CHECK_EQUAL(sigaction(SIGALRM, &action, &before), 0);
    struct itimerval often = {.it_interval.tv_usec = 2000, .it_value.tv_usec = 2000};
    CHECK_EQUAL(setitimer(ITIMER_REAL, &often, NULL), 0);
    EV_SET(&one, 1, EVFILT_USER, EV_ADD, 0, 0, NULL);
    int got = kevent(kq, &one, 1, &one, 1, NULL);
    int error = errno;
    struct itimerval never = {0};
    CHECK_EQUAL(setitimer(ITIMER_REAL, &never, NULL), 0);
    CHECK_EQUAL(sigaction(SIGALRM, &before, NULL), 0);
    alarm(WATCHDOG_SECONDS);
    CHECK_EQUAL(got, -1);
    CHECK_EQUAL(error, EINTR);
    /* The change stays applied. */
    CHECK_EQUAL(try_change(kq, 1, EVFILT_USER, EV_DELETE), 0);
    close(kq);
}

static int lowest_free_descriptor(void)
{
    int lowest = dup(STDERR_FILENO);
    close(lowest);
    return lowest;
}

static void test_kqueue_closed_and_made_again(void)
{
    int pair[2];
    struct kevent event;
    local_pair(pair);
    int kq = kqueue();
    int lowest = lowest_free_descriptor();
    for (int i = 0; i < 20; i++) {
        CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ADD), 0);
        CHECK_EQUAL(add_triggered(kq, 1, 0), 0);
        CHECK_EQUAL(change(kq, 1, EVFILT_TIMER, EV_ADD, NOTE_NSECONDS, 1, NULL), 0);
        CHECK_EQUAL(close(kq), 0);
        CHECK_EQUAL(kevent(kq, NULL, 0, &event, 1, &no_wait), -1);
        CHECK_EQUAL(errno, EBADF);
        CHECK_EQUAL(try_change(kq, 1, EVFILT_USER, EV_ADD), EBADF);
        CHECK_EQUAL(kqueue(), kq);
        CHECK_EQUAL(fetch(kq, &event, 1), 0);
        CHECK_EQUAL(try_change(kq, 1, EVFILT_USER, EV_DELETE), ENOENT);
    }
    CHECK_EQUAL(lowest_free_descriptor(), lowest);
    /* The number of a closed kqueue that now belongs to something else. */
    CHECK_EQUAL(close(kq), 0);
    CHECK_EQUAL(dup2(pair[0], kq), kq);
    CHECK_EQUAL(try_change(kq, 1, EVFILT_USER, EV_ADD), EINVAL);
    CHECK_EQUAL(fetch(kq, &event, 1), -1);
    CHECK_EQUAL(errno, EINVAL);
    CHECK_EQUAL(fetch(pair[1], &event, 1), -1);
    CHECK_EQUAL(errno, EINVAL);
    close_all(kq, pair[0], pair[1]);
}

static void test_two_kqueues(void)
{
    int first = kqueue();
    int second = kqueue();
    int pair[2];
    struct kevent event;
    local_pair(pair);
    CHECK_EQUAL(change(first, pair[0], EVFILT_WRITE, EV_ADD, 0, 0, &first_udata), 0);
    CHECK_EQUAL(change(second, pair[0], EVFILT_WRITE, EV_ADD, 0, 0, &second_udata), 0);
    CHECK_EQUAL(try_change(second, 1, EVFILT_USER, EV_ENABLE), ENOENT);
    CHECK_EQUAL(fetch(first, &event, 1), 1);
    CHECK(event.udata == &first_udata);
    CHECK_EQUAL(fetch(second, &event, 1), 1);
    CHECK(event.udata == &second_udata);
    close(first);
    CHECK_EQUAL(fetch(second, &event, 1), 1);
    close_all(second, pair[0], pair[1]);
}

static void test_high_descriptor_number(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    local_pair(pair);
    for (int number = 100; number <= 900; number += 200) {
        int high = fcntl(pair[0], F_DUPFD, number);
        CHECK_EQUAL(high, number);
        CHECK_EQUAL(change(kq, high, EVFILT_WRITE, EV_ADD | EV_ONESHOT, 0, 0, &first_udata), 0);
        CHECK_EQUAL(fetch(kq, &event, 1), 1);
        CHECK_EQUAL(event.ident, number);
        close(high);
    }
    close_all(kq, pair[0], pair[1]);
}

static void test_out_of_descriptors(void)
{
    int kq = kqueue();
    int pair[2];
    struct kevent event;
    struct rlimit before;
    local_pair(pair);
    CHECK_EQUAL(try_change(kq, pair[0], EVFILT_WRITE, EV_ADD), 0);
    CHECK_EQUAL(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none_left = before;
    none_left.rlim_cur = (rlim_t)lowest_free_descriptor();
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &none_left), 0);
    int made = kqueue();
    int error = errno;
    int disabled = try_change(kq, pair[0], EVFILT_WRITE, EV_DISABLE);
    int timer = change(kq, 1, EVFILT_TIMER, EV_ADD | EV_ONESHOT, NOTE_USECONDS, 1, NULL);
    int got = kevent(kq, NULL, 0, &event, 1, &long_wait);
    int enabled = try_change(kq, pair[0], EVFILT_WRITE, EV_ENABLE);
    CHECK_EQUAL(setrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQUAL(made, -1);
    CHECK_EQUAL(error, EMFILE);
    CHECK_EQUAL(disabled, 0);
    CHECK_EQUAL(timer, 0);
    CHECK_EQUAL(got, 1);
    CHECK_EQUAL(event.filter, EVFILT_TIMER);
    CHECK_EQUAL(enabled, 0);
    close_all(kq, pair[0], pair[1]);
}

static const struct {
    const char *name;
    void (*run)(void);
} tests[] = {
    {"read is level-triggered and counts bytes", test_read_level},
    {"read with EV_CLEAR reports changes", test_read_clear},
    {"EV_ONESHOT reports once and deletes", test_oneshot},
    {"a listening socket has at least one", test_listening_socket},
    {"half-close with data unread", test_half_close_with_data_unread},
    {"half-close is an edge of its own", test_half_close_is_an_edge},
    {"reset reaches the read filter and the program", test_reset_read},
    {"reset reaches a lone write filter", test_reset_write_only},
    {"write is level-triggered and has space", test_write},
    {"write with EV_CLEAR reports changes", test_write_clear},
    {"pipes: space, bytes and both ends of file", test_pipe},
    {"read and write are two events in a batch", test_two_events_in_a_batch},
    {"EV_ADD of a disabled filter modifies it, no more", test_add_modifies_and_does_not_enable},
    {"EV_ADD enables no signal and no user event", test_add_enables_no_signal_or_user_event},
    {"EV_DISABLE and EV_ENABLE", test_disable_and_enable},
    {"only EV_ADD may bring another udata", test_udata_changes_with_add_alone},
    {"a disabled filter on a reset socket does not spin", test_disabled_does_not_spin},
    {"more descriptors ready than nevents", test_overflow_of_descriptors},
    {"more timers expired than nevents", test_overflow_of_timers},
    {"more signals pending than nevents", test_overflow_of_signals},
    {"more user events triggered than nevents", test_overflow_of_user_events},
    {"no kind of filter starves another", test_no_filter_starves_another},
    {"a closed and reused number starts from scratch", test_closed_and_reused},
    {"a disabled filter is gone with its descriptor", test_disabled_closed_and_reused},
    {"changes to a closed descriptor give EBADF", test_closed_descriptor},
    {"refused changes", test_refused_changes},
    {"errors go into the event list", test_errors_in_the_event_list},
    {"an error without room", test_error_without_room},
    {"EV_RECEIPT", test_receipt},
    {"timer units", test_timer_units},
    {"timer counts", test_timer_counts},
    {"a timer cannot be added again", test_timer_added_again},
    {"a disabled timer counts on silently", test_timer_disabled},
    {"refused timers, 0 among them", test_timer_refused},
    {"a timer of more than 2^31 ticks aborts", test_timer_longer_than_netbsd_counts},
    {"4096 timers are the most", test_timers_run_out},
    {"signal counts", test_signal_counts},
    {"signals are blocked and unblocked", test_signal_mask},
    {"an inner wake-up does not end the wait", test_inner_wakeup_does_not_end_the_wait},
    {"user events: trigger, level, clear", test_user_trigger},
    {"user events: flags", test_user_flags},
    {"timeouts: impossible, none, below a millisecond", test_timeouts},
    {"EINTR by a handler", test_interrupted_by_a_handler},
    {"a kqueue closed and made again", test_kqueue_closed_and_made_again},
    {"two kqueues watch one descriptor", test_two_kqueues},
    {"high descriptor numbers", test_high_descriptor_number},
    {"out of descriptors", test_out_of_descriptors},
};

int main(void)
{
    int number = (int)(sizeof tests / sizeof tests[0]);
    int failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    alarm(WATCHDOG_SECONDS);
    printf("1..%d\n", number);
    for (int i = 0; i < number; i++) {
        failure[0] = '\0';
        tests[i].run();
        if (failure[0] == '\0') {
            printf("ok %d - %s\n", i + 1, tests[i].name);
        } else {
            printf("not ok %d - %s # %s\n", i + 1, tests[i].name, failure);
            failed++;
        }
    }
    return failed == 0 ? 0 : 1;
}
