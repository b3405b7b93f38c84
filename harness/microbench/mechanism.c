#include "mechanism.h"

#include <stddef.h>

const char *const mechanism_names[] = {"select", "poll", "epoll_lt", "epoll_et", "kqueue", NULL};

const struct mechanism_kind *mechanism_at(uint64_t place)
{
    static const struct mechanism_kind *const kinds[] = {
        &mechanism_select,     &mechanism_poll,   &mechanism_epoll_level,
        &mechanism_epoll_edge, &mechanism_kqueue,
    };

    return kinds[place];
}
