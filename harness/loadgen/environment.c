#include "environment.h"

#include "../../common/clock.h"
#include "usage.h"

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

#ifdef __OPTIMIZE__
static const bool optimised = true;
#else
static const bool optimised = false;
#endif

void environment_print_json(struct json *json)
{
    struct utsname name = {0};
    struct timespec resolution = {0};
    char model[128];

    (void)uname(&name);
    (void)clock_getres(CLOCK_MONOTONIC, &resolution);
    read_model(model, sizeof model);
    json_object(json, "environment");
    json_string(json, "system", name.sysname);
    json_string(json, "release", name.release);
    json_string(json, "machine", name.machine);
    json_string(json, "cpu", model);
    json_string(json, "compiler", __VERSION__);
    json_bool(json, "optimised", optimised);
    json_signed(json, "cpus_online", sysconf(_SC_NPROCESSORS_ONLN));
    json_signed(json, "cpus_allowed", usage_cpus());
    json_unsigned(json, "clock_resolution_ns",
                  (uint64_t)resolution.tv_sec * NANOSECONDS_A_SECOND +
                      (uint64_t)resolution.tv_nsec);
    json_end(json);
}
