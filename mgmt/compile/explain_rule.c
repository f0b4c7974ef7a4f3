/* SPDX-License-Identifier: Apache-2.0 */
/* What explain tells of the chosen rule beside its backends: what holds a request back, sends it
 * elsewhere or once more, or ends it. As the image has it, in the words of the API's objects. Keys
 * of sessions are secret, and stay here. */
#include "compile/explain_priv.h"

#include "abi/image.h"
#include "route/filter.h"

#include <stdio.h>

#define DURATION_BYTES 32u

/* "1h", "5m", "2s", "300ms": the largest unit that is exact. */
static json_t *duration(uint64_t ms)
{
    static const struct {
        uint64_t ms;
        const char *name;
    } units[] = {{3600000, "h"}, {60000, "m"}, {1000, "s"}, {1, "ms"}};
    unsigned i = 0;
    while (ms % units[i].ms != 0)
        i++;
    char text[DURATION_BYTES];
    snprintf(text, sizeof(text), "%llu%s", (unsigned long long)(ms / units[i].ms), units[i].name);
    return json_string(text);
}

static json_t *describe_key(const struct explanation *e, const struct image_limit *limit)
{
    if (limit->key == IMAGE_LIMIT_CLIENT)
        return json_pack("{s:s,s:i,s:i}", "type", "ClientAddress", "ipv4PrefixLength",
                         (int)limit->prefix4_len, "ipv6PrefixLength", (int)limit->prefix6_len);
    if (limit->key == IMAGE_LIMIT_HEADER)
        return json_pack("{s:s,s:o}", "type", "Header", "name", explain_text(e, limit->header));
    return json_pack("{s:s}", "type", "Route");
}

static json_t *describe_limits(const struct explanation *e, const struct image_rule *rule)
{
    const struct image_filter *filter = route_filter_find(&e->view, rule, IMAGE_FILTER_LIMIT);
    json_t *limits = filter == NULL ? NULL : json_array();
    for (uint32_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct image_limit *limit = &e->view.limits[filter->first + i];
        json_t *o =
            json_pack("{s:o,s:I,s:o,s:I,s:o}", "name", explain_text(e, limit->name), "requests",
                      (json_int_t)limit->requests, "per", duration(limit->period_ms), "burst",
                      (json_int_t)limit->burst, "key", describe_key(e, limit));
        json_array_append_new(limits, o);
    }
    return limits;
}

static json_t *describe_mirrors(const struct explanation *e, const struct image_rule *rule)
{
    const struct image_filter *filter = route_filter_find(&e->view, rule, IMAGE_FILTER_MIRROR);
    json_t *mirrors = filter == NULL ? NULL : json_array();
    for (uint32_t i = 0; filter != NULL && i < filter->count; i++) {
        const struct image_mirror *mirror = &e->view.mirrors[filter->first + i];
        char share[16];
        snprintf(share, sizeof(share), "%.4g%%", 100.0 * mirror->numerator / mirror->denominator);
        json_array_append_new(
            mirrors, json_pack("{s:o,s:s}", "name", explain_text(e, mirror->name), "share", share));
    }
    return mirrors;
}

static json_t *describe_retry(const struct explanation *e, const struct image_rule *rule)
{
    if (rule->retry == IMAGE_NONE)
        return NULL;
    const struct image_retry *retry = &e->view.retries[rule->retry];
    json_t *codes = json_array();
    for (uint16_t code = IMAGE_RETRY_CODE_MIN; code <= IMAGE_RETRY_CODE_MAX; code++) {
        if (image_retry_has(retry, code))
            json_array_append_new(codes, json_integer(code));
    }
    return json_pack("{s:i,s:o,s:o}", "attempts", (int)retry->attempts, "codes", codes, "backoff",
                     duration(retry->backoff_ms));
}

static json_t *describe_persistence(const struct explanation *e, const struct image_rule *rule)
{
    if (rule->persistence == IMAGE_NONE)
        return NULL;
    const struct image_persistence *session = &e->view.persistence[rule->persistence];
    bool is_cookie = session->kind == IMAGE_SESSION_COOKIE;
    json_t *o = json_pack("{s:s,s:o}", "type", is_cookie ? "Cookie" : "Header", "sessionName",
                          explain_text(e, session->name));
    if (session->lifetime_s != 0)
        json_object_set_new(o, "absoluteTimeout", duration((uint64_t)session->lifetime_s * 1000));
    if (is_cookie) {
        json_object_set_new(o, "cookiePath", explain_text(e, session->path));
        json_object_set_new(o, "lifetimeType",
                            json_string(session->is_permanent ? "Permanent" : "Session"));
    }
    return o;
}

static json_t *describe_timeouts(const struct explanation *e, const struct image_rule *rule)
{
    json_t *o = json_object();
    if (rule->request_timeout_ms != 0)
        json_object_set_new(o, "request", duration(rule->request_timeout_ms));
    if (rule->backend_request_timeout_ms != 0)
        json_object_set_new(o, "backendRequest", duration(rule->backend_request_timeout_ms));
    if (json_object_size(o) != 0)
        return o;
    json_decref(o);
    return NULL;
}

void explain_rule(const struct explanation *e, const struct image_rule *rule, json_t *status)
{
    static const struct {
        const char *key;
        json_t *(*describe)(const struct explanation *e, const struct image_rule *rule);
    } parts[] = {
        {"timeouts", describe_timeouts}, {"retry", describe_retry},
        {"rateLimits", describe_limits}, {"sessionPersistence", describe_persistence},
        {"mirrors", describe_mirrors},
    };
    for (unsigned i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        json_t *o = parts[i].describe(e, rule);
        if (o != NULL)
            json_object_set_new(status, parts[i].key, o);
    }
}
