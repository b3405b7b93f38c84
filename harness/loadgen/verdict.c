#include "verdict.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const verdict_names[VERDICT_COUNT] = {
#define X(name, status) #name,
    VERDICTS(X)
#undef X
};

static const int verdict_statuses[VERDICT_COUNT] = {
#define X(name, status) status,
    VERDICTS(X)
#undef X
};

static const struct {
    const char *name;
    double value;
    const char *text;
} limit_table[LIMIT_COUNT] = {
#define X(name, value, text) {#name, value, text},
    LIMITS(X)
#undef X
};

const char *verdict_name(enum verdict verdict)
{
    return verdict_names[verdict];
}

int verdict_status(enum verdict verdict)
{
    return verdict_statuses[verdict];
}

const char *limit_name(enum limit limit)
{
    return limit_table[limit].name;
}

const char *limit_text(enum limit limit)
{
    return limit_table[limit].text;
}

void limits_default(struct limits *limits)
{
    for (int i = 0; i < LIMIT_COUNT; i++)
        limits->value[i] = limit_table[i].value;
}

bool limits_parse(struct limits *limits, const char *text)
{
    const char *equals = strchr(text, '=');
    char *end = NULL;

    if (equals == NULL || !(isdigit((unsigned char)equals[1]) || equals[1] == '.'))
        return false;
    double value = strtod(equals + 1, &end);
    if (end == equals + 1 || *end != '\0' || !isfinite(value) || strpbrk(equals, "xX") != NULL)
        return false;
    for (int i = 0; i < LIMIT_COUNT; i++) {
        const char *name = limit_table[i].name;
        if (strlen(name) == (size_t)(equals - text) && strncmp(name, text, strlen(name)) == 0) {
            limits->value[i] = value;
            return true;
        }
    }
    return false;
}

/* The order of the enumeration is the precedence, except that every other verdict outranks
 * VALID. */
static bool outranks(enum verdict one, enum verdict other)
{
    return one != VERDICT_VALID && (other == VERDICT_VALID || one < other);
}

void judgement_add(struct judgement *judgement, enum verdict verdict, const char *format, ...)
{
    va_list arguments;

    if (outranks(verdict, judgement->verdict))
        judgement->verdict = verdict;
    if (judgement->count == VERDICT_REASONS)
        return;
    struct reason *reason = &judgement->reasons[judgement->count++];
    reason->verdict = verdict;
    va_start(arguments, format);
    (void)vsnprintf(reason->text, sizeof reason->text, format, arguments);
    va_end(arguments);
}

static double milliseconds(double nanoseconds)
{
    return nanoseconds / 1e6;
}

/* Several threads may wait for each other: that is how the server was started. One waits for others
 * only. */
static void judge_server_cpu(const struct figures *figures, double limit,
                             struct judgement *judgement)
{
    if (figures->server_preempted <= limit)
        return;
    if (figures->server_threads > 1)
        judgement_add(judgement, VERDICT_VALID,
                      "preempted: the server's %.0f threads stood ready without a CPU for %.2f%% "
                      "of the time each",
                      figures->server_threads, figures->server_preempted);
    else
        judgement_add(judgement, VERDICT_NOISY_HOST,
                      "preempted: the server stood ready without a CPU for %.2f%% of the time "
                      "(limit %g%%); is its CPU shared?",
                      figures->server_preempted, limit);
}

static void judge_host(const struct figures *figures, const double *limit,
                       struct judgement *judgement)
{
    if (figures->steal > limit[LIMIT_steal])
        judgement_add(judgement, VERDICT_NOISY_HOST,
                      "steal: %.2f%% of the machine's time went to others (limit %g%%)",
                      figures->steal, limit[LIMIT_steal]);
    if (figures->witness > limit[LIMIT_witness])
        judgement_add(judgement, VERDICT_NOISY_HOST,
                      "witness: the host stalled for %.2f%% of the time, up to %.1f ms "
                      "(limit %g%%)",
                      figures->witness, milliseconds(figures->witness_most), limit[LIMIT_witness]);
    if (figures->preempted > limit[LIMIT_preempted])
        judgement_add(judgement, VERDICT_NOISY_HOST,
                      "preempted: a client thread stood ready without a CPU for %.2f%% of the time "
                      "(limit %g%%); is its CPU shared?",
                      figures->preempted, limit[LIMIT_preempted]);
    judge_server_cpu(figures, limit[LIMIT_preempted], judgement);
}

/* A client that is always busy is not the limit if the server is always busy too. Then the run
 * measures what the server can do, apart from the time in which the server was idle. */
static void judge_load(const struct figures *figures, const double *limit,
                       struct judgement *judgement)
{
    bool is_server = figures->saturation >= limit[LIMIT_server];
    enum verdict verdict = is_server ? VERDICT_VALID : VERDICT_CLIENT_BOUND;
    char beside[64] = "";

    if (figures->saturation > 0)
        (void)snprintf(beside, sizeof beside, "; the server used %.1f%% of its own",
                       figures->saturation);
    if (figures->busy > limit[LIMIT_busy])
        judgement_add(judgement, verdict,
                      "busy: a client thread used %.1f%% of a CPU (limit %g%%)%s", figures->busy,
                      limit[LIMIT_busy], beside);
    if (figures->batches > limit[LIMIT_batches])
        judgement_add(judgement, verdict,
                      "batches: %.1f%% of the waits found a full batch of events (limit %g%%)%s",
                      figures->batches, limit[LIMIT_batches], beside);
}

