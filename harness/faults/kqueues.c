/* kqueue and kevent, as the server calls them. The calls that the stand-in makes for them are
 * counted too. The symbols are weak, because only one of the servers has them. */
#include "inject.h"

struct kevent;
struct timespec;

int __real_kqueue(void) __attribute__((weak));
int __real_kevent(int kq, const struct kevent *changes, int change_count, struct kevent *events,
                  int room, const struct timespec *timeout) __attribute__((weak));

WRAP(int, kqueue, void)
{
    struct fault fault = FAULT_OF("kqueue");

    return fault.fails ? fault_fail(&fault) : __real_kqueue();
}

WRAP(int, kevent, int kq, const struct kevent *changes, int change_count, struct kevent *events,
     int room, const struct timespec *timeout)
{
    struct fault fault = FAULT_OF(room > 0 ? "kevent_wait" : "kevent_change");

    return fault.fails ? fault_fail(&fault)
                       : __real_kevent(kq, changes, change_count, events, room, timeout);
}
