#include "service.h"

#include "clock.h"
#include "log.h"
#include "signals.h"
#include "standard_streams.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* Of a server that needs no more: streams, listener, spare, statistics, and those of its API. */
enum { RESERVED_DESCRIPTORS = 16 };

/* For a moment: two pipes here, and three copies in the child, which has the same limit. */
enum { OF_A_RESTART = 7 };

/* How long the end waits for somebody to read the log. */
enum { FINAL_PATIENCE_MS = 1000 };

static size_t raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return SIZE_MAX; /* unknown: accept(2) fails when none is left */
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
#ifdef __APPLE__ /* it says RLIM_INFINITY, but accepts no more than OPEN_MAX */
    if (limit.rlim_cur > OPEN_MAX)
        limit.rlim_cur = OPEN_MAX;
#endif
    return (size_t)(setrlimit(RLIMIT_NOFILE, &limit) < 0 ? soft : limit.rlim_cur);
}

/* The kernel gives the lowest number that is free, so all below it are open. They are this server's
 * own, and what whoever started it has left open. */
static size_t reserved_descriptors(void)
{
    int lowest = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

    if (lowest >= 0)
        (void)close(lowest);
    return lowest + OF_A_RESTART > RESERVED_DESCRIPTORS ? (size_t)lowest + OF_A_RESTART
                                                        : RESERVED_DESCRIPTORS;
}

/* A server that has given its last descriptor to a peer can still answer, but no more restart. So
 * by default it is full before. To be called when all is open. */
static void set_max_conns(struct service *service)
{
    struct options *options = &service->options;
    size_t ceiling = service->server->descriptor_ceiling;
    bool ends_below = ceiling != 0 && ceiling < service->descriptor_limit;
    size_t limit = ends_below ? ceiling : service->descriptor_limit;
    size_t reserved = reserved_descriptors();
    size_t possible = limit > reserved ? limit - reserved : 1;

    if (options->max_conns == SIZE_MAX) {
        options->max_conns = possible;
        if (ends_below)
            service->full = "the descriptors below FD_SETSIZE are used up";
    } else if (options->max_conns > possible) {
        error_print(
            "--max-conns %zu: the descriptors that this server can use are enough for about %zu; "
            "peers beyond that wait or are refused",
            options->max_conns, possible);
    }
}

/* Opened now, so that a bad path is known before any work. O_NONBLOCK: opening a FIFO without a
 * reader fails instead of waiting for one (fifo(7)). After a restart the old server, and those
 * before it, write to the same file when they end. So nothing is truncated then, and all append. */
static int open_stats(struct service *service, struct error *error)
{
    const char *path = service->options.stats_path;

    service->stats_stream = stderr;
    if (path == NULL)
        return 0;
    int truncate = service->inherited.ready < 0 ? O_TRUNC : 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | truncate | O_NONBLOCK | O_CLOEXEC, 0666);
    service->stats_stream = fd < 0 ? NULL : fdopen(fd, "w");
    if (service->stats_stream != NULL)
        return 0;
    int number = errno;
    if (fd >= 0)
        (void)close(fd);
    (void)error_set(error, "open", path, number);
    return -1;
}

static int close_stats(struct service *service)
{
    return service->stats_stream == stderr ? 0 : fclose(service->stats_stream);
}

static int start(struct service *service, struct error *error)
{
    restart_init(&service->restart);
    if (inherited_find(&service->inherited, error) < 0 || signals_block(error) < 0 ||
        open_stats(service, error) < 0) {
        if (service->inherited.listener >= 0)
            (void)close(service->inherited.listener);
        return -1;
    }
    if (listener_open(&service->listener, &service->options, service->inherited.listener, error) <
        0) {
        (void)close_stats(service);
        return -1;
    }
    service->started_ns = clock_now();
    return 0;
}

bool service_open(struct service *service, const struct server *server, int argc, char **argv,
                  int *status)
{
    struct error error;

    *service = (struct service){.server = server, .argv = argv};
    standard_streams_fill();
    error_set_program(server->name);
    switch (options_parse(&service->options, server->options, argc, argv)) {
    case OPTIONS_HELP_SHOWN:
        *status = EXIT_STOPPED;
        return false;
    case OPTIONS_BAD:
        *status = EXIT_BAD_USAGE;
        return false;
    case OPTIONS_RUN:
        break;
    }
    service->descriptor_limit = raise_descriptor_limit();
    service->full = "--max-conns reached";
    if (service->options.max_conns == 0)
        service->options.max_conns = SIZE_MAX; /* until all is open */
    if (start(service, &error) < 0) {
        error_print("%s", error.text);
        *status = EXIT_CANNOT_RUN;
        return false;
    }
    return true;
}

/* printf writes to a terminal itself; fflush then finds nothing left to do, and no error. So look
 * at both results. */
static int print_ready_line(const struct service *service)
{
    const char *implementation = service->server->implementation;

    if (printf("listening on %s%s%s%s\n", service->listener.address, implementation ? " (" : "",
               implementation ? implementation : "", implementation ? ")" : "") < 0)
        return -1;
    return fflush(stdout);
}

/* After a restart the one who waits is the old server, and it reads the pipe. Whoever has read the
 * first ready line may have gone, or may read no more. That is no reason to fail or to wait. */
int service_announce(struct service *service, struct error *error)
{
    set_max_conns(service);
    if (service->inherited.ready < 0)
        return print_ready_line(service) < 0 ? error_set(error, "write", "standard output", errno)
                                             : 0;
    if (log_can_write(STDOUT_FILENO))
        (void)print_ready_line(service);
    return inherited_tell(&service->inherited, error);
}

void service_no_restart(struct service *service, const char *reason, uint64_t now_ns)
{
    log_line(&service->restart_log, now_ns, &service->stats, "no restart: %s", reason);
}

void service_hand_over(struct service *service, pid_t pid, uint64_t now_ns)
{
    log_line(&service->restart_log, now_ns, &service->stats,
             "process %ld listens now; this one serves the connections that it has", (long)pid);
}

int service_print_stats(const struct service *service, size_t connections, FILE *stream)
{
    const struct stats_gauges gauges = {
        .server = service->server->name,
        .implementation =
            service->server->implementation ? service->server->implementation : "native",
        .connections = connections,
        .uptime_seconds =
            (double)(clock_now() - service->started_ns) / (double)NANOSECONDS_A_SECOND,
        .loops = service->loops,
        .loop_count = service->loop_count,
    };

    if (!log_can_write(fileno(stream))) {
        errno = EAGAIN;
        return -1;
    }
    return stats_print(stream, &service->stats, &gauges);
}

int service_close(struct service *service, const struct error *error)
{
    listener_close(&service->listener);
    if (error != NULL && log_can_write(STDERR_FILENO))
        error_print("%s", error->text);
    /* A reader that is only slow gets the final statistics; one that has stopped does not hold up
     * the end. */
    (void)log_can_write_within(fileno(service->stats_stream), FINAL_PATIENCE_MS);
    int result = service_print_stats(service, 0, service->stats_stream);
    if (close_stats(service) != 0)
        result = -1;
    if (result < 0 && log_can_write(STDERR_FILENO))
        error_print("write %s: %s",
                    service->options.stats_path ? service->options.stats_path : "stderr",
                    strerror(errno));
    return error == NULL && result == 0 ? EXIT_STOPPED : EXIT_CANNOT_RUN;
}
