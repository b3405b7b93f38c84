#include "signal_reading.h"

#include "../../common/signals.h"
#include "flight.h"

#include <errno.h>
#include <unistd.h>

/* The descriptor blocks: a read of one that does not would fail at once with EAGAIN. */
int signal_reading_open(struct signal_reading *reading, struct error *error)
{
    sigset_t set;

    signals_set(&set);
    *reading = (struct signal_reading){.watch.fd = signalfd(-1, &set, SFD_CLOEXEC)};
    return reading->watch.fd < 0 ? error_set(error, "signalfd", "", errno) : 0;
}

void signal_reading_close(struct signal_reading *reading)
{
    if (reading->watch.fd >= 0)
        (void)close(reading->watch.fd);
}

int signal_reading_begin(struct signal_reading *reading, struct ring *ring)
{
    struct io_uring_sqe *entry = ring_entry(ring, &reading->watch, KIND_SIGNALS);

    if (entry == NULL)
        return -1;
    io_uring_prep_read(entry, reading->watch.fd, reading->taken, sizeof reading->taken, 0);
    reading->count = reading->used = 0;
    return 0;
}

/* After an error nothing was taken, and one more than that is used up: so it is read again. */
void signal_reading_completed(struct signal_reading *reading, const struct completion *completion)
{
    if (completion->kind != KIND_SIGNALS)
        return;
    reading->count = completion->result / (int)sizeof reading->taken[0];
    reading->used = completion->result < 0 ? 1 : 0;
}

/* One read takes all signals that are pending. The next begins only when they are used up: the
 * kernel would write over them. If it cannot begin now, the next wake-up tries again. */
int signal_reading_next(struct signal_reading *reading, struct ring *ring)
{
    if (reading->used < reading->count)
        return (int)reading->taken[reading->used++].ssi_signo;
    if (reading->used > 0)
        (void)signal_reading_begin(reading, ring);
    return 0;
}
