/* <sys/event.h>, and the types in it that systems do not share. */
#ifndef KQUEUE_SRV_KEVENT_H
#define KQUEUE_SRV_KEVENT_H

#include <sys/types.h> /* before sys/event.h, as the BSDs want it */

#include <sys/event.h>

/* The length of a list of changes or events, as kevent(2) takes it. */
#ifdef __NetBSD__
typedef size_t kevent_count;
#else
typedef int kevent_count;
#endif

/* Fields of struct kevent. On NetBSD filter is unsigned, and udata was an integer before 10. */
typedef __typeof__(((struct kevent *)0)->filter) kevent_filter;
typedef __typeof__(((struct kevent *)0)->udata) kevent_udata;

#endif
