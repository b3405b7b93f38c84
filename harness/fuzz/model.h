/* What a connection must do, from docs/protocol.md: written apart from common/, and compared with
 * it after every step.
 *
 * An echo is what was sent, so the output that is due is a prefix of the peer's stream: the model
 * keeps where it ends, and needs no buffer. */
#ifndef FUZZ_MODEL_H
#define FUZZ_MODEL_H

#include "script.h"

#include "../../common/connection.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STREAM_BYTES = 1 << 18 }; /* the most that one peer sends */

/* Of the whole server. */
struct server_model {
    const struct options *options;
    uint64_t now_ns;
    struct stats stats; /* as they must be */
};

struct model {
    size_t arrived;  /* how much of the stream the peer has sent */
    size_t received; /* how much of that the server has been given */
    size_t due;      /* where the last whole frame in it ends */
    size_t sent;     /* how much of that has left as echoes */
    /* the frame that is being received */
    uint64_t length;
    unsigned header_bytes;
    uint64_t body_left;
    /* the connection */
    enum connection_state state;
    enum close_reason reason;
    bool input_ended;
    bool paused;
    bool ending; /* the server has begun to end it: drain-timeout runs */
    uint64_t opened_ns;
    uint64_t activity_ns;
    uint64_t ending_ns;
    uint8_t filling; /* the next byte of a payload */
    uint8_t stream[STREAM_BYTES];
};

void model_begin(struct model *model, const struct server_model *server);

/* What the peer sends, as the script says: frames, any bytes, a header above max-frame. */
void model_frames(struct model *model, struct script *script, uint32_t max_frame);
void model_raw(struct model *model, struct script *script);
void model_oversize(struct model *model, struct script *script, uint32_t max_frame);

/* The functions of common/connection.h, as the protocol tells them. */
void model_received(struct model *model, struct server_model *server, size_t count);
void model_sent(struct model *model, struct server_model *server, size_t count);
void model_ended(struct model *model);
void model_failed(struct model *model, int number);
void model_finish(struct model *model, const struct server_model *server, enum close_reason reason);
void model_close(struct model *model, enum close_reason reason);
void model_settle(struct model *model, struct server_model *server);
bool model_owes_fin(const struct model *model);
void model_fin_sent(struct model *model, const struct server_model *server);
unsigned model_wants(const struct model *model);

/* Bytes to be sent, and bytes that the connection has to keep. */
size_t model_output(const struct model *model);
size_t model_pending(const struct model *model);

/* When the timeout that closes it at once is over, and when any is. */
uint64_t model_cut(const struct model *model, const struct server_model *server);
uint64_t model_deadline(const struct model *model, const struct server_model *server);

/* Compares a connection with its model: at any time, and after connection_settle. */
void model_compare(const struct model *model, const struct connection *connection);
void model_compare_settled(const struct model *model, const struct connection *connection,
                           const struct options *options);

#endif
