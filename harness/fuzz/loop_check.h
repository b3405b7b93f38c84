/* What a script for a whole server works on, and what must be true of the server. */
#ifndef FUZZ_LOOP_CHECK_H
#define FUZZ_LOOP_CHECK_H

#include "kernel.h"

#include "../../common/loop.h"

/* What is known of one kind of log lines. */
struct log_model {
    uint64_t second_ns; /* when the second began that is counted, or 0 */
    int lines;          /* printed since */
};

struct loop_bench {
    struct script script;
    const struct loop *loop; /* NULL: not open */
    bool edges;              /* epoll_et and its turn; else the made-up API and common/level.c */
    bool stubborn;           /* at the end the peers do nothing to help */
    bool add_fails;          /* the next mux_add does */
    bool update_fails;       /* the next mux_update does */
    bool broken;             /* a call that the loop cannot do without has failed */
    int stopping;            /* how often the loop has been given SIGTERM or SIGINT */
    const struct peer *last_turn; /* whose turn came last outside the walk, since the wait */
    bool closed;                  /* the API is: what is printed now is final */
    int printed;                  /* how often final statistics were */
    uint64_t deadline_ns;         /* when the loop asked to be woken */
    struct log_model oversize_log;
    struct log_model refused_log;
    bool refusing;  /* the present run of refusals has its log line */
    uint64_t lines; /* how many lines must have been printed */
    int last_waits; /* how often the loop has waited since the script was over */
};

extern struct loop_bench loop_bench;

/* Takes over what the server itself has decided about a connection, if it may decide so now. */
void check_decision(struct peer *peer);

/* After the loop has settled a connection. */
void check_settled(struct peer *peer);

/* The API was told to forget the connection: it will be retired. */
void check_removed(struct peer *peer);

/* A peer was closed and never served, or is served from now on. */
void check_refused(void);
void check_admitted(void);

/* Before each wait. */
void check_loop(uint64_t deadline_ns);

/* Before the wait sleeps: nobody may wait for what no event will announce. */
void check_sleep(void);

/* After the last wait: all connections that are left are stopped, and the statistics are final. */
void check_left(void);

#endif
