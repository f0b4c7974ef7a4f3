/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lwIP connection as lines and bodies: the little of HTTP/1.1 that a peer needs (a start line,
 * Content-Length, a body of the pattern). Every body consists of the bytes that tests/lab/origin.py
 * gives, over and over, and is compared while it comes. Owner and thread: whoever opened it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct netconn;
struct pbuf;

#define CONN_LINE_BYTES 8192

struct conn {
    struct netconn *netconn;
    struct pbuf *pbuf; /* what is being read; NULL: the next one has to be waited for */
    size_t offset;     /* into it */
};

/* What a head says. */
struct head {
    char start[CONN_LINE_BYTES]; /* the request line or the status line */
    uint64_t length;             /* Content-Length, 0 when it is not there */
    bool expects_continue;       /* the client waits for "100 Continue" */
};

/* Reads a start line and fields. False: the connection is over. */
bool conn_read_head(struct conn *c, struct head *ret);

/* Reads a body of `length` bytes. Returns how many came; *ret_is_intact: they were the pattern. */
uint64_t conn_read_pattern(struct conn *c, uint64_t length, bool *ret_is_intact);

/* Reads up to `max` bytes of a body that is text; returns how many. */
size_t conn_read_text(struct conn *c, char *into, size_t max);

/* Sends text; false: the connection is over. */
bool conn_write_text(struct conn *c, const char *text);

/* Sends the first `length` bytes of the pattern; false: the connection is over. */
bool conn_write_pattern(struct conn *c, uint64_t length);

/* Closes it and gives everything back. */
void conn_done(struct conn *c);
