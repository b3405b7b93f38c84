/* The main thread: it starts the loops, hears the signals, hands peers to the loops, and adds up
 * what all have counted. Read it from team_main() upwards. */
#include "team.h"

#include "../../common/clock.h"
#include "listeners.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { ACCEPTS_A_TURN = 64 };
enum { STOP = 1, AT_ONCE = 2 };

/* Adds up what all loops have counted, beside the main thread's own calls, which are in sum. A loop
 * that has ended counts no more, so it can be read as it is. Returns how many connections there
 * are. */
static size_t add_up(struct team *team, struct service *sum)
{
    size_t connections = 0;

    for (uint32_t i = 0; i < team->count; i++) {
        struct member *member = &team->members[i];
        bool ended = atomic_load(&member->ended);
        struct stats_of_loop *counts = &team->counts[i];
        counts->stats = ended ? &member->loop.service.stats : &member->snapshot;
        counts->connections = ended ? member->loop.connections.count : member->snapshot_connections;
        connections += counts->connections;
        stats_add(&sum->stats, counts->stats);
    }
    sum->loops = team->counts;
    sum->loop_count = team->count;
    return connections;
}

/* Prints the statistics that were asked for, when the last loop has answered. */
static void print_stats(struct team *team)
{
    unsigned reports = atomic_load(&team->reports);
    struct service sum = team->service;

    if (team->reports_done == reports)
        return;
    for (uint32_t i = 0; i < team->count; i++)
        if (!atomic_load(&team->members[i].ended) &&
            atomic_load(&team->members[i].reported) != reports)
            return;
    team->reports_done = reports;
    size_t connections = add_up(team, &sum);
    team->service.stats.log_lines_left_out += service_print_stats(&sum, connections, stderr) < 0;
}

/* The listener is closed before the flag is raised, so no letter with a peer follows. */
static void stop(struct team *team, unsigned how)
{
    handover_abandon(team);
    listener_close(&team->service.listener);
    (void)atomic_fetch_add(&team->stops, how);
    team_ring_loops(team);
}

/* The kernel gives a signal to one reader. That is this thread, and every loop is told:
 * the first stop begins to drain, in each loop, and the second ends each at once. This thread goes
 * on to listen for signals until the last loop has ended: a loop that drains for a minute would
 * otherwise be deaf. */
static void take_signals(struct team *team)
{
    int number;

    while ((number = own_signal(&team->own)) != 0) {
        if (number == SIGTERM || number == SIGINT) {
            stop(team, STOP);
        } else if (number == SIGUSR1 && team->reports_done == atomic_load(&team->reports)) {
            (void)atomic_fetch_add(&team->reports, 1);
            team_ring_loops(team);
        } else if (number == SIGUSR2) {
            handover_begin(team, clock_now());
        }
    }
}

/* The next loop whose pipe has room gets the peer. One that computes for long falls behind, but
 * 16,000 letters fit into its pipe. */
static bool hand(struct team *team, int fd)
{
    for (uint32_t i = 0; i < team->count; i++)
        if (member_send(&team->members[team->next++ % team->count], fd))
            return true;
    return false;
}

/* --listen handed. A peer that is one too many is refused here: it takes no loop's turn. */
static void place(struct team *team, int fd, uint64_t now_ns)
{
    struct service *service = &team->service;
    const char *reason = service->full;

    if (team_reserve(team)) {
        service->listener.refusing = false;
        if (hand(team, fd))
            return;
        team_release(team);
        reason = "no loop takes it";
    }
    listener_refuse(&service->listener, &service->stats, fd, reason, now_ns);
}

static void accept_peers(struct team *team, uint64_t now_ns)
{
    struct service *service = &team->service;
    int fd = -1;

    for (int budget = ACCEPTS_A_TURN; budget > 0; budget--) {
        if (listener_accept(&service->listener, &service->stats, now_ns, &fd) != ACCEPT_DONE)
            break;
        place(team, fd, now_ns);
    }
}

