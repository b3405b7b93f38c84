/* A load generator for servers that echo length-prefixed frames. README.md says how its sources are
 * laid out, docs/measuring.md how to use it. */
#include "../../common/error.h"
#include "../../common/standard_streams.h"
#include "load.h"
#include "output.h"
#include "outputs.h"
#include "run.h"
#include "secure.h"
#include "selftest.h"
#include "stop.h"

enum { EXIT_CANNOT_RUN = 1, EXIT_BAD_USAGE = 2 };

static int print(struct outputs *outputs, const struct outcome *outcome)
{
    static int (*const printers[OUTPUT_KINDS])(FILE *, const struct outcome *) = {
        [OUTPUT_JSON] = output_json,
        [OUTPUT_HGRM] = output_hgrm,
        [OUTPUT_CSV] = output_csv,
        [OUTPUT_TABLE] = output_table,
    };

    for (int kind = 0; kind < OUTPUT_KINDS; kind++) {
        FILE *page = outputs_page(outputs, (enum output_kind)kind);
        if (page != NULL)
            outputs_end_page(outputs, (enum output_kind)kind, printers[kind](page, outcome));
    }
    return outputs_deliver(outputs);
}

/* Does what the command line asks for. Returns the exit status, or -1 with error filled. */
static int carry_out(const struct load *load, struct outputs *outputs, struct error *error)
{
    struct outcome outcome;
    int status = -1;

    if (outputs_open(outputs, load, error) < 0)
        return -1;
    if (load->selftest)
        return selftest(load, outputs, error);
    if (load->tls && secure_open(load->tls_ca, error) < 0)
        return -1;
    if (outcome_init(&outcome, load, error) == 0 && run_load(&outcome, error) == 0)
        status = print(outputs, &outcome) < 0 ? EXIT_CANNOT_RUN
                                              : verdict_status(outcome.judgement.verdict);
    outcome_destroy(&outcome);
    secure_close();
    return status;
}

int main(int argc, char **argv)
{
    struct load load;
    struct outputs outputs;
    struct error error;

    error_set_program("loadgen");
    standard_streams_fill();
    switch (load_parse(&load, argc, argv)) {
    case OPTIONS_HELP_SHOWN:
        return 0;
    case OPTIONS_BAD:
        return EXIT_BAD_USAGE;
    case OPTIONS_RUN:
        break;
    }
    int status = stop_catch(&error);
    if (status == 0) {
        status = carry_out(&load, &outputs, &error);
        outputs_close(&outputs);
    }
    if (status >= 0)
        return status;
    error_print("%s", error.text);
    return EXIT_CANNOT_RUN;
}
