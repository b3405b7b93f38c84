#include "deliver.h"

#include "output.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_standard_output(const char *path)
{
    return path != NULL && strcmp(path, "-") == 0;
}

static int write_one(const char *path, const struct outcome *outcome,
                     int (*output)(FILE *, const struct outcome *), struct error *error)
{
    if (path == NULL)
        return 0;
    FILE *stream = is_standard_output(path) ? stdout : fopen(path, "we");
    if (stream == NULL)
        return error_set(error, "open", path, errno);
    int result = output(stream, outcome);
    if (stream != stdout && fclose(stream) != 0)
        result = -1;
    return result == 0 ? 0 : error_set(error, "write", path, errno);
}

int deliver(const struct outcome *outcome, struct error *error)
{
    const struct load *load = outcome->load;
    bool taken = is_standard_output(load->json_path) || is_standard_output(load->hgrm_path) ||
                 is_standard_output(load->csv_path);

    if (!load->quiet && !taken && output_table(stdout, outcome) < 0)
        (void)error_set(error, "write", "standard output", errno);
    else if (write_one(load->json_path, outcome, output_json, error) == 0 &&
             write_one(load->hgrm_path, outcome, output_hgrm, error) == 0 &&
             write_one(load->csv_path, outcome, output_csv, error) == 0)
        return verdict_status(outcome->judgement.verdict);
    return 1;
}
