/* SPDX-License-Identifier: Apache-2.0 */
/* See l4_cookies.h. */
#include "l4_cookies.h"

#include "frame.h"

#include <string.h>

#define COOKIES_MAX 32u
#define SYN 2u
#define ACK 16u
#define ECN 0xc0u /* ECE and CWR, which say nothing here */

static struct l4_cookie cookies[COOKIES_MAX];
static unsigned n_cookies;

void l4_cookies_begin(void)
{
    n_cookies = 0;
}

static struct l4_cookie *last(unsigned back)
{
    bool is_there = back < COOKIES_MAX && back < n_cookies;
    return is_there ? &cookies[(n_cookies - 1 - back) % COOKIES_MAX] : NULL;
}

const struct l4_cookie *l4_cookies_last(unsigned back)
{
    return last(back);
}

const struct l4_cookie *l4_cookies_of_client(const struct flow_tuple *client)
{
    for (unsigned i = 0; last(i) != NULL; i++) {
        if (memcmp(&last(i)->client, client, sizeof(*client)) == 0)
            return last(i);
    }
    return NULL;
}

const struct l4_cookie *l4_cookies_of_server(const struct flow_tuple *server)
{
    for (unsigned i = 0; last(i) != NULL; i++) {
        if (memcmp(&last(i)->server, server, sizeof(*server)) == 0)
            return last(i);
    }
    return NULL;
}

void l4_cookies_down(const struct flow_tuple *client, const uint8_t *tcp)
{
    if ((tcp[13] & ~ECN) != (SYN | ACK))
        return;
    cookies[n_cookies++ % COOKIES_MAX] = (struct l4_cookie){
        .client = *client, .iss = frame_get32(tcp + 8) - 1, .number = frame_get32(tcp + 4)};
}

const struct l4_cookie *l4_cookies_up(const struct flow_tuple *server, const uint8_t *tcp)
{
    uint32_t seq = frame_get32(tcp + 4), ack = frame_get32(tcp + 8);
    for (unsigned i = 0; last(i) != NULL; i++) {
        struct l4_cookie *k = last(i);
        bool is_asked = memcmp(&k->server, server, sizeof(*server)) == 0;
        if (tcp[13] == SYN && seq == k->iss) {
            k->server = *server;
            return k;
        }
        if (is_asked && seq == k->iss + 1) {
            if (tcp[13] == ACK && k->delta == 0)
                k->delta = k->number - (ack - 1);
            return k;
        }
    }
    return NULL;
}
