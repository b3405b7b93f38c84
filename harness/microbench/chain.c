#include "chain.h"

#include "../../common/clock.h"
#include "descriptors.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { READ_BYTES = 64 };

static int open_pair(struct chain *chain, uint32_t number, enum chain_kind what,
                     struct error *error)
{
    int ends[2];
    int result = what == CHAIN_PIPE ? pipe(ends) : socketpair(AF_UNIX, SOCK_STREAM, 0, ends);

    if (result < 0)
        return error_set(error, what == CHAIN_PIPE ? "pipe" : "socketpair", "", errno);
    chain->read_ends[number] = ends[0];
    chain->write_ends[number] = ends[1];
    if (descriptors_unblock(ends[0], "of a pair", error) < 0 ||
        descriptors_unblock(ends[1], "of a pair", error) < 0)
        return -1;
    return chain->kind->add(chain->state, ends[0], error);
}

int chain_open(struct chain *chain, const struct mechanism_kind *kind, uint32_t pairs,
               enum chain_kind what, struct error *error)
{
    *chain = (struct chain){.kind = kind, .pairs = pairs};
    (void)signal(SIGPIPE, SIG_IGN);
    chain->read_ends = calloc(pairs, sizeof *chain->read_ends);
    chain->write_ends = calloc(pairs, sizeof *chain->write_ends);
    if (chain->read_ends == NULL || chain->write_ends == NULL)
        return error_set(error, "calloc", "for the pairs", errno);
    for (uint32_t i = 0; i < pairs; i++)
        chain->read_ends[i] = chain->write_ends[i] = -1;
    if (descriptors_reserve(2 * (uint64_t)pairs, "a chain of that many pairs", error) < 0)
        return -1;
    chain->state = kind->open(pairs, error);
    if (chain->state == NULL)
        return -1;
    for (uint32_t i = 0; i < pairs; i++)
        if (open_pair(chain, i, what, error) < 0)
            return -1;
    return 0;
}

void chain_close(struct chain *chain)
{
    for (uint32_t i = 0; chain->write_ends != NULL && i < chain->pairs; i++)
        if (chain->write_ends[i] >= 0) {
            (void)close(chain->read_ends[i]);
            (void)close(chain->write_ends[i]);
        }
    if (chain->state != NULL)
        chain->kind->close(chain->state);
    free(chain->read_ends);
    free(chain->write_ends);
}

static void write_byte(struct chain *chain, uint32_t number)
{
    if (write(chain->write_ends[number], "e", 1) == 1)
        chain->written++;
    else if (chain->error_number == 0)
        chain->error_number = errno;
}

/* Two bytes can meet in one pair, and the kernel may report one edge for both. So a read takes
 * everything that is there, and each byte is passed on as if it had been read alone. */
static void hand_on(void *context, uint32_t number)
{
    struct chain *chain = context;
    uint32_t next = number + 1 < chain->pairs ? number + 1 : 0;
    char bytes[READ_BYTES];
    ssize_t got = 0;

    do {
        got = read(chain->read_ends[number], bytes, sizeof bytes);
        for (ssize_t i = 0; i < got && chain->writes_left > 0; i++) {
            write_byte(chain, next);
            chain->writes_left--;
        }
        if (got > 0)
            chain->received += (uint64_t)got;
    } while (got == (ssize_t)sizeof bytes);
    if (got < 0 && errno != EAGAIN && chain->error_number == 0)
        chain->error_number = errno;
}

static int run_until_read(struct chain *chain, uint64_t total, struct error *error)
{
    while (chain->received < total) {
        int count = chain->kind->wait(chain->state, 0);
        chain->waits++;
        if (count < 0)
            return error_set(error, chain->kind->name, "while waiting", errno);
        chain->kind->visit(chain->state, hand_on, chain);
        if (chain->error_number != 0)
            return error_set(error, "read or write", "of a pair", chain->error_number);
        if (count == 0) /* a byte that was written to a pair can be read at once */
            return error_set(error, chain->kind->name, "lost sight of a readable pair", ENOMSG);
    }
    return 0;
}

int chain_run(struct chain *chain, uint32_t active, uint64_t writes, uint64_t *span_ns,
              struct error *error)
{
    uint32_t apart = chain->pairs / active;

    chain->written = chain->received = chain->waits = 0;
    chain->writes_left = writes;
    for (uint32_t i = 0; i < active; i++)
        write_byte(chain, i * apart);
    if (chain->error_number != 0)
        return error_set(error, "write", "of a pair", chain->error_number);
    uint64_t begun_ns = clock_now();
    int status = run_until_read(chain, active + writes, error);
    *span_ns = clock_now() - begun_ns;
    return status;
}
