/* What a script works on: the connections under test, and the model beside each. */
#ifndef FUZZ_BENCH_H
#define FUZZ_BENCH_H

#include "kernel.h"
#include "model.h"
#include "script.h"

#include "../../common/connection.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct subject {
    struct connection *connection; /* NULL: none */
    int fd;
    bool retired;
    bool received; /* in this turn */
    struct model model;
};

struct bench {
    struct script script;
    struct options options;
    struct stats stats;
    struct connections connections;
    struct server_model server;
    struct subject subjects[WIRES];
    uint8_t filling; /* the next byte of a payload */
    bool undelayed;  /* every turn so far has ended with nothing pending */
};

static inline bool live(const struct subject *subject)
{
    return subject->connection != NULL && !subject->retired;
}

/* Shows libFuzzer what a turn that ends now has moved. */
void show_move(const struct subject *subject, const struct server_model *server);

/* Compares a connection with its model. */
void check_subject(const struct bench *bench, const struct subject *subject);

/* Compares all of them, and the server as a whole. */
void check_all(const struct bench *bench);

#endif
