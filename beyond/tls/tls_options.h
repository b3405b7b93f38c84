/* The options that only this server has. */
#ifndef TLS_OPTIONS_H
#define TLS_OPTIONS_H

#include "../../common/option_table.h"

#include <stdint.h>

enum trigger { TRIGGER_LEVEL, TRIGGER_EDGE };

struct tls_options {
    const char *certificate; /* paths of PEM files; they point into argv */
    const char *key;
    enum trigger trigger;
    uint64_t handshake_timeout_ns; /* 0: off */
};

/* The part of the command line that fills tls_options (struct server, .options). */
extern const struct option_part tls_option_part;

/* There is one command line in a process. Read it only after the options were read. */
extern struct tls_options tls_options;

#endif
