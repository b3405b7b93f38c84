#include "sample.h"

#include "../../common/clock.h"
#include "waited.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__

enum { LINE_BYTES = 4096 };

/* The number after "Name:" in a file of such lines; 0 when the name is missing. */
static uint64_t field_of(const char *path, const char *name)
{
    char line[LINE_BYTES];
    uint64_t value = 0;
    size_t length = strlen(name);
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, length) == 0 && line[length] == ':')
            value = strtoull(line + length + 1, NULL, 10);
    (void)fclose(file);
    return value;
}

/* User and system time, fields 14 and 15 of /proc/PID/stat. Fields are counted from the last ')',
 * because the program's name before it may contain any character. */
static bool read_times(int process, struct server_sample *sample)
{
    char path[64];
    char line[LINE_BYTES];
    uint64_t a_second = (uint64_t)sysconf(_SC_CLK_TCK);

    (void)snprintf(path, sizeof path, "/proc/%d/stat", process);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    char *got = fgets(line, sizeof line, file);
    (void)fclose(file);
    char *rest = got == NULL ? NULL : strrchr(line, ')');
    if (rest == NULL)
        return false;
    for (int field = 2; field < 14 && rest != NULL; field++)
        rest = strchr(rest + 1, ' ');
    if (rest == NULL)
        return false;
    sample->user_ns = strtoull(rest, &rest, 10) * (NANOSECONDS_A_SECOND / a_second);
    sample->system_ns = strtoull(rest, NULL, 10) * (NANOSECONDS_A_SECOND / a_second);
    return true;
}

/* The clock of the process counts nanoseconds; stat counts hundredths of a second. */
static void read_cpu(int process, struct server_sample *sample)
{
    clockid_t clock;
    struct timespec now;

    sample->cpu_ns = sample->user_ns + sample->system_ns;
    if (clock_getcpuclockid(process, &clock) == 0 && clock_gettime(clock, &now) == 0)
        sample->cpu_ns = (uint64_t)now.tv_sec * NANOSECONDS_A_SECOND + (uint64_t)now.tv_nsec;
}

static void read_threads(int process, struct server_sample *sample)
{
    char path[64 + 256];
    (void)snprintf(path, sizeof path, "/proc/%d/task", process);
    DIR *tasks = opendir(path);
    struct dirent *task;

    while (tasks != NULL && (task = readdir(tasks)) != NULL) {
        if (task->d_name[0] == '.')
            continue;
        sample->threads++;
        (void)snprintf(path, sizeof path, "/proc/%d/task/%s/status", process, task->d_name);
        sample->switches += field_of(path, "voluntary_ctxt_switches");
        sample->switches += field_of(path, "nonvoluntary_ctxt_switches");
        (void)snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", process, task->d_name);
        sample->waited_ns += waited_ns_of(path);
    }
    if (tasks != NULL)
        (void)closedir(tasks);
}

void server_sample_read(struct server_sample *sample, int process)
{
    char path[64];

    *sample = (struct server_sample){0};
    if (process == 0 || !read_times(process, sample))
        return;
    read_cpu(process, sample);
    read_threads(process, sample);
    (void)snprintf(path, sizeof path, "/proc/%d/status", process);
    sample->resident_bytes = field_of(path, "VmRSS") * 1024;
    sample->known = true;
}

static void read_ticks(struct machine_sample *sample)
{
    uint64_t states[8] = {0};
    FILE *file = fopen("/proc/stat", "re");

    if (file == NULL)
        return;
    if (fscanf(file,
               "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64,
               &states[0], &states[1], &states[2], &states[3], &states[4], &states[5], &states[6],
               &states[7]) == 8)
        sample->known = true;
    (void)fclose(file);
    for (int i = 0; i < 8; i++)
        sample->ticks += states[i];
    sample->softirq_ticks = states[6];
    sample->steal_ticks = states[7];
}

/* /proc/net/netstat and /proc/net/snmp: a line of names, then a line of numbers, both after the
 * same prefix. */
static uint64_t counter_of(const char *path, const char *prefix, const char *name)
{
    char names[LINE_BYTES];
    char numbers[LINE_BYTES];
    uint64_t value = 0;
    FILE *file = fopen(path, "re");

    if (file == NULL)
        return 0;
    while (fgets(names, sizeof names, file) != NULL &&
           fgets(numbers, sizeof numbers, file) != NULL) {
        char *names_left = NULL;
        char *numbers_left = NULL;
        const char *one = strtok_r(names, " \n", &names_left);
        const char *other = strtok_r(numbers, " \n", &numbers_left);
        bool wanted = one != NULL && strcmp(one, prefix) == 0;
        while (wanted && one != NULL && other != NULL) {
            if (strcmp(one, name) == 0)
                value = strtoull(other, NULL, 10);
            one = strtok_r(NULL, " \n", &names_left);
            other = strtok_r(NULL, " \n", &numbers_left);
        }
    }
    (void)fclose(file);
    return value;
}

void machine_sample_read(struct machine_sample *sample)
{
    *sample = (struct machine_sample){.wall_ns = clock_now()};
    sample->ticks_a_second = (uint64_t)sysconf(_SC_CLK_TCK);
    read_ticks(sample);
    sample->listen_overflows = counter_of("/proc/net/netstat", "TcpExt:", "ListenOverflows");
    sample->listen_drops = counter_of("/proc/net/netstat", "TcpExt:", "ListenDrops");
    sample->retransmits = counter_of("/proc/net/snmp", "Tcp:", "RetransSegs");
}

#else

void server_sample_read(struct server_sample *sample, int process)
{
    (void)process;
    *sample = (struct server_sample){0};
}

void machine_sample_read(struct machine_sample *sample)
{
    *sample = (struct machine_sample){.wall_ns = clock_now()};
}

#endif

/* The kernel samples how the time is split, so a part may seem to decrease. */
static uint64_t since(uint64_t later, uint64_t earlier)
{
    return later > earlier ? later - earlier : 0;
}

struct server_sample server_sample_since(const struct server_sample *later,
                                         const struct server_sample *earlier)
{
    uint64_t cpu_ns = since(later->cpu_ns, earlier->cpu_ns);
    uint64_t user_ns = since(later->user_ns, earlier->user_ns);
    uint64_t both_ns = user_ns + since(later->system_ns, earlier->system_ns);

    if (both_ns > 0) /* the sampled split, scaled so that its sum is exact */
        user_ns = (uint64_t)((double)cpu_ns * (double)user_ns / (double)both_ns);
    return (struct server_sample){
        .known = later->known && earlier->known,
        .cpu_ns = cpu_ns,
        .user_ns = user_ns,
        .system_ns = since(cpu_ns, user_ns),
        .switches = since(later->switches, earlier->switches),
        .waited_ns = since(later->waited_ns, earlier->waited_ns),
        .threads = later->threads,
        .resident_bytes = later->resident_bytes,
    };
}

struct machine_sample machine_sample_since(const struct machine_sample *later,
                                           const struct machine_sample *earlier)
{
    return (struct machine_sample){
        .known = later->known && earlier->known,
        .wall_ns = since(later->wall_ns, earlier->wall_ns),
        .ticks = since(later->ticks, earlier->ticks),
        .softirq_ticks = since(later->softirq_ticks, earlier->softirq_ticks),
        .steal_ticks = since(later->steal_ticks, earlier->steal_ticks),
        .ticks_a_second = later->ticks_a_second,
        .listen_overflows = since(later->listen_overflows, earlier->listen_overflows),
        .listen_drops = since(later->listen_drops, earlier->listen_drops),
        .retransmits = since(later->retransmits, earlier->retransmits),
    };
}
