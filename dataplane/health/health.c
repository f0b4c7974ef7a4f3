/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of a worker: made, configured, kept up, ended. The rules are in health.h. */
#include "health/health.h"

#include "base/assert.h"
#include "base/minmax.h"
#include "health/health_priv.h"
#include "tls/tls.h"

void health_config_default(struct health_config *config, uint32_t conns_max)
{
    ASSERT(conns_max > 0);
    uint32_t checks = conns_max / 16 + 8;
    *config = (struct health_config){
        .probes_max = HEALTH_PROBES_MAX,
        .checks_max = checks < HEALTH_CHECKS_MAX ? checks : HEALTH_CHECKS_MAX,
    };
}

struct health *health_new(struct core *core, const struct endpoint_table *table,
                          const struct health_config *config)
{
    struct health *h = core_memory(core, sizeof(*h), "health");
    *h = (struct health){.core = core, .table = table, .config = *config};
    core_pool(core, &h->probes, sizeof(struct health_probe), config->probes_max, "probes");
    core_pool(core, &h->checks, sizeof(struct health_check), config->checks_max, "health checks");
    /* A check holds one while it reads a head, or has trailers; that its request needs one, too,
     * because the stream has no room, hardly happens. */
    core_pool(core, &h->heads, sizeof(struct http_head_buf), config->checks_max,
              "heads of health checks");
    enum tls_fault fault = tls_client_new(&(struct tls_client_config){.alpn = NULL}, &h->tls);
    if (fault == TLS_FAULT_OK)
        fault = tls_back_new(&h->back);
    ASSERT(fault == TLS_FAULT_OK);
    h->buckets = core_buckets(core, config->probes_max, "probe buckets", &h->buckets_mask);
    list_init(&h->due);
    h->places.state = rng_next(&core->rng);
    health_http_init(h);
    return h;
}

void health_set_dialer(struct health *h, const struct upstream_dialer *dialer)
{
    ASSERT(dialer->open != NULL);
    h->dialer = *dialer;
}

void health_set_image(struct health *h, const struct image_view *view,
                      const struct tls_trust *const *trusts)
{
    ASSERT(view != NULL && h->dialer.open != NULL);
    h->view = view;
    h->trusts = trusts;
    h->is_all_wanted = true;
    h->is_walking = false; /* its rows are of the other image */
}

/* It is its turn: checked, unless it is not to be checked any more. */
static void begin_check(struct health *h, struct health_probe *p)
{
    struct health_place at;
    if (health_place_find(h, &p->id, &at))
        health_check_begin(h, p, &at);
    else
        health_probe_drop(h, p);
}

static unsigned begin_due(struct health *h)
{
    unsigned n = 0;
    while (n < HEALTH_STARTS_PER_POLL && h->checks.used < h->checks.capacity) {
        struct list_node *first = list_take_front(&h->due);
        if (first == NULL)
            break;
        begin_check(h, container_of(first, struct health_probe, due));
        n++;
    }
    return n;
}

unsigned health_poll(struct health *h)
{
    return h->view == NULL ? 0 : health_walk(h) + begin_due(h);
}

void health_done(struct health *h)
{
    health_probes_done(h);
    h2_done(h->h2);
    tls_context_free(h->tls);
    tls_context_free(h->back);
    ASSERT(h->probes.used == 0 && h->checks.used == 0 && h->heads.used == 0);
}

void health_counts(const struct health *h, struct health_counts *ret)
{
    *ret = (struct health_counts){
        .probes = h->probes.used, .checks = h->checks.used, .heads = h->heads.used};
}

static void check_probe(const struct health *h, const struct health_probe *p)
{
    bool is_due = list_is_linked(&p->due);
    ASSERT(p->health == h && p->interval_ms > 0);
    ASSERT(is_due != wheel_timer_is_armed(&p->timer));
    ASSERT(p->check == NULL || (!is_due && p->check->probe == p));
}

void check_health(const struct health *h)
{
    uint32_t probes = 0, checks = 0, unhealthy = 0;
    for (uint32_t i = 0; i <= h->buckets_mask; i++) {
        LIST_EACH (it, &h->buckets[i]) {
            const struct health_probe *p = container_of(it, struct health_probe, link);
            check_probe(h, p);
            probes++;
            checks += p->check != NULL;
            unhealthy += p->is_unhealthy;
        }
    }
    const uint64_t *counters = h->core->stats->counters;
    ASSERT(probes == h->probes.used && probes == counters[STAT_health_probes_now]);
    ASSERT(checks == h->checks.used && checks == counters[STAT_health_checks_now]);
    ASSERT(unhealthy == counters[STAT_health_unhealthy_now]);
}
