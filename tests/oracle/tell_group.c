/* SPDX-License-Identifier: Apache-2.0 */
/* What an image says of connections to backends and mirrors. See tell.h. */
#include "tell.h"

/* What backends and mirrors say alike. */
struct connections {
    uint32_t group, health, tls;
    const struct image_balance *balancing;
    uint32_t idle_ms;
    uint8_t congestion, proxy_header, protocol, forwarding;
};

json_t *tell_bundle(const struct image_view *v, uint32_t bundle)
{
    if (bundle == IMAGE_NONE)
        return json_null();
    const struct image_bundle *b = &v->bundles[bundle];
    return json_pack("[o,o]", tell_text(v, b->name), tell_bytes(b->id.bytes, sizeof(b->id.bytes)));
}

static json_t *tell_tls(const struct image_view *v, uint32_t tls)
{
    if (tls == IMAGE_NONE)
        return json_null();
    const struct image_backend_tls *t = &v->backend_tls[tls];
    json_t *sans = json_array();
    for (uint32_t i = t->first_san; i < t->first_san + t->n_sans; i++)
        json_array_append_new(sans, json_pack("[s,o]",
                                              v->sans[i].kind == IMAGE_SAN_URI ? "URI" : "Hostname",
                                              tell_text(v, v->sans[i].text)));
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "id", tell_words(t->id, 2), "name",
                     tell_text(v, t->name), "serverName", tell_text(v, t->server_name), "sans",
                     sans, "bundle", tell_bundle(v, t->bundle));
}

static json_t *tell_health(const struct image_view *v, uint32_t health)
{
    if (health == IMAGE_NONE)
        return json_null();
    const struct image_health *h = &v->health[health];
    json_t *statuses = json_array();
    for (uint32_t i = 0; i < h->n_statuses; i++)
        json_array_append_new(
            statuses, json_pack("[i,i]", (int)h->statuses[i].first, (int)h->statuses[i].last));
    json_t *active = json_pack(
        "[s,I,I,i,i,i,o,o,o,o]", image_health_check_name(h->check), (json_int_t)h->interval_ms,
        (json_int_t)h->timeout_ms, (int)h->healthy_checks, (int)h->unhealthy_checks, (int)h->port,
        tell_text(v, h->host), tell_text(v, h->path), tell_text(v, h->service), statuses);
    json_t *passive = json_pack("[i,I,I,i]", (int)h->failures, (json_int_t)h->base_ejection_ms,
                                (json_int_t)h->max_ejection_ms, (int)h->max_ejected_percent);
    return json_pack("{s:o,s:I,s:o,s:o,s:I,s:i,s:s,s:o}", "name", tell_text(v, h->name), "id",
                     (json_int_t)h->group, "active", active, "passive", passive, "slowStart",
                     (json_int_t)h->slow_start_ms, "panic", (int)h->panic_percent, "protocol",
                     image_backend_protocol_name(h->protocol), "tls", tell_tls(v, h->tls));
}

static json_t *tell_connections(const struct image_view *v, const struct connections *c)
{
    if (c->group == IMAGE_NONE)
        return json_null();
    return json_pack("{s:I,s:s,s:s,s:s,s:s,s:I,s:[s,s,o],s:o,s:o}", "id", (json_int_t)c->group,
                     "protocol", image_backend_protocol_name(c->protocol), "congestion",
                     image_congestion_name(c->congestion), "proxyHeader",
                     image_proxy_header_name(c->proxy_header), "forwarding",
                     image_forwarding_name(c->forwarding), "idle", (json_int_t)c->idle_ms,
                     "balancing", image_balancing_name(c->balancing->way),
                     image_hash_key_name(c->balancing->hash_key), tell_text(v, c->balancing->name),
                     "health", tell_health(v, c->health), "tls", tell_tls(v, c->tls));
}

json_t *tell_backend_connections(const struct image_view *v, const struct image_backend *b)
{
    return tell_connections(v, &(struct connections){.group = b->group,
                                                     .health = b->health,
                                                     .tls = b->tls,
                                                     .balancing = &b->balancing,
                                                     .congestion = b->congestion,
                                                     .proxy_header = b->proxy_header,
                                                     .protocol = b->protocol,
                                                     .idle_ms = b->idle_ms,
                                                     .forwarding = b->forwarding});
}

/* A mirror's are all of our own. */
json_t *tell_mirror_connections(const struct image_view *v, const struct image_mirror *m)
{
    return tell_connections(v, &(struct connections){.group = m->group,
                                                     .health = m->health,
                                                     .tls = m->tls,
                                                     .balancing = &m->balancing,
                                                     .congestion = m->congestion,
                                                     .proxy_header = m->proxy_header,
                                                     .protocol = m->protocol,
                                                     .forwarding = IMAGE_FORWARDING_PROXY});
}
