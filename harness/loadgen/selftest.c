#include "selftest.h"

#include "../../common/json.h"
#include "echo.h"
#include "omission.h"
#include "run.h"
#include "stop.h"

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
static int run_plain(struct outcome *outcome, struct load *load, struct error *error)
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
        result = run_load(outcome, error);
    echo_stop(&echo);
    if (result == 0 && tally_errors(&outcome->tally) > 0)
        result = error_set(error, "the self-test", "got errors from the built-in echo", EPROTO);
    if (result < 0)
        outcome_destroy(outcome);
    return result;
}

static int find_ceiling(struct selftest *test, struct error *error)
{
    struct load load = *test->load;
    struct outcome outcome;

    if (run_plain(&outcome, &load, error) < 0)
        return -1;
    uint64_t messages = outcome.tally.achieved;
    if (messages > 0 && outcome.partial[0] == '\0') {
        test->ceiling = (double)messages / outcome.seconds;
        test->client_cpu_ns = outcome.client.cpu_ns / messages;
    }
    outcome_destroy(&outcome);
    return 0;
}

static int find_floor(struct selftest *test, struct error *error)
{
    struct load load = *test->load;
    struct outcome outcome;

    load.connections = load.active = load.threads = load.pipeline = 1;
    load.pins = load.pins > 1 ? 1 : load.pins;
    if (run_plain(&outcome, &load, error) < 0)
        return -1;
    if (outcome.partial[0] == '\0')
        test->floor_ns =
            outcome_percentile(latencies_timing(&outcome.latencies, TIMING_SERVICE), 50000).ns;
    outcome_destroy(&outcome);
    return 0;
}

static enum verdict verdict_of(const struct selftest *test)
{
    if (!test->omission.finished)
        return VERDICT_UNSTABLE;
    if (!test->omission.conclusive)
        return VERDICT_NOISY_HOST;
    return test->omission.right ? VERDICT_VALID : VERDICT_ERRORS;
}

/* What a signal has left unknown is "-". */
static void print_capacity(FILE *stream, const struct selftest *test)
{
    const struct load *load = test->load;

    (void)fprintf(stream,
                  "against an echo that is built in, %" PRIu32 " connections, payload %s:\n",
                  load->connections, load->payload_text);
    if (test->ceiling > 0)
        (void)fprintf(stream,
                      "ceiling    %.0f messages a second, %.2f us CPU a message of this client\n",
                      test->ceiling, (double)test->client_cpu_ns / 1e3);
    else
        (void)fprintf(stream, "ceiling    -\n");
    if (test->floor_ns > 0)
        (void)fprintf(stream, "floor      %.1f us p50 round trip of one connection\n",
                      (double)test->floor_ns / 1e3);
    else
        (void)fprintf(stream, "floor      -\n");
    if (test->ceiling > 0)
        (void)fprintf(stream,
                      "           a server above %.0f a second is near this client's own limit: "
                      "run\n           with --ceiling %.0f to have that flagged\n",
                      test->ceiling * load->limits.value[LIMIT_ceiling] / 100, test->ceiling);
}

static int print_table(FILE *stream, const struct selftest *test)
{
    const struct omission *omission = &test->omission;

    print_capacity(stream, test);
    if (!omission->finished) {
        (void)fprintf(stream, "partial    ended by a signal\nverdict    %s\n",
                      verdict_name(verdict_of(test)));
        return fflush(stream) == 0 && !ferror(stream) ? 0 : -1;
    }
    (void)fprintf(stream,
                  "\nagainst one that answers nothing for %.0f of every %.0f ms:\n"
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

static void print_proof(struct json *json, const struct omission *omission)
{
    json_unsigned(json, "period_ns", omission->period_ns);
    json_unsigned(json, "stall_ns", omission->stall_ns);
    json_unsigned(json, "jitter_ns", omission->jitter_ns);
    json_unsigned(json, "drain_ns", omission->drain_ns);
    json_unsigned(json, "closed_requests", omission->closed_requests);
    json_unsigned(json, "closed_stalled", omission->closed_stalled);
    json_bool(json, "conclusive", omission->conclusive);
    json_bool(json, "right", omission->right);
    json_array(json, "points");
    for (int i = 0; i < OMISSION_POINTS; i++)
        print_point(json, &omission->points[i]);
    json_end(json);
}

static int print_json(FILE *stream, const struct selftest *test)
{
    const struct omission *omission = &test->omission;
    struct json json;

    json_start(&json, stream, true);
    json_string(&json, "schema", "loadgen-selftest/1");
    json_string(&json, "verdict", verdict_name(verdict_of(test)));
    json_bool(&json, "partial", !omission->finished);
    if (test->ceiling > 0) {
        json_fixed(&json, "ceiling", test->ceiling, 3);
        json_unsigned(&json, "client_cpu_ns", test->client_cpu_ns);
    }
    if (test->floor_ns > 0)
        json_unsigned(&json, "floor_ns", test->floor_ns);
    if (omission->finished)
        print_proof(&json, omission);
    return json_finish(&json);
}

static int print_curves(FILE *stream, const struct selftest *test)
{
    if (test->omission.finished)
        return omission_print_curves(stream, &test->omission);
    (void)fputs("# partial: ended by a signal\n", stream);
    return fflush(stream);
}

static int print(struct outputs *outputs, const struct selftest *test)
{
    static int (*const printers[OUTPUT_KINDS])(FILE *, const struct selftest *) = {
        [OUTPUT_JSON] = print_json,
        [OUTPUT_CSV] = print_curves,
        [OUTPUT_TABLE] = print_table,
    };

    for (int kind = 0; kind < OUTPUT_KINDS; kind++) {
        FILE *page = outputs_page(outputs, (enum output_kind)kind);
        if (page != NULL && printers[kind] != NULL) /* --hgrm was refused */
            outputs_end_page(outputs, (enum output_kind)kind, printers[kind](page, test));
    }
    return outputs_deliver(outputs);
}

int selftest(const struct load *load, struct outputs *outputs, struct error *error)
{
    struct selftest test = {.load = load};

    int result = find_ceiling(&test, error);
    if (result == 0 && stop_count() == 0)
        result = find_floor(&test, error);
    if (result == 0 && stop_count() == 0)
        result = omission_prove(&test.omission, load, error);
    if (result == 0)
        result = print(outputs, &test) < 0 ? 1 : verdict_status(verdict_of(&test));
    omission_destroy(&test.omission);
    return result;
}