static void judge_client(const struct figures *figures, const double *limit,
                         struct judgement *judgement)
{
    /* In microseconds, not as a part of the response: a verdict must not depend on how fast the
     * server is. The lag stands beside the response, so that everybody sees what part it is. */
    if (figures->open_loop > 0 && figures->lag_p99 > limit[LIMIT_lag] * 1e3)
        judgement_add(judgement, VERDICT_CLIENT_BOUND,
                      "lag: p99 %.1f us, beside %.1f us of the response (limit %g us)",
                      figures->lag_p99 / 1e3, figures->response_p99 / 1e3, limit[LIMIT_lag]);
    double rate = figures->seconds > 0 ? figures->achieved / figures->seconds : 0;
    if (figures->ceiling > 0 && rate > figures->ceiling * limit[LIMIT_ceiling] / 100)
        judgement_add(judgement, VERDICT_CLIENT_BOUND,
                      "ceiling: %.0f a second is %.1f%% of the %.0f that this client can do "
                      "(limit %g%%)",
                      rate, 100 * rate / figures->ceiling, figures->ceiling, limit[LIMIT_ceiling]);
}

/* Little's law: in a closed loop, throughput × mean time in the system = outstanding requests. If
 * it does not hold, requests were not where the figures say: the client held them back. It is about
 * requests that come and go, so it says nothing when some were never answered. */
static void judge_little(const struct figures *figures, const double *limit,
                         struct judgement *judgement)
{
    if (figures->open_loop > 0 || figures->churn > 0 || figures->outstanding <= 0 ||
        figures->seconds <= 0 || figures->achieved < 1000 || figures->unanswered > 0)
        return;
    double found = figures->achieved / figures->seconds * figures->mean_service / 1e9;
    double apart = 100 * fabs(found / figures->outstanding - 1);
    if (apart > limit[LIMIT_little])
        judgement_add(judgement, VERDICT_CLIENT_BOUND,
                      "little: throughput x mean service gives %.2f outstanding, not %.0f "
                      "(limit %g%%)",
                      found, figures->outstanding, limit[LIMIT_little]);
}

static void judge_server(const struct figures *figures, const double *limit,
                         struct judgement *judgement)
{
    double missing = figures->offered - figures->achieved;

    if (figures->open_loop > 0 && missing > 10 &&
        missing > figures->offered * limit[LIMIT_shortfall] / 100)
        judgement_add(judgement, VERDICT_OVERLOADED,
                      "shortfall: %.0f of %.0f offered were answered in time, %.2f%% too few "
                      "(limit %g%%)",
                      figures->achieved, figures->offered, 100 * missing / figures->offered,
                      limit[LIMIT_shortfall]);
    if (figures->capped > 0)
        judgement_add(judgement, VERDICT_OVERLOADED,
                      "outstanding: --max-outstanding was reached, and the run ended there");
    if (figures->unanswered > 0)
        judgement_add(judgement, VERDICT_OVERLOADED,
                      "unanswered: %.0f requests when the drain was over, the oldest for %.0f ms",
                      figures->unanswered, milliseconds(figures->oldest_unanswered));
}

static void judge_steadiness(const struct figures *figures, const double *limit,
                             struct judgement *judgement)
{
    double more = fmax(figures->quarter_before, figures->quarter_after);
    double less = fmin(figures->quarter_before, figures->quarter_after);

    if (figures->interrupted > 0)
        judgement_add(judgement, VERDICT_UNSTABLE, "interrupted: ended by a signal");
    if (figures->achieved < 1)
        judgement_add(judgement, VERDICT_UNSTABLE, "nothing: no reply in the measured time");
    if (more < 100)
        judgement_add(judgement, VERDICT_VALID,
                      "warm-up: too few replies in it to tell whether the rate was steady");
    else if (100 * (more - less) / more > limit[LIMIT_steady])
        judgement_add(judgement, VERDICT_UNSTABLE,
                      "steady: %.0f replies in the third quarter of the warm-up, %.0f in the "
                      "fourth (limit %g%%)",
                      figures->quarter_before, figures->quarter_after, limit[LIMIT_steady]);
    if (milliseconds(figures->silence) > limit[LIMIT_stall])
        judgement_add(judgement, VERDICT_UNSTABLE,
                      "stalled: no reply for %.0f ms though some were due (limit %g ms)",
                      milliseconds(figures->silence), limit[LIMIT_stall]);
}

static void remark_network(const struct figures *figures, struct judgement *judgement)
{
    if (figures->listen_overflows > 0 || figures->listen_drops > 0)
        judgement_add(judgement, VERDICT_VALID,
                      "listen queue: %.0f overflows, %.0f drops on this machine during the run",
                      figures->listen_overflows, figures->listen_drops);
    if (figures->retransmits > 0)
        judgement_add(judgement, VERDICT_VALID,
                      "retransmits: %.0f segments on this machine during the run",
                      figures->retransmits);
}

void verdict_decide(const struct figures *figures, const struct limits *limits,
                    struct judgement *judgement)
{
    const double *limit = limits->value;

    *judgement = (struct judgement){.verdict = VERDICT_VALID};
    if (figures->errors > 0)
        judgement_add(judgement, VERDICT_ERRORS, "errors: %.0f, so there are no figures",
                      figures->errors);
    judge_host(figures, limit, judgement);
    judge_load(figures, limit, judgement);
    judge_client(figures, limit, judgement);
    judge_little(figures, limit, judgement);
    judge_server(figures, limit, judgement);
    judge_steadiness(figures, limit, judgement);
    remark_network(figures, judgement);
}
