/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of http share among themselves. Pure functions; thread: any. */
#pragma once

#include "http/http.h"

/* Where the parser is in a head. `p` never passes `end`; the bytes before `end` are CR LF CR LF, so
 * a loop over a class that has neither stops by itself. */
struct http_cursor {
    uint8_t *p;
    uint8_t *end;
};

/* What the fields say, collected while they are parsed. */
struct http_field_facts {
    unsigned hosts;
    struct slice host; /* the field's value as received */
    bool is_length;
    bool is_coding;
    bool is_close;
    bool is_keep_alive;
    bool is_naming; /* Connection names other fields */
};

/* Method of a token; HTTP_OTHER when it is not in the list (methods are case-sensitive). */
enum http_method http_method_of(struct slice text);

/* Which known field it is. */
enum http_known http_known_of(struct slice name);

/* Does it end at the next hop, always? */
bool http_known_is_hop(enum http_known known);

/* Parses all field lines and the empty line; fills in fields, known, is_hop, n_fields, length,
 * is_expecting_continue, is_upgrade_asked, is_upgrade_named, and `ret`. */
enum http_fault http_fields_parse(struct http_cursor *c, struct http_head *head,
                                  struct http_field_facts *ret);

/* A line end at c->p: consumed. Else the fault that fits: bare_cr, bare_lf, or `otherwise`. */
enum http_fault http_line_end(struct http_cursor *c, enum http_fault otherwise);

/* Splits and normalizes a request target and the Host field; fills in authority, host, path, query.
 * Writes to the bytes of both. RFC 9112, section 3.2. */
enum http_fault http_target_parse(struct slice target, const struct http_field_facts *facts,
                                  struct http_head *head);

/* Checks an authority (host[:port]), puts it into lower case in place, and drops a dot at the end
 * of the host. False: it is not valid. */
bool http_authority_parse(struct slice text, struct slice *ret_authority, struct slice *ret_host);
