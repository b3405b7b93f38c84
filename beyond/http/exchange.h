/* The HTTP side of a connection: requests are taken from its input, and replies become its output.
 *
 * The five echo from where they received, so one buffer is enough for them. Here a reply is not the
 * request: connection->buffer holds input only, and `out` below holds replies. A file follows them
 * and is never in memory. connection->output is the number of all bytes that are to be sent, the
 * file's included: so the loop asks for WRITABLE as it does for the five. */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "chunks.h"
#include "head.h"
#include "stages.h"

#include "../../common/buffer.h"
#include "../../common/connection.h"
#include "../../common/extra.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What stands behind each struct connection (extra.h). It begins as zeros. */
struct exchange {
    struct staying staying; /* the stage that it is in, for its timeout */
    struct buffer out;
    off_t file_at;
    off_t file_left; /* 0: no file is under way, and `file` is not open */
    int file;
    uint32_t decoded; /* bytes of a chunked body that stand at the front of the input */
    union {
        struct head head;     /* while the head is coming */
        struct chunks chunks; /* while a chunked body is coming */
        uint64_t length;      /* of a body whose length is known */
    };
    bool in_body;
    bool chunked;
    bool keep_alive; /* as the request whose body is coming has asked */
    bool is_1_0;
    bool to_head;    /* what is refused next is HEAD: no content behind the reply */
    bool blank_line; /* one came before the request: that is allowed once */
    bool held;       /* bytes were left in the input, because the output had to leave first */
    bool completed;  /* a request was taken: the next one's time begins */
    bool body_came;  /* content of a body has come: its time begins again */
};

static inline struct exchange *exchange_of(struct connection *connection)
{
    return extra_of(connection);
}

/* Takes the requests that have come, and puts their replies out, until more must come, or until so
 * much is to be sent that the rest must wait: then it is held. */
void exchange_take(struct connection *connection, struct context *context);

/* The connection is OPEN, and takes no more requests. It ends when its replies have left, however
 * long the peer takes to read them: drain-timeout begins with FIN (connection.c). */
void exchange_take_no_more(struct connection *connection, enum close_reason reason);

/* Must requests wait until output has left? A file is sent from where it is, so nothing can be put
 * behind it. */
bool exchange_is_busy(struct connection *connection, const struct context *context);

/* Which stage the connection is in, as far as a timeout is concerned. */
enum stage exchange_stage(struct connection *connection);

/* The time of its stage is over: 408 if a part of a request has come, and then the connection ends.
 */
void exchange_time_is_over(struct connection *connection);

#endif
