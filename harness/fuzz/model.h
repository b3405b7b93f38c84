/* What a connection must do, from docs/protocol.md: written apart from common/, and compared with
 * it after every step.
 *
 * An echo is what was sent, so the output that is due is a prefix of the peer's stream: the model
 * keeps where it ends, and needs no buffer. */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include "../../common/connection.h"

#include "kernel.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the whole server. */
struct server_model {
    const struct options *options;
    uint64_t now_ns;
    bool stopping;
    size_t connections;
    struct stats stats;      /* as they must be: the counts of the calls come from the kernel */
    uint64_t oversize_lines; /* on standard error */
};

struct model {
    /* the frame that is being received */
    uint64_t length;
    unsigned header_bytes;
    uint64_t body_left;
    /* the connection */
    enum connection_state state;
    enum close_reason reason;
    bool input_ended;
    bool paused;
    bool closing; /* the server has begun to end it: drain-timeout runs */
    bool moved;
    uint64_t opened_ns;
    uint64_t activity_ns;
    uint64_t closing_ns;
};

void model_open(struct model *model, const struct server_model *server);

/* What must be true after connection_read returned result; without_memory: an allocation failed. */
void model_read(struct model *model, struct server_model *server, struct wire *wire,
                enum io_result result, bool without_memory);

/* The same after connection_write. */
void model_write(struct model *model, struct server_model *server, const struct wire *wire,
                 enum io_result result);

/* The same after connection_settle, or after connections_expired. */
void model_settle(struct model *model, struct server_model *server, const struct wire *wire,
                  bool without_memory);

/* The server begins to end it. */
void model_finish(struct model *model, const struct server_model *server, enum close_reason reason);

/* It is over; pending output is dropped. */
void model_close(struct model *model, enum close_reason reason);

/* When a timeout of this connection is over. */
uint64_t model_deadline(const struct model *model, const struct server_model *server);

/* Is that so for the timeout that closes it at once? */
bool model_is_cut(const struct model *model, const struct server_model *server);

/* Bytes that the connection has to keep. */
size_t model_pending(const struct model *model, const struct wire *wire);

unsigned model_wants(const struct model *model, const struct wire *wire);

#endif
