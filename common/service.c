#include "service.h"

#include "clock.h"
#include "signals.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/resource.h>

/* Standard streams, listener, spare, statistics, and what an API needs for itself. */
enum { RESERVED_DESCRIPTORS = 16 };

static size_t raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return SIZE_MAX; /* accept will tell */
    rlim_t soft = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
#ifdef __APPLE__ /* it says RLIM_INFINITY, and takes no more than this */
    if (limit.rlim_cur > OPEN_MAX)
        limit.rlim_cur = OPEN_MAX;
#endif
    return (size_t)(setrlimit(RLIMIT_NOFILE, &limit) < 0 ? soft : limit.rlim_cur);
}

static void set_max_conns(struct options *options, size_t descriptor_ceiling)
{
    size_t limit = raise_descriptor_limit();

    size_t possible = limit > RESERVED_DESCRIPTORS ? limit - RESERVED_DESCRIPTORS : 1;
    if (descriptor_ceiling != 0 && possible > descriptor_ceiling)
        possible = descriptor_ceiling;
    if (options->max_conns == 0)
        options->max_conns = possible;
    else if (options->max_conns > possible)
        error_print(
            "--max-conns %zu: the descriptors that this server can use are enough for about %zu; "
            "peers beyond that wait or are refused",
            options->max_conns, possible);
}

static int open_stats(struct service *service, struct error *error)
{
    const char *path = service->options.stats_path;

    service->stats_stream = stderr;
    if (path == NULL)
        return 0;
    service->stats_stream =
        fopen(path, "we"); /* now, so that a bad path is known before any work */
    return service->stats_stream != NULL ? 0 : error_set(error, "open", path, errno);
}

static int close_stats(struct service *service)
{
    return service->stats_stream == stderr ? 0 : fclose(service->stats_stream);
}

static int start(struct service *service, struct error *error)
{
    if (signals_block(error) < 0 || open_stats(service, error) < 0)
        return -1;
    if (listener_open(&service->listener, &service->options, error) < 0) {
        (void)close_stats(service);
        return -1;
    }
    if (connections_init(&service->connections, &service->options, &service->stats, error) < 0) {
        listener_close(&service->listener);
        (void)close_stats(service);
        return -1;
    }
    service->started_ns = clock_now();
    service_tick(service);
    return 0;
}

bool service_open(struct service *service, const char *name, const char *implementation,
                  size_t descriptor_ceiling, int argc, char **argv, int *status)
{
    struct error error;

    *service = (struct service){.name = name, .implementation = implementation};
    error_set_program(name);
    switch (options_parse(&service->options, argc, argv)) {
    case OPTIONS_HELP_SHOWN:
        *status = EXIT_STOPPED;
        return false;
    case OPTIONS_BAD:
        *status = EXIT_BAD_USAGE;
        return false;
    case OPTIONS_RUN:
        break;
    }
    set_max_conns(&service->options, descriptor_ceiling);
    if (start(service, &error) < 0) {
        error_print("%s", error.text);
        *status = EXIT_CANNOT_RUN;
        return false;
    }
    return true;
}

int service_announce(const struct service *service, struct error *error)
{
    const char *implementation = service->implementation;

    /* To a terminal it is printf that writes; fflush then finds nothing left, and no error. */
    if (printf("listening on %s%s%s%s\n", service->listener.address, implementation ? " (" : "",
               implementation ? implementation : "", implementation ? ")" : "") < 0 ||
        fflush(stdout) != 0)
        return error_set(error, "write", "standard output", errno);
    return 0;
}

uint64_t service_deadline(const struct service *service)
{
    uint64_t deadline = connections_deadline(&service->connections);
    uint64_t rested = service->listener.resting_until_ns;

    return rested != 0 && rested < deadline ? rested : deadline;
}

void service_tick(struct service *service)
{
    service->connections.now_ns = clock_now();
    if (service->connections.now_ns >= service->listener.resting_until_ns)
        listener_wake(&service->listener);
}

enum accept_result service_accept(struct service *service, struct connection **connection)
{
    uint64_t now_ns = service->connections.now_ns;
    const char *reason = "--max-conns reached";
    int fd = listener_accept(&service->listener, &service->stats, now_ns);

    if (fd < 0)
        return (enum accept_result)fd;
    if (service->connections.count < service->options.max_conns) {
        *connection = connection_open(&service->connections, fd);
        if (*connection != NULL)
            return ACCEPT_DONE;
        reason = "no memory";
    }
    listener_refuse(&service->listener, &service->stats, fd, reason, now_ns);
    return ACCEPT_REFUSED;
}

void service_admit(struct service *service)
{
    listener_admit(&service->listener, &service->stats);
}

void service_refuse(struct service *service, struct connection *connection, const char *reason)
{
    int fd = connection->watch.fd;

    connection_discard(&service->connections, connection);
    listener_refuse(&service->listener, &service->stats, fd, reason, service->connections.now_ns);
}

int service_print_stats(const struct service *service, FILE *stream)
{
    const struct stats_gauges gauges = {
        .server = service->name,
        .implementation = service->implementation ? service->implementation : "native",
        .connections = service->connections.count,
        .buffers = service->connections.buffers,
        .uptime_seconds =
            (double)(clock_now() - service->started_ns) / (double)NANOSECONDS_A_SECOND,
    };

    return stats_print(stream, &service->stats, &gauges);
}

int service_close(struct service *service, const struct error *error)
{
    listener_close(&service->listener);
    connections_destroy(&service->connections);
    if (error != NULL)
        error_print("%s", error->text);
    int result = service_print_stats(service, service->stats_stream);
    if (close_stats(service) != 0)
        result = -1;
    if (result < 0)
        error_print("write %s: %s",
                    service->options.stats_path ? service->options.stats_path : "stderr",
                    strerror(errno));
    return error == NULL && result == 0 ? EXIT_STOPPED : EXIT_CANNOT_RUN;
}
