/* SPDX-License-Identifier: Apache-2.0 */
/* See sim_congestion.h. */
#include "sim_congestion.h"

#include "base/assert.h"
#include "base/rng.h"
#include "proxy/proxy.h"
#include "sim_plan.h"
#include "tcp/tcp_priv.h"
#include "worker.h"

#define BITS 32u

uint32_t sim_congestion_plan(uint64_t seed)
{
    struct rng r = {seed ^ 0x626272};
    switch (rng_below(&r, 3)) {
    case 0:
        return 0;
    case 1:
        return UINT32_MAX;
    default:
        return rng_below(&r, UINT32_MAX);
    }
}

enum tcp_congestion sim_congestion_of(const struct sim_plan *plan, unsigned n)
{
    return (plan->bbr >> n % BITS & 1) != 0 ? TCP_CONGESTION_BBR : TCP_CONGESTION_CUBIC;
}

static bool on_listen(void *owner, const struct ip_addr *local, uint16_t port,
                      struct tcp_listening *ret)
{
    struct sim_congestion *x = owner;
    if (!x->upcalls.listen(x->upcalls.owner, local, port, ret))
        return false;
    ret->congestion = sim_congestion_of(x->plan, x->n++);
    return true;
}

static bool on_accept(void *owner, struct stream *s, uint32_t bind)
{
    struct sim_congestion *x = owner;
    return x->upcalls.accept(x->upcalls.owner, s, bind);
}

static enum tcp_open_fault dial(void *owner, const struct tcp_open_args *args,
                                struct stream **ret_stream)
{
    struct sim_congestion *x = owner;
    struct tcp_open_args chosen = *args;
    chosen.congestion = (uint8_t)sim_congestion_of(x->plan, x->n++);
    return tcp_open(worker_tcp(x->worker), &chosen, ret_stream);
}

void sim_congestion_begin(struct sim_congestion *x, const struct sim_plan *plan, struct worker *w)
{
    struct tcp *t = worker_tcp(w);
    *x = (struct sim_congestion){.plan = plan, .worker = w, .upcalls = t->upcalls};
    t->upcalls = (struct tcp_upcalls){.listen = on_listen, .accept = on_accept, .owner = x};
    proxy_set_dialer(worker_proxy(w), &(struct upstream_dialer){.open = dial, .owner = x});
    ASSERT(x->upcalls.listen != NULL);
}
