/* The head of a reply. */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include "../../common/connection.h"

#include <stdbool.h>
#include <sys/types.h>

enum reply_connection {
    REPLY_SAYS_NOTHING, /* HTTP/1.1: it stays open */
    REPLY_KEEP_ALIVE,   /* to HTTP/1.0, which has asked for that */
    REPLY_CLOSE,
};

struct reply {
    int status;
    enum reply_connection connection;
    const char *type;  /* media type; with `text` it is text/plain */
    const char *allow; /* the methods that are allowed, with 405; else NULL */
    off_t length;      /* of the body, which the caller puts out behind the head */
    bool text;         /* the body is the status in words, and this puts it out too */
    bool no_body;      /* to HEAD: the same head, and nothing behind it */
};

/* Adds it to the output. Returns false when memory is short. */
bool reply_put(struct connection *connection, const struct reply *reply);

#endif
