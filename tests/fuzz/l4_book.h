/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who talks to whom, as seen from the wire: of each client's ends the endpoint's, from the last
 * packet that went there. As long as no flow begins, ends or is sent elsewhere, they stay.
 */
#pragma once

#include "core/flow_table.h"

/* Nobody. */
void l4_book_begin(void);

/* A packet comes, in one burst with the next if there is `more`: who of them was before a flow
 * began or ended is not seen from outside, so that nothing is said of them. */
void l4_book_packet(bool more);

/* A client's packet went to `server`: our end and the endpoint's; carried, without ports. */
void l4_book_note(uint8_t proto, const struct flow_tuple *client, const struct flow_tuple *server);

/* An endpoint's packet, which came between the ends of `server`, went to `client`. */
void l4_book_check_down(uint8_t proto, const struct flow_tuple *client,
                        const struct flow_tuple *server);

/* A packet went to `server`, and whose it was is not known. */
void l4_book_forget(uint8_t proto, const struct flow_tuple *server);
