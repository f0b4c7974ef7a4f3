/* SPDX-License-Identifier: Apache-2.0 */
/* Health policies: what they may say, and how the one of a group is found. */
#include "abi/image_check.h"

#include "abi/endpoints.h"

static bool is_ms(uint32_t ms)
{
    return ms >= IMAGE_HEALTH_MS_MIN && ms <= IMAGE_HEALTH_MS_MAX;
}

static bool is_count(uint16_t n)
{
    return n > 0 && n <= IMAGE_HEALTH_COUNT_MAX;
}

/* What is not used is zero. */
static bool is_statuses(const struct image_health *e)
{
    for (unsigned i = 0; i < IMAGE_HEALTH_RANGES_MAX; i++) {
        const struct image_status_range *r = &e->statuses[i];
        bool is_none = r->first == 0 && r->last == 0;
        bool is_range = r->first >= 100 && r->last <= 599 && r->first <= r->last;
        if (i < e->n_statuses ? !is_range : !is_none)
            return false;
    }
    return e->n_statuses <= IMAGE_HEALTH_RANGES_MAX;
}

/* Strings and statuses are there for the checks that use them. */
static bool is_check(const struct image_health *e)
{
    bool is_http = e->check == IMAGE_HEALTH_CHECK_HTTP,
         is_grpc = e->check == IMAGE_HEALTH_CHECK_GRPC, is_tls = e->check == IMAGE_HEALTH_CHECK_TLS;
    bool has_host = is_http || is_grpc || is_tls;
    if (e->check >= IMAGE_HEALTH_CHECKS || !is_statuses(e) || is_http != (e->n_statuses > 0) ||
        is_http != (e->path.length > 0) || (!has_host && e->host.length > 0) ||
        e->service.length > (is_grpc ? IMAGE_GRPC_SERVICE_BYTES_MAX : 0) ||
        (is_tls && e->host.length > IMAGE_SERVER_NAME_BYTES_MAX))
        return false;
    if (e->check == IMAGE_HEALTH_CHECK_NONE)
        return (e->interval_ms | e->timeout_ms | e->port | e->healthy_checks |
                e->unhealthy_checks) == 0;
    return is_ms(e->interval_ms) && is_ms(e->timeout_ms) && e->timeout_ms <= e->interval_ms &&
           is_count(e->healthy_checks) && is_count(e->unhealthy_checks);
}

static bool is_ejection(const struct image_health *e)
{
    if (e->failures == 0)
        return (e->base_ejection_ms | e->max_ejection_ms | e->max_ejected_percent) == 0;
    return is_count(e->failures) && is_ms(e->base_ejection_ms) && is_ms(e->max_ejection_ms) &&
           e->base_ejection_ms <= e->max_ejection_ms && e->max_ejected_percent > 0 &&
           e->max_ejected_percent <= 100;
}

bool image_is_health(const struct image_health *e)
{
    return is_check(e) && is_ejection(e) && e->panic_percent <= 100 &&
           (e->slow_start_ms == 0 || is_ms(e->slow_start_ms));
}

enum image_fault image_local_health(const struct image_view *v, uint32_t i)
{
    const struct image_health *e = &v->health[i];
    if (e->group >= ENDPOINT_GROUPS_MAX || (e->tls != IMAGE_NONE && e->tls >= v->n_backend_tls))
        return IMAGE_FAULT_INDEX;
    if (!image_is_health(e) || e->protocol >= IMAGE_BACKEND_PROTOCOLS)
        return IMAGE_FAULT_VALUE;
    if ((e->reserved[0] | e->reserved[1] | e->reserved[2]) != 0)
        return IMAGE_FAULT_RESERVED;
    const struct {
        struct image_string text;
        enum image_text_kind kind;
    } texts[] = {{e->host, IMAGE_TEXT_HOST},
                 {e->path, IMAGE_TEXT_TARGET},
                 {e->service, IMAGE_TEXT_NAME},
                 {e->name, IMAGE_TEXT_NAME}};
    enum image_fault fault = IMAGE_FAULT_OK;
    for (unsigned k = 0; k < sizeof(texts) / sizeof(texts[0]) && fault == IMAGE_FAULT_OK; k++)
        fault = image_check_text(v, texts[k].text, texts[k].kind);
    bool is_pattern =
        fault == IMAGE_FAULT_OK && e->host.length > 0 && image_text(v, e->host).ptr[0] == '*';
    return is_pattern ? IMAGE_FAULT_TEXT : fault;
}

enum image_fault image_cross_health(const struct image_view *v, uint32_t i)
{
    const struct image_health *e = &v->health[i];
    return i == 0 || e[-1].group < e->group ? IMAGE_FAULT_OK : IMAGE_FAULT_ORDER;
}

enum image_fault image_check_health_of(const struct image_view *v, uint32_t health, uint32_t group,
                                       uint8_t protocol)
{
    if (health != image_health_find(v, group))
        return IMAGE_FAULT_INDEX;
    bool is_alike = health == IMAGE_NONE || v->health[health].protocol == protocol;
    return is_alike ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE;
}

uint32_t image_health_find(const struct image_view *v, uint32_t group)
{
    uint32_t low = 0, high = v->n_health;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (v->health[middle].group < group)
            low = middle + 1;
        else
            high = middle;
    }
    return low < v->n_health && v->health[low].group == group ? low : IMAGE_NONE;
}

bool image_health_passes(const struct image_health *e, uint16_t status)
{
    for (unsigned i = 0; i < e->n_statuses; i++) {
        if (status >= e->statuses[i].first && status <= e->statuses[i].last)
            return true;
    }
    return false;
}