/* It rests for want of descriptors until a loop has closed one, or a second is over. */
static void note_rest(struct team *team)
{
    struct listener *listener = &team->service.listener;
    bool rests = listener_wants(listener) == NOTHING;

    if (rests && !team->rests)
        rests = team_begins_rest(team, &team->freed_seen, listener);
    else if (!rests && team->rests)
        team_ends_rest(team);
    team->rests = rests;
}

static uint32_t loops_that_run(struct team *team)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < team->count; i++) {
        struct member *member = &team->members[i];
        if (member->runs && !atomic_load(&member->ended)) {
            count++;
        } else if (member->result < 0 && team->failed == NULL) {
            team->failed = member;
            stop(team, AT_ONCE); /* what one of several loops cannot go on with, all end for */
        }
    }
    return count;
}

static uint64_t next_deadline(const struct team *team)
{
    uint64_t rested_ns = team->service.listener.resting_until_ns;
    uint64_t restart_ns = team->service.restart.deadline_ns;

    return rested_ns != 0 && rested_ns < restart_ns ? rested_ns : restart_ns;
}

/* poll(2) refuses more entries than RLIMIT_NOFILE allows (EINVAL), and somebody may lower that to
 * almost nothing (prlimit(2)). That must not end the server. So sleep a little, and look at each
 * descriptor as if it were ready: none of them blocks. */
static int poll_all(struct pollfd *news, nfds_t count)
{
    static const struct timespec nap = {.tv_nsec = 10000000};
    int ready = poll(news, count, -1);

    if (ready >= 0 || errno != EINVAL)
        return ready;
    (void)nanosleep(&nap, NULL);
    for (nfds_t i = 0; i < count; i++)
        news[i].revents = news[i].fd >= 0 ? news[i].events : 0;
    return 0;
}

