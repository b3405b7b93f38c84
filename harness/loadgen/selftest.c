#include "selftest.h"

#include "../../common/json.h"
#include "echo.h"
#include "omission.h"
#include "output.h"
#include "run.h"

#include "../../common/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct selftest {
    const struct load *load;
    double ceiling;         /* messages a second */
    uint64_t client_cpu_ns; /* a message */
    uint64_t floor_ns;      /* p50 of one connection's round trip */
    struct omission omission;
};

/* A closed loop against an echo that does not stall, for a second. */
static int run_plain(struct outcome *outcome, struct load *load, const atomic_bool *stop,
                     struct error *error)
{
    struct echo echo;

    load->host = "127.0.0.1";
    load->rate_milli = 0;
    if (load->pipeline == UINT32_MAX)
        load->pipeline = 1;
    load->warmup_ns = NANOSECONDS_A_SECOND / 4;
    load->duration_ns = NANOSECONDS_A_SECOND;
    load->server_pid = 0;
    if (echo_start(&echo, load, 0, 0, error) < 0)
        return -1;
    load->port = echo.port;
    int result = outcome_init(outcome, load, error);
    if (result == 0)
        result = run_load(outcome, stop, error);
    echo_stop(&echo);
    if (result == 0 && !outcome_has_figures(outcome))
        result = error_set(error, "the self-test", "got errors from the built-in echo", EPROTO);
    if (result < 0)
        outcome_destroy(outcome);
    return result;
}

static int find_ceiling(struct selftest *test, const atomic_bool *stop, struct error *error)
{
    struct load load = *test->load;
    struct outcome outcome;

    if (run_plain(&outcome, &load, stop, error) < 0)
        return -1;
    uint64_t messages = outcome.tally.achieved > 0 ? outcome.tally.achieved : 1;
    test->ceiling = (double)messages / outcome.seconds;
    test->client_cpu_ns = outcome.client.cpu_ns / messages;
    outcome_destroy(&outcome);
    return 0;
}

static int find_floor(struct selftest *test, const atomic_bool *stop, struct error *error)
{
    struct load load = *test->load;
    struct outcome outcome;

    load.connections = load.active = load.threads = load.pipeline = 1;
    if (run_plain(&outcome, &load, stop, error) < 0)
        return -1;
    test->floor_ns = outcome_percentile(outcome.latencies.service, NULL, 50000).ns;
    outcome_destroy(&outcome);
    return 0;
}

static enum verdict verdict_of(const struct selftest *test)
{
    if (!test->omission.conclusive)
        return VERDICT_NOISY_HOST;
    return test->omission.right ? VERDICT_VALID : VERDICT_ERRORS;
}

static int print_table(FILE *stream, const struct selftest *test)
{
    const struct omission *omission = &test->omission;
    const struct load *load = test->load;

    (void)fprintf(stream,
                  "against an echo that is built in, %" PRIu32 " connections, payload %s:\n"
                  "ceiling    %.0f messages a second, %.2f us CPU a message of this client\n"
                  "floor      %.1f us p50 round trip of one connection\n"
                  "           a server above %.0f a second is near this client's own limit: run\n"
                  "           with --ceiling %.0f to have that flagged\n\n",
                  load->connections, load->payload_text, test->ceiling,
                  (double)test->client_cpu_ns / 1e3, (double)test->floor_ns / 1e3,
                  test->ceiling * load->limits.value[LIMIT_ceiling] / 100, test->ceiling);
    (void)fprintf(stream,
                  "against one that answers nothing for %.0f of every %.0f ms:\n"
                  "%-8s %12s %12s %12s %12s %12s\n",
                  (double)omission->stall_ns / 1e6, (double)omission->period_ns / 1e6, "ms",
                  "on paper", "tolerance", "corrected", "uncorrected", "closed loop");
    for (int i = 0; i < OMISSION_POINTS; i++) {
        const struct omission_point *point = &omission->points[i];
        (void)fprintf(stream, "%-8s %12.2f %12.2f %12.2f %12.2f %12.2f   %s\n", point->name,
                      (double)point->paper_ns / 1e6, (double)point->tolerance_ns / 1e6,
                      (double)point->corrected_ns / 1e6, (double)point->uncorrected_ns / 1e6,
                      (double)point->closed_loop_ns / 1e6,
                      point->right ? "corrected is right" : "corrected is WRONG");
    }
    (void)fprintf(stream,
                  "closed loop: %" PRIu64 " requests, of which %" PRIu64 " met a stall\n"
                  "tolerance: %.2f ms of the machine's jitter, %.2f ms to work off what they held "
                  "up, the histogram's 1 in 1024\nverdict    %s%s\n",
                  omission->closed_requests, omission->closed_stalled,
                  (double)omission->jitter_ns / 1e6, (double)omission->drain_ns / 1e6,
                  verdict_name(verdict_of(test)),
                  omission->conclusive ? "" : " (this machine is too noisy to tell)");
    return fflush(stream) == 0 && !ferror(stream) ? 0 : -1;
}

