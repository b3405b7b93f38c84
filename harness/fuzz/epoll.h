/* epoll(7), signalfd(2) and timerfd(2) on the scripted kernel, for epoll_et. */
#ifndef FUZZ_EPOLL_H
#define FUZZ_EPOLL_H

#include <stddef.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/types.h>

int epoll_script_ctl(int fd, int operation, int which, const struct epoll_event *event);
int epoll_script_wait(int fd, struct epoll_event *events, int most, int timeout);
int epoll_script_settime(int fd, const struct itimerspec *when);
ssize_t epoll_script_read(int fd, void *bytes, size_t size);

#endif
