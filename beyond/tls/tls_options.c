#include "tls_options.h"

#include "../../common/clock.h"

static const char *const triggers[] = {"level", "edge", NULL};

struct tls_options tls_options = {.handshake_timeout_ns = 10 * NANOSECONDS_A_SECOND};

static const struct option_row rows[] = {
    {"cert", "FILE", "certificate and those that vouch for it, in PEM; read again at SIGHUP",
     TEXT_INTO(struct tls_options, certificate), .required = true},
    {"key", "FILE", "its private key, in PEM", TEXT_INTO(struct tls_options, key),
     .required = true},
    {"trigger", "NAME", "how epoll reports", CHOICE_INTO(struct tls_options, trigger, triggers)},
    {"handshake-timeout", "SECONDS", "close a connection whose handshake takes longer; 0: off (10)",
     TIME_INTO(struct tls_options, handshake_timeout_ns, 0,
               NANOSECONDS_A_SECOND *NANOSECONDS_A_SECOND, NANOSECONDS_A_SECOND)},
};

const struct option_part tls_option_part = {
    .rows = rows, .count = sizeof rows / sizeof rows[0], .into = &tls_options};
