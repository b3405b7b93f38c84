#include "environment.h"

#include "output.h"
#include "usage.h"

#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

/* The model of the first CPU, as Linux names it; "" on other systems. */
static void read_model(char *model, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "re");

    model[0] = '\0';
    while (file != NULL && model[0] == '\0' && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL)
            continue;
        (void)snprintf(model, size, "%s", colon + 1 + strspn(colon + 1, " "));
        model[strcspn(model, "\n")] = '\0';
    }
    if (file != NULL)
        (void)fclose(file);
}

void environment_print_json(FILE *stream)
{
    struct utsname name = {0};
    struct timespec resolution = {0};
    char model[128];
#ifdef __OPTIMIZE__
    const char *optimised = "true";
#else
    const char *optimised = "false";
#endif

    (void)uname(&name);
    (void)clock_getres(CLOCK_MONOTONIC, &resolution);
    read_model(model, sizeof model);
    (void)fputs("  \"environment\": {\"system\": ", stream);
    output_json_string(stream, name.sysname);
    (void)fputs(", \"release\": ", stream);
    output_json_string(stream, name.release);
    (void)fputs(", \"machine\": ", stream);
    output_json_string(stream, name.machine);
    (void)fputs(", \"cpu\": ", stream);
    output_json_string(stream, model);
    (void)fputs(", \"compiler\": ", stream);
    output_json_string(stream, __VERSION__);
    (void)fprintf(stream,
                  ", \"optimised\": %s, \"cpus_online\": %ld, \"cpus_allowed\": %d"
                  ", \"clock_resolution_ns\": %" PRIu64 "},\n",
                  optimised, sysconf(_SC_NPROCESSORS_ONLN), usage_cpus(),
                  (uint64_t)resolution.tv_sec * 1000000000 + (uint64_t)resolution.tv_nsec);
}