/* A wait that brought a peer counts: it is a part of what an accept costs. */
static int wait_for_news(struct team *team, uint64_t *now_ns)
{
    struct listener *listener = &team->service.listener;
    struct pollfd news[] = {
        {.fd = team->own.signals.fd, .events = POLLIN},
        {.fd = team->own.timer.fd, .events = POLLIN},
        {.fd = team->bell, .events = POLLIN},
        {.fd = listener->watch.fd, .events = listener_wants(listener) ? POLLIN : 0},
        {.fd = team->service.restart.watch.fd, .events = POLLIN},
    };
    nfds_t count = sizeof news / sizeof news[0] - !restart_under_way(&team->service.restart);
    uint64_t rings;

    if (own_timer_set(&team->own, next_deadline(team)) < 0)
        return -1;
    if (poll_all(news, count) < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -1;
    *now_ns = clock_now();
    team->own.signals.ready |= news[0].revents != 0 ? READABLE : NOTHING;
    team->own.timer.ready |= news[1].revents != 0 ? READABLE : NOTHING;
    if (news[2].revents != 0)
        (void)!read(team->bell, &rings, sizeof rings); /* sets it to 0 */
    if (*now_ns >= listener->resting_until_ns)
        listener_wake(listener);
    team->service.stats.waits += news[3].revents != 0;
    team->service.stats.events += news[3].revents != 0;
    return news[3].revents != 0;
}

static int run(struct team *team, struct error *error)
{
    uint64_t now_ns = clock_now();

    while (loops_that_run(team) > 0) {
        int peers = wait_for_news(team, &now_ns);
        if (peers < 0) {
            (void)error_set(error, "poll", "", errno);
            stop(team, AT_ONCE);
            return -1;
        }
        team_look_for_free(team, &team->freed_seen, &team->service.listener);
        if (peers > 0)
            accept_peers(team, now_ns);
        note_rest(team);
        take_signals(team);
        handover_continue(team, now_ns);
        print_stats(team);
    }
    handover_continue(team, now_ns); /* the last loop may have ended by leaving */
    if (team->failed != NULL)
        *error = team->failed->error;
    return team->failed != NULL ? -1 : 0;
}

static int open_pipe(struct member *member, struct error *error)
{
    int ends[2];

    if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
        return error_set(error, "pipe2", "letters to a loop", errno);
    member->inbox = ends[0];
    member->letters = ends[1];
    return 0;
}

/* Each loop gets a service of its own, with its own options, statistics and listener, so that the
 * code of one loop runs as it is. */
static int open_members(struct team *team, struct error *error)
{
    team->members = calloc(chosen.loops, sizeof *team->members);
    if (team->members == NULL)
        return error_set(error, "calloc", "loops", errno);
    team->count = chosen.loops;
    for (uint32_t i = 0; i < team->count; i++) {
        struct member *member = &team->members[i];
        member->team = team;
        member->loop.service = team->service;
        member->loop.service.listener.watch.fd = member->loop.service.listener.spare = -1;
        member->inbox = member->letters = -1;
    }
    if (listeners_open(team, error) < 0)
        return -1;
    for (uint32_t i = 0; i < team->count; i++)
        if (open_pipe(&team->members[i], error) < 0 || loop_open(&team->members[i].loop, error) < 0)
            return -1;
    return 0;
}

/* The threads inherit the signal mask, in which the wanted signals are blocked. */
static int start_members(struct team *team, struct error *error)
{
    for (uint32_t i = 0; i < team->count; i++) {
        struct member *member = &team->members[i];
        int number = pthread_create(&member->thread, NULL, member_run, member);
        if (number != 0)
            return error_set(error, "pthread_create", "loop", number);
        member->runs = true;
    }
    return 0;
}

static int open_team(struct team *team, struct error *error)
{
    if (own_open(&team->own, error) < 0)
        return -1;
    team->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (team->bell < 0)
        return error_set(error, "eventfd", "", errno);
    if (open_members(team, error) < 0)
        return -1;
    return start_members(team, error);
}

/* Peers that were handed over and not taken over: the loop has ended at once. */
static void close_letters(const struct member *member)
{
    int descriptor;

    while (read(member->inbox, &descriptor, sizeof descriptor) == sizeof descriptor)
        if (descriptor != 0)
            (void)close(descriptor);
    (void)close(member->inbox);
    (void)close(member->letters);
}

static void close_team(struct team *team)
{
    stop(team, AT_ONCE); /* for loops that run still, as something has failed */
    for (uint32_t i = 0; i < team->count; i++)
        if (team->members[i].runs)
            (void)pthread_join(team->members[i].thread, NULL);
    for (uint32_t i = 0; i < team->count; i++) {
        loop_close(&team->members[i].loop);
        listener_close(&team->members[i].loop.service.listener);
        if (team->members[i].inbox >= 0)
            close_letters(&team->members[i]);
    }
    if (team->bell >= 0)
        (void)close(team->bell);
    own_close(&team->own);
    (void)add_up(team, &team->service);
}

/* The threads are made before the ready line, because that may fail. They wait at the gate until
 * the line is out: if the start fails, a peer that waits in the queue is still there for another
 * process that has the listener. */
int team_main(const struct server *server, int argc, char **argv)
{
    struct team team = {
        .bell = -1, .own = {.signals.fd = -1, .timer.fd = -1}, .gate = PTHREAD_MUTEX_INITIALIZER};
    struct error error;
    int status = EXIT_CANNOT_RUN;

    if (!service_open(&team.service, server, argc, argv, &status))
        return status;
    (void)pthread_mutex_lock(&team.gate);
    int result = open_team(&team, &error);
    if (result == 0)
        result = service_announce(&team.service, &error);
    if (result < 0)
        stop(&team, AT_ONCE);
    (void)pthread_mutex_unlock(&team.gate);
    if (result == 0)
        result = run(&team, &error);
    close_team(&team);
    status = service_close(&team.service, result < 0 ? &error : NULL);
    free(team.members);
    return status;
}
