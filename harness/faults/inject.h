/* Faults in the calls that a program makes into the C library, and records of what those calls gave
 * to the program. Linked into a program with -Wl,--wrap=NAME for every function __wrap_NAME here. A
 * reference to NAME in the program's own objects then comes to us, with the program's return
 * address, under any sanitizer. Calls that the C library makes for itself do not.
 *
 * The environment says what to do:
 *
 *   FAULT=CALL:PATH:WHAT:WHEN   what fails; more of these may follow, separated by blanks.
 *                               CALL and PATH: which call, and where it is made, as in the report;
 *                               * for anywhere. WHAT: an errno (a return value for getaddrinfo
 *                               and getnameinfo), or `short` for one byte only. WHEN: 3 for the
 *                               third call there, /3 for every third.
 *   FAULT_REPORT=FILE           where to write, at exit, which calls were made and how often, and
 *                               what was not given back
 *   FAULT_SEND_BUFFER=BYTES     send buffer of accepted sockets: little output fills a small one */
#ifndef FAULTS_INJECT_H
#define FAULTS_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Defines __wrap_name, and declares __real_name, the real function (ld(1), --wrap). */
#define WRAP(type, name, ...)                                                                      \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

enum { PATH_FRAMES = 20 };

/* Where a call is made: the return address of the call, of its caller, and so on up to main, and
 * how often the call was made there. A call in a helper function that many callers use has one such
 * path for each of them, and can fail on each. */
struct path {
    const char *call;
    unsigned long calls;
    size_t depth;
    uintptr_t frames[PATH_FRAMES];
};

struct fault {
    const struct path *path; /* of the call that asked */
    bool fails;              /* it fails, with errno set to number */
    bool is_short;           /* it moves one byte only */
    int number;
};

/* Counts a call and says what has to happen to it. Use it in the __wrap_ function itself, because
 * it looks for the callers from there. */
#define FAULT_OF(call) fault_of(call, __builtin_frame_address(0))
struct fault fault_of(const char *call, void *frame);

/* While a library that has no frame pointers may call the program: the frame of the program's call
 * into it, from where the path goes on. Else NULL. */
extern _Thread_local void *fault_through;

/* Makes the call fail: sets errno, returns -1. */
int fault_fail(const struct fault *fault);

/* The ledger: what the program holds. It reports a thing that the program takes twice, or gives
 * back without holding it. */
void ledger_take_memory(const void *memory, const struct path *path);
void ledger_give_memory(const void *memory);
int ledger_take_descriptor(int fd, const struct path *path); /* returns fd; ignores a negative fd */
void ledger_give_descriptor(int fd);

/* From now on the ledger records nothing new. It still records what is given back. */
void ledger_take_no_more(void);

/* Writes what is held, and what was given back wrongly, as lines to the descriptor. */
void ledger_report(int out);

/* Writes a path in the format of FAULT, with its call, and a newline. */
void path_report(int out, const char *what, const struct path *path);

#endif
