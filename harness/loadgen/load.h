/* The load that is asked for: the command line, read once and never changed afterwards. */
#ifndef LOADGEN_LOAD_H
#define LOADGEN_LOAD_H

#include "../../common/option_table.h"
#include "payload.h"
#include "schedule.h"
#include "verdict.h"

#include <stdbool.h>
#include <stdint.h>

enum placement { PLACEMENT_FIRST, PLACEMENT_LAST, PLACEMENT_SPREAD, PLACEMENT_RANDOM };
enum idle { IDLE_SILENT, IDLE_TRICKLE, IDLE_HALF_FRAME, IDLE_NOT_READING };
enum close_mode { CLOSE_MODE_RESET, CLOSE_MODE_FIN };

enum { LOAD_PINS = 64, LOAD_SOURCES = 64 };

struct load {
    const char *host;
    uint16_t port;
    uint32_t connections;
    uint32_t active; /* of the connections */
    enum placement placement;
    enum idle idle;
    struct payload_sizes payload;
    const char *payload_text;
    uint32_t pipeline;   /* the most requests on a connection's wire; UINT32_MAX: no limit */
    uint64_t rate_milli; /* requests in 1,000 seconds; 0: closed loop */
    enum arrivals arrivals;
    uint64_t warmup_ns;
    uint64_t duration_ns;
    uint64_t drain_ns;   /* how long to wait for what is unanswered at the end */
    uint64_t timeout_ns; /* a reply older than this is late, which is an error */
    uint64_t connect_timeout_ns;
    uint32_t threads;
    uint64_t seed;
    uint64_t churn; /* messages after which a connection is replaced; 0: never */
    enum close_mode close_mode;
    bool fragment;
    uint32_t connects;        /* the most under way at once */
    uint64_t max_outstanding; /* of all threads together, in open loop */
    uint64_t spin_ns;         /* how long before a due time sleeping gives way to polling */
    uint32_t pins;            /* 0: not pinned */
    int pin[LOAD_PINS];
    uint32_t sources; /* 0: chosen by the kernel, or rotated on 127.0.0.0/8 */
    const char *source[LOAD_SOURCES];
    uint32_t ports_per_source;
    bool ports_given;       /* the number is not the default */
    int server_pid;         /* 0: none */
    uint64_t ceiling_milli; /* messages in 1,000 seconds; 0: not known */
    struct limits limits;
    const char *json_path; /* NULL: none; "-": standard output */
    const char *hgrm_path;
    const char *csv_path;
    bool tls;
    const char *tls_ca; /* NULL: any certificate will do */
    bool quiet;         /* no progress, no table */
    bool selftest;
    bool urgent; /* threads run ahead of ordinary ones, if they may; not on the command line */
    int argc;    /* the whole command line, for the record */
    char **argv;
};

/* Fills load from the command line as option_table_read does. The strings live as long as argv. */
enum options_result load_parse(struct load *load, int argc, char **argv);

/* Names of the choices, as on the command line. */
const char *load_placement_name(enum placement placement);
const char *load_idle_name(enum idle idle);
const char *load_arrivals_name(enum arrivals arrivals);
const char *load_close_name(enum close_mode mode);

static inline bool load_is_open(const struct load *load)
{
    return load->rate_milli != 0;
}

#endif
