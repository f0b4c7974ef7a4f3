/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a HealthPolicy says. Its schema gives every number that may be left out, so none is chosen
 * here.
 */
#include "attach/attach_priv.h"

#include "abi/image.h"

/* NULL where it is not there. */
static const char *given(const json_t *object, const char *key)
{
    const char *text = text_at(object, key);
    return text[0] != '\0' ? text : NULL;
}

static void read_statuses(const json_t *ranges, struct image_health *ret)
{
    size_t i;
    const json_t *range;
    json_array_foreach(ranges, i, range)
    {
        if (i < IMAGE_HEALTH_RANGES_MAX) {
            ret->statuses[ret->n_statuses++] = (struct image_status_range){
                (uint16_t)int_at(range, "start"), (uint16_t)int_at(range, "end")};
        }
    }
}

/* `http` need not be given, for all of it may be left out. */
static void read_http(const json_t *http, struct plan_health *ret)
{
    static const struct image_status_range usual = {200, 399};
    ret->host = given(http, "host");
    ret->path = http != NULL ? text_at(http, "path") : "/";
    read_statuses(json_object_get(http, "expectedStatuses"), &ret->numbers);
    if (ret->numbers.n_statuses == 0) {
        ret->numbers.statuses[ret->numbers.n_statuses++] = usual;
    }
}

static void read_active(const json_t *active, struct plan_health *ret)
{
    struct image_health *n = &ret->numbers;
    const json_t *grpc = json_object_get(active, "grpc");
    n->check = (uint8_t)image_health_check_named(text_at(active, "type"));
    n->interval_ms = ms_at(active, "interval");
    n->timeout_ms = ms_at(active, "timeout");
    n->healthy_checks = (uint16_t)int_at(active, "healthyThreshold");
    n->unhealthy_checks = (uint16_t)int_at(active, "unhealthyThreshold");
    n->port = (uint16_t)int_at(active, "port");
    if (n->check == IMAGE_HEALTH_CHECK_HTTP) {
        read_http(json_object_get(active, "http"), ret);
    } else if (n->check == IMAGE_HEALTH_CHECK_GRPC) {
        ret->service = given(grpc, "service");
    } else if (n->check == IMAGE_HEALTH_CHECK_TLS) {
        ret->host = given(json_object_get(active, "tls"), "hostname");
    }
}

static void read_passive(const json_t *passive, struct image_health *ret)
{
    ret->failures = (uint16_t)int_at(passive, "consecutiveFailures");
    ret->base_ejection_ms = ms_at(passive, "baseEjectionTime");
    ret->max_ejection_ms = ms_at(passive, "maxEjectionTime");
    ret->max_ejected_percent = (uint8_t)int_at(passive, "maxEjectedPercent");
}

void policy_health_read(struct attach *a, struct at_policy *p)
{
    const json_t *spec = json_object_get(p->meta.obj, "spec");
    const json_t *active = json_object_get(spec, "active");
    const json_t *passive = json_object_get(spec, "passive");
    struct plan_health *h = &p->health;
    h->name = p->meta.full_name;
    if (active != NULL) {
        read_active(active, h);
    }
    if (passive != NULL) {
        read_passive(passive, &h->numbers);
    }
    h->numbers.slow_start_ms = ms_at(spec, "slowStart");
    h->numbers.panic_percent = (uint8_t)int_at(spec, "panicThresholdPercent");
}
