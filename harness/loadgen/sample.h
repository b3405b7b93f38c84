/* What the server's process and the whole machine have used so far, from proc(5) on Linux. On other
 * systems the numbers are not available, and are marked so. */
#ifndef LOADGEN_SAMPLE_H
#define LOADGEN_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

struct server_sample {
    bool known;
    uint64_t cpu_ns;  /* exact */
    uint64_t user_ns; /* a part of it, as sampled by the kernel */
    uint64_t system_ns;
    uint64_t switches;  /* context switches of all its threads */
    uint64_t waited_ns; /* for which its threads stood ready without a CPU, together */
    uint64_t threads;
    uint64_t resident_bytes;
};

struct machine_sample {
    bool known;
    uint64_t wall_ns;
    uint64_t ticks; /* of all CPUs, in all states together */
    uint64_t softirq_ticks;
    uint64_t steal_ticks;
    uint64_t ticks_a_second;
    uint64_t listen_overflows;
    uint64_t listen_drops;
    uint64_t retransmits;
};

void server_sample_read(struct server_sample *sample, int process);
void machine_sample_read(struct machine_sample *sample);

/* For counts, the difference; for sizes, the later value. Unknown unless both are known. */
struct server_sample server_sample_since(const struct server_sample *later,
                                         const struct server_sample *earlier);
struct machine_sample machine_sample_since(const struct machine_sample *later,
                                           const struct machine_sample *earlier);

#endif
