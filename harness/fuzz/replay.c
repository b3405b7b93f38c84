/* Runs inputs through a target without libFuzzer: the corpus as a regression test with any
 * compiler, and one input that crashed, step by step. */
#include "check.h"
#include "targets.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct target {
    const char *name;
    int (*run)(const uint8_t *bytes, size_t size);
} targets[] = {
    {"frame", frame_target},
    {"connection", connection_target},
    {"loop", loop_target},
    {"options", options_target},
};

static int usage(void)
{
    (void)fprintf(stderr, "usage: fuzz_replay [--steps] frame|connection|loop|options FILE...\n");
    return 2;
}

static const struct target *find(const char *name)
{
    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++)
        if (strcmp(targets[i].name, name) == 0)
            return &targets[i];
    return NULL;
}

static bool replay(const struct target *target, const char *path)
{
    static uint8_t bytes[1 << 20];
    FILE *file = fopen(path, "rb");

    if (file == NULL) {
        (void)fprintf(stderr, "fuzz_replay: open %s: %s\n", path, strerror(errno));
        return false;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    bool whole = !ferror(file) && size < sizeof bytes;
    (void)fclose(file);
    if (!whole) {
        (void)fprintf(stderr, "fuzz_replay: read %s: cannot, or over %zu bytes\n", path,
                      sizeof bytes);
        return false;
    }
    uint8_t *copy = malloc(size + 1); /* of this size, so that a sanitizer sees a look beyond it */
    if (copy == NULL)
        return false;
    memcpy(copy + 1, bytes, size);
    (void)target->run(copy + 1, size);
    free(copy);
    return true;
}

int main(int argc, char **argv)
{
    int first = 1;
    int runs = 0;

    if (first < argc && strcmp(argv[first], "--steps") == 0) {
        steps_shown = true;
        first++;
    }
    if (argc - first < 2)
        return usage();
    const struct target *target = find(argv[first]);
    if (target == NULL)
        return usage();
    for (int i = first + 1; i < argc; i++, runs++) {
        (void)printf("%s\n", argv[i]); /* the last one named is the one that crashes */
        (void)fflush(stdout);
        if (!replay(target, argv[i]))
            return 1;
    }
    (void)printf("%d inputs passed\n", runs);
    return 0;
}
