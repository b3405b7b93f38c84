/* What the client's own steps cost. Each step runs many times; the figures are nanoseconds for one.
 * They are small beside a system call. A figure that grows shows that a step has become slower. */
#include "../../../common/clock.h"
#include "../histogram.h"
#include "../payload.h"
#include "../schedule.h"
#include "../timeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TIMES = 2000000, ROUNDS = 5 };

static struct histogram *histogram;
static struct timeline *timeline;
static struct schedule schedule;
static uint8_t bytes[4096 + PAYLOAD_HEADER_BYTES];
static volatile uint64_t sink; /* keeps the compiler from removing the computation */

static void read_clock(uint64_t time)
{
    sink = time + clock_now();
}

static void record(uint64_t time)
{
    histogram_record(histogram, 20000 + (time & 0xffff));
}

static void record_in_timeline(uint64_t time)
{
    timeline_record(timeline, timeline->answered, time * 1000, 20000 + (time & 0xffff));
}

static void make_64(uint64_t time)
{
    payload_frame(payload_identity(1, 7, time), 64, 0, bytes, 68);
}

static void check_64(uint64_t time)
{
    sink = payload_matches(payload_identity(1, 7, time), 64, 0, bytes, 68);
}

static void make_4096(uint64_t time)
{
    payload_frame(payload_identity(1, 7, time), 4096, 0, bytes, sizeof bytes);
}

static void check_4096(uint64_t time)
{
    sink = payload_matches(payload_identity(1, 7, time), 4096, 0, bytes, sizeof bytes);
}

static void advance_constant(uint64_t time)
{
    (void)time;
    schedule_advance(&schedule);
}

static void call_kernel(uint64_t time)
{
    sink = time + (uint64_t)getppid();
}

/* The least of several rounds, because other work on the machine can only add time. */
static double cost(void (*step)(uint64_t), uint64_t times)
{
    double least = 1e18;

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begun_ns = clock_now();
        for (uint64_t time = 0; time < times; time++)
            step(time);
        double each = (double)(clock_now() - begun_ns) / (double)times;
        if (each < least)
            least = each;
    }
    return least;
}

int main(void)
{
    static const struct {
        const char *name;
        void (*step)(uint64_t);
        uint64_t times;
    } steps[] = {
        {"read the clock", read_clock, TIMES},
        {"record a time in a histogram", record, TIMES},
        {"record a time in the timeline", record_in_timeline, TIMES},
        {"make a frame of 64 bytes", make_64, TIMES},
        {"check a frame of 64 bytes", check_64, TIMES},
        {"make a frame of 4096 bytes", make_4096, TIMES / 50},
        {"check a frame of 4096 bytes", check_4096, TIMES / 50},
        {"next slot of a constant schedule", advance_constant, TIMES},
        {"the cheapest system call, to compare", call_kernel, TIMES / 10},
    };

    histogram = histogram_new();
    timeline = timeline_new(UINT64_C(1000) * TIMES);
    if (histogram == NULL || timeline == NULL)
        return 1;
    schedule_init(&schedule, 50000000, ARRIVALS_CONSTANT, 1, 0, 1);
    schedule_start(&schedule, clock_now());
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++)
        (void)printf("%-38s %8.1f ns\n", steps[i].name, cost(steps[i].step, steps[i].times));
    free(timeline);
    free(histogram);
    return fflush(stdout) == 0 ? 0 : 1;
}
