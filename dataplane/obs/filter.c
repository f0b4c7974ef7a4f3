/* SPDX-License-Identifier: Apache-2.0 */
/* See obs/filter.h. */
#include "obs/filter.h"

static bool has_end(const struct observe_end *e, const struct ip_addr *address, uint16_t port)
{
    return (e->port == 0 || e->port == port) &&
           (e->prefix_len == 0 || ip_addr_in_prefix(address, &e->address, e->prefix_len));
}

bool obs_request_wants(const struct control_observe *r, bool is_error, uint32_t chance)
{
    bool is_drawn = r->one_in != 0 && chance <= UINT32_MAX / r->one_in;
    return is_drawn || (is_error && (r->wants & OBSERVE_WANTS_ERRORS) != 0);
}

bool obs_request_has(const struct control_observe *r, const struct ip_addr *one, uint16_t one_port,
                     const struct ip_addr *other, uint16_t other_port)
{
    for (uint32_t i = 0; i < r->n_matches; i++) {
        const struct observe_match *m = &r->matches[i];
        if ((has_end(&m->a, one, one_port) && has_end(&m->b, other, other_port)) ||
            (has_end(&m->b, one, one_port) && has_end(&m->a, other, other_port)))
            return true;
    }
    return r->n_matches == 0;
}

static bool is_sound_end(const struct observe_end *e)
{
    return e->prefix_len <= 128 && e->reserved == 0;
}

bool obs_request_is_sound(const struct control_observe *r, uint32_t length)
{
    if (length != sizeof(*r) || r->kind < OBSERVE_FLOWS || r->kind > OBSERVE_REQUESTS ||
        r->n_matches > OBSERVE_MATCHES_MAX || r->reserved != 0)
        return false;
    if (r->records_max == 0 || r->bytes_max == 0 || r->ms_max == 0)
        return false;
    bool has_snap = r->snap_bytes >= 1 && r->snap_bytes <= OBSERVE_SNAP_BYTES_MAX;
    if (r->kind == OBSERVE_CAPTURE && (!has_snap || r->protocol > UINT8_MAX))
        return false;
    bool has_requests = r->one_in != 0 || r->wants & OBSERVE_WANTS_ERRORS;
    if (r->kind == OBSERVE_REQUESTS && (!has_requests || r->wants > OBSERVE_WANTS_ALL))
        return false;
    for (uint32_t i = 0; i < r->n_matches; i++) {
        if (!is_sound_end(&r->matches[i].a) || !is_sound_end(&r->matches[i].b))
            return false;
    }
    return true;
}
