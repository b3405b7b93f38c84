/* A load generator for servers that echo length-prefixed frames. README.md says how its sources are
 * laid out, docs/measuring.md how to use it. */
#include "../../common/error.h"
#include "deliver.h"
#include "load.h"
#include "run.h"
#include "selftest.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>

enum { EXIT_CANNOT_RUN = 1, EXIT_BAD_USAGE = 2 };

static atomic_bool stop;

static void note_stop(int number)
{
    (void)number;
    atomic_store(&stop, true);
}

/* The first SIGINT ends the run early, and the client prints what it has measured so far. The
 * second one kills it. SIGPIPE is ignored, because a connection that the server reset must not kill
 * the client. */
static int catch_signals(struct error *error)
{
    const struct sigaction once = {.sa_handler = note_stop, .sa_flags = (int)SA_RESETHAND};
    const struct sigaction ignore = {.sa_handler = SIG_IGN};

    if (sigaction(SIGINT, &once, NULL) < 0 || sigaction(SIGTERM, &once, NULL) < 0 ||
        sigaction(SIGPIPE, &ignore, NULL) < 0)
        return error_set(error, "sigaction", "", errno);
    return 0;
}

/* Does what the command line asks for. Returns the exit status, or -1 with error filled. */
static int carry_out(const struct load *load, struct error *error)
{
    struct outcome outcome;
    int status = -1;

    if (load->selftest)
        return selftest(load, &stop, error);
    if (outcome_init(&outcome, load, error) == 0 && run_load(&outcome, &stop, error) == 0) {
        status = deliver(&outcome, error);
        if (status == EXIT_CANNOT_RUN)
            status = -1;
    }
    outcome_destroy(&outcome);
    return status;
}

int main(int argc, char **argv)
{
    struct load load;
    struct error error;

    error_set_program("loadgen");
    switch (load_parse(&load, argc, argv)) {
    case OPTIONS_HELP_SHOWN:
        return 0;
    case OPTIONS_BAD:
        return EXIT_BAD_USAGE;
    case OPTIONS_RUN:
        break;
    }
    int status = catch_signals(&error);
    if (status == 0)
        status = carry_out(&load, &error);
    if (status >= 0)
        return status;
    error_print("%s", error.text);
    return EXIT_CANNOT_RUN;
}
