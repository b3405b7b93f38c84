/* A preloaded library. MANY_DESCRIPTORS=SOFT:HARD:MOST is the descriptor limit that getrlimit(2)
 * reports, and the highest soft limit that setrlimit(2) accepts: macOS refuses some below the hard
 * limit. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct limit { /* struct rlimit: sys/resource.h would give these functions other types */
    unsigned long soft, hard;
};

int getrlimit(int resource, struct limit *limit);
int setrlimit(int resource, const struct limit *limit);

static unsigned long set; /* 0: not yet */

static void read_limits(struct limit *limit, unsigned long *most)
{
    const char *text = getenv("MANY_DESCRIPTORS");

    if (text == NULL || sscanf(text, "%lu:%lu:%lu", &limit->soft, &limit->hard, most) != 3)
        abort();
}

/* Of every resource: those who are tested here ask for this one only. */
int getrlimit(int resource, struct limit *limit)
{
    unsigned long most;

    (void)resource;
    read_limits(limit, &most);
    if (set != 0)
        limit->soft = set;
    return 0;
}

int setrlimit(int resource, const struct limit *limit)
{
    struct limit reported;
    unsigned long most;

    (void)resource;
    read_limits(&reported, &most);
    if (limit->soft > most) {
        errno = EINVAL;
        return -1;
    }
    set = limit->soft;
    return 0;
}
