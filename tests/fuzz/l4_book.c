/* SPDX-License-Identifier: Apache-2.0 */
/* See l4_book.h. */
#include "l4_book.h"

#include "base/assert.h"
#include "l4_check.h"
#include "l4_world.h"

#include <string.h>

#define PAIRS_MAX 128u /* clients, their ports, and both protocols: 96 */
#define UPS_MAX 16u

struct pair {
    uint8_t proto; /* 0: nobody's */
    bool is_known; /* `server` is */
    struct flow_tuple client;
    struct flow_tuple server;
    uint64_t changes; /* when it was seen */
};

static struct pair pairs[PAIRS_MAX];
static struct pair ups[UPS_MAX]; /* the last, by NAT */
static unsigned n_ups;
static bool is_burst;
static bool goes_on;

void l4_book_begin(void)
{
    memset(pairs, 0, sizeof(pairs));
    n_ups = 0;
    is_burst = goes_on = false;
}

void l4_book_packet(bool more)
{
    is_burst = goes_on || more;
    goes_on = more;
}

static bool is_same(const struct flow_tuple *a, const struct flow_tuple *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* Grows with each flow that begins, ends, or changes its endpoint. */
static uint64_t changes(void)
{
    return stack_stat(STAT_l4_opened_tcp) + stack_stat(STAT_l4_opened_udp) +
           stack_stat(STAT_l4_retargeted) - stack_stat(STAT_l4_flows_now) +
           stack_stat(STAT_l4_opened_tcp) + stack_stat(STAT_l4_opened_udp);
}

static struct pair *pair_of(uint8_t proto, const struct flow_tuple *client)
{
    for (unsigned i = 0; i < PAIRS_MAX; i++) {
        struct pair *p = &pairs[i];
        if (p->proto == proto && is_same(&p->client, client))
            return p;
        if (p->proto == 0) {
            *p = (struct pair){.proto = proto, .client = *client};
            return p;
        }
    }
    return NULL;
}

void l4_book_forget(uint8_t proto, const struct flow_tuple *server)
{
    for (unsigned i = 0; i < PAIRS_MAX; i++)
        pairs[i].is_known &= pairs[i].proto != proto || !is_same(&pairs[i].server, server);
}

void l4_book_note(uint8_t proto, const struct flow_tuple *client, const struct flow_tuple *server)
{
    struct pair *p = pair_of(proto, client);
    if (p == NULL)
        return;
    ASSERT(is_burst || !p->is_known || p->changes != changes() || is_same(&p->server, server));
    if (server->local_port != 0)
        l4_book_forget(proto, server); /* whoever had that port */
    p->is_known = !is_burst;
    p->server = *server;
    p->changes = changes();
    if (server->local_port != 0)
        ups[n_ups++ % UPS_MAX] = *p;
}

void l4_book_check_down(uint8_t proto, const struct flow_tuple *client,
                        const struct flow_tuple *server)
{
    for (unsigned i = 0; i < PAIRS_MAX; i++) {
        const struct pair *p = &pairs[i];
        if (p->proto == proto && p->is_known && is_same(&p->server, server))
            ASSERT(is_same(&p->client, client));
    }
}

bool l4_oracle_up(unsigned back, struct flow_tuple *ret, uint8_t *ret_proto)
{
    if (back >= UPS_MAX || back >= n_ups)
        return false;
    const struct pair *p = &ups[(n_ups - 1 - back) % UPS_MAX];
    *ret = p->server;
    *ret_proto = p->proto;
    return true;
}
