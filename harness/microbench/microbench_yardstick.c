/* How fast this machine is just now: a fixed loop of the cheapest system call. The experiments run
 * it before and after each run, on the server's core. If the yardsticks of two runs differ, the
 * machine ran at different speeds. */
#include "../../common/clock.h"
#include "request.h"
#include "samples.h"

#include <stdlib.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif

enum { CALLS = 500 }; /* between two readings of the clock, so that these cost nothing visible */

struct request {
    uint64_t span_ns;
};

static const struct option_row rows[] = {
    {"seconds", "T", "how long to measure (0.005)", SPAN_INTO(struct request, span_ns)},
};

/* Asks the kernel each time, whatever the C library remembers. Nothing is allocated, copied or
 * looked up, so the time is that of entering and leaving the kernel. */
static void call_kernel(void)
{
#ifdef __linux__
    (void)syscall(SYS_getppid);
#else
    (void)getppid();
#endif
}

static void measure(uint64_t span_ns, struct samples *samples)
{
    uint64_t began_ns = clock_now();
    uint64_t now_ns = began_ns;

    do {
        uint64_t from_ns = now_ns;

        for (int i = 0; i < CALLS; i++)
            call_kernel();
        now_ns = clock_now();
        samples_add(samples, (double)(now_ns - from_ns) / (double)CALLS);
    } while (now_ns - began_ns < span_ns && !samples_full(samples));
}

static int print(struct samples *samples)
{
    struct json json;

    request_begin_json(&json, "microbench_yardstick", "getppid", "native");
    json_object(&json, "figures");
    json_fixed(&json, "call_ns_least", samples_least(samples), 2);
    json_fixed(&json, "call_ns", samples_median(samples), 2);
    json_unsigned(&json, "batches", samples->count);
    json_end(&json);
    return request_end_json(&json);
}

int main(int argc, char **argv)
{
    struct request request = {.span_ns = 5000000};
    struct error error;

    error_set_program("microbench_yardstick");
    enum options_result options = request_read("What one call of the kernel costs just now.", rows,
                                               sizeof rows / sizeof rows[0], &request, argc, argv);
    if (options != OPTIONS_RUN)
        return options == OPTIONS_HELP_SHOWN ? 0 : 2;
    struct samples *samples = samples_new(&error);
    if (samples == NULL) {
        error_print("%s", error.text);
        return 1;
    }
    measure(request.span_ns, samples);
    int status = print(samples);
    free(samples);
    return status < 0 ? 1 : 0;
}
