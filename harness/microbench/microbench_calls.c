/* How many system calls a message costs an echo server, for each way of using epoll. */
#include "../loadgen/mix.h"
#include "descriptors.h"
#include "peers.h"
#include "policy.h"
#include "request.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct request {
    enum policy policy;
    uint64_t connections;
    uint64_t messages;
};

static const struct option_row rows[] = {
    {"policy", "NAME", "how epoll is used", CHOICE_INTO(struct request, policy, policy_names),
     .required = true},
    {"connections", "N", "connections, each with one message under way (1)",
     NUMBER_INTO(struct request, connections, 1, 1U << 20)},
    {"messages", "M", "messages on all of them together (10000)",
     NUMBER_INTO(struct request, messages, 1, 1U << 30)},
};

static enum options_result read_request(struct request *request, int argc, char **argv)
{
    return request_read("System calls that an echo of one message costs, counted.", rows,
                        sizeof rows / sizeof rows[0], request, argc, argv);
}

/* A hash over what was asked for; the policy is not part of it. */
static uint64_t hash_of(const struct request *request)
{
    return mix_into(mix_into(mix_into(0, 'm'), request->connections), request->messages);
}

static int print(const struct request *request, const struct policy_counts *counts)
{
    double messages = (double)counts->messages;
    uint64_t calls = counts->waits + counts->reads + counts->writes + counts->changes;
    struct json json;

    request_begin_json(&json, "microbench_calls", "epoll", "native");
    json_string(&json, "policy", policy_names[request->policy]);
    json_unsigned(&json, "connections", request->connections);
    json_hash(&json, "schedule_hash", hash_of(request));
    json_unsigned(&json, "messages", counts->messages);
    json_object(&json, "counts");
    json_unsigned(&json, "waits", counts->waits);
    json_unsigned(&json, "reads", counts->reads);
    json_unsigned(&json, "writes", counts->writes);
    json_unsigned(&json, "changes", counts->changes);
    json_end(&json);
    json_object(&json, "figures");
    json_double(&json, "calls", (double)calls / messages, 6);
    json_double(&json, "waits", (double)counts->waits / messages, 6);
    json_double(&json, "reads", (double)counts->reads / messages, 6);
    json_double(&json, "writes", (double)counts->writes / messages, 6);
    json_double(&json, "changes", (double)counts->changes / messages, 6);
    json_end(&json);
    return request_end_json(&json);
}

static int converse(const struct request *request, struct peers *peers, const int *ends,
                    struct policy_counts *counts, struct error *error)
{
    struct policy_server *server =
        policy_open(request->policy, ends, (uint32_t)request->connections, error);
    int status = -1;

    if (server == NULL)
        return -1;
    if (peers_converse(peers, error) == 0)
        status = policy_serve(server, request->messages, counts, error);
    if (status == 0)
        status = peers_conversed(peers, error);
    else if (policy_deserted(server))
        (void)peers_conversed(peers, error);
    policy_close(server);
    return status;
}

static int run(const struct request *request, struct policy_counts *counts, struct error *error)
{
    uint32_t count = (uint32_t)request->connections;
    struct peers_plan plan = {.count = count, .messages = request->messages};
    struct peers peers;
    int *ends = calloc(count, sizeof *ends);

    if (ends == NULL)
        return error_set(error, "calloc", "for the connections", errno);
    int status = descriptors_reserve(count, "that many connections", error);
    if (status < 0) {
        free(ends);
        return -1;
    }
    status = peers_open(&peers, &plan, ends, error);
    if (status == 0)
        status = converse(request, &peers, ends, counts, error);
    peers_close(&peers);
    for (uint32_t i = 0; i < count; i++)
        if (ends[i] >= 0)
            (void)close(ends[i]);
    free(ends);
    return status;
}

int main(int argc, char **argv)
{
    struct request request = {.connections = 1, .messages = 10000};
    struct policy_counts counts = {0};
    struct error error;

    error_set_program("microbench_calls");
    enum options_result options = read_request(&request, argc, argv);
    if (options != OPTIONS_RUN)
        return options == OPTIONS_HELP_SHOWN ? 0 : 2;
    if (run(&request, &counts, &error) < 0) {
        error_print("%s", error.text);
        return 1;
    }
    return print(&request, &counts) == 0 ? 0 : 1;
}