static void print_point(struct json *json, const struct omission_point *point)
{
    json_object(json, NULL);
    json_string(json, "name", point->name);
    json_unsigned(json, "paper_ns", point->paper_ns);
    json_unsigned(json, "tolerance_ns", point->tolerance_ns);
    json_unsigned(json, "corrected_ns", point->corrected_ns);
    json_unsigned(json, "uncorrected_ns", point->uncorrected_ns);
    json_unsigned(json, "closed_loop_ns", point->closed_loop_ns);
    json_bool(json, "right", point->right);
    json_bool(json, "shown_wrong", point->shown_wrong);
    json_end(json);
}

static int print_json(FILE *stream, const struct selftest *test)
{
    const struct omission *omission = &test->omission;
    struct json json;

    json_start(&json, stream, true);
    json_string(&json, "schema", "loadgen-selftest/1");
    json_string(&json, "verdict", verdict_name(verdict_of(test)));
    json_fixed(&json, "ceiling", test->ceiling, 3);
    json_unsigned(&json, "client_cpu_ns", test->client_cpu_ns);
    json_unsigned(&json, "floor_ns", test->floor_ns);
    json_unsigned(&json, "period_ns", omission->period_ns);
    json_unsigned(&json, "stall_ns", omission->stall_ns);
    json_unsigned(&json, "jitter_ns", omission->jitter_ns);
    json_unsigned(&json, "drain_ns", omission->drain_ns);
    json_unsigned(&json, "closed_requests", omission->closed_requests);
    json_unsigned(&json, "closed_stalled", omission->closed_stalled);
    json_bool(&json, "conclusive", omission->conclusive);
    json_bool(&json, "right", omission->right);
    json_array(&json, "points");
    for (int i = 0; i < OMISSION_POINTS; i++)
        print_point(&json, &omission->points[i]);
    json_end(&json);
    return json_finish(&json);
}

static int print_curves(FILE *stream, const struct selftest *test)
{
    return omission_print_curves(stream, &test->omission);
}

static int write_one(const char *path, const struct selftest *test,
                     int (*print)(FILE *, const struct selftest *), struct error *error)
{
    if (path == NULL)
        return 0;
    FILE *stream = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (stream == NULL)
        return error_set(error, "open", path, errno);
    int result = print(stream, test);
    if (stream != stdout && fclose(stream) != 0)
        result = -1;
    return result == 0 ? 0 : error_set(error, "write", path, errno);
}

int selftest(const struct load *load, const atomic_bool *stop, struct error *error)
{
    struct selftest test = {.load = load};

    int result = find_ceiling(&test, stop, error);
    if (result == 0)
        result = find_floor(&test, stop, error);
    if (result == 0)
        result = omission_prove(&test.omission, load, stop, error);
    if (result == 0 && !load->quiet)
        result = write_one("-", &test, print_table, error);
    if (result == 0)
        result = write_one(load->json_path, &test, print_json, error);
    if (result == 0)
        result = write_one(load->csv_path, &test, print_curves, error);
    omission_destroy(&test.omission);
    return result < 0 ? -1 : verdict_status(verdict_of(&test));
}
