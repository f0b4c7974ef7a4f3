/* SPDX-License-Identifier: Apache-2.0 */
/* A Lease's fields and rules. See lease_view.h. */
#include "controller/lease_view.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void copy_text(char *to, size_t size, const json_t *object, const char *path)
{
    snprintf(to, size, "%s", kube_text_at(object, path));
}

static int64_t number_of(const json_t *spec, const char *key)
{
    return json_integer_value(json_object_get(spec, key));
}

void lease_view_take(struct lease_view *v, const json_t *object, uint64_t now_us)
{
    struct lease_view old = *v;
    const json_t *spec = json_object_get(object, "spec");
    *v = (struct lease_view){.is_there = object != NULL, .seen_us = old.seen_us};
    v->duration_us = (uint64_t)number_of(spec, "leaseDurationSeconds") * 1000000;
    v->transitions = number_of(spec, "leaseTransitions");
    copy_text(v->holder, sizeof(v->holder), object, "spec.holderIdentity");
    copy_text(v->acquire_time, sizeof(v->acquire_time), object, "spec.acquireTime");
    copy_text(v->renew_time, sizeof(v->renew_time), object, "spec.renewTime");
    copy_text(v->version, sizeof(v->version), object, "metadata.resourceVersion");
    bool is_same = old.is_there == v->is_there && old.duration_us == v->duration_us &&
                   old.transitions == v->transitions && strcmp(old.holder, v->holder) == 0 &&
                   strcmp(old.acquire_time, v->acquire_time) == 0 &&
                   strcmp(old.renew_time, v->renew_time) == 0;
    if (!is_same) {
        v->seen_us = now_us;
    }
}

bool lease_view_is_ours_to_take(const struct lease_view *v, const char *identity, uint64_t now_us)
{
    return !v->is_there || v->holder[0] == '\0' || strcmp(v->holder, identity) == 0 ||
           now_us >= v->seen_us + v->duration_us;
}

/* metav1.MicroTime. */
static void format_time(int64_t unix_us, char ret[LEASE_TIME_BYTES])
{
    time_t seconds = (time_t)(unix_us / 1000000);
    struct tm tm;
    char whole[24];
    gmtime_r(&seconds, &tm);
    strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(ret, LEASE_TIME_BYTES, "%s.%06dZ", whole, (int)(unix_us % 1000000));
}

json_t *lease_view_claim(const struct lease_view *v, const char *namespace_, const char *name,
                         const char *identity, unsigned duration_ms, int64_t unix_us)
{
    char now[LEASE_TIME_BYTES];
    bool is_given_back = identity[0] == '\0';
    bool is_held = v->is_there && strcmp(v->holder, identity) == 0 && v->acquire_time[0] != '\0';
    unsigned seconds = is_given_back ? 1 : (duration_ms + 999) / 1000;
    int64_t transitions = v->transitions + (v->is_there && !is_held && !is_given_back);
    format_time(unix_us, now);
    json_t *object =
        json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:i, s:s, s:s, s:I}}", "apiVersion",
                  "coordination.k8s.io/v1", "kind", "Lease", "metadata", "namespace", namespace_,
                  "name", name, "spec", "holderIdentity", identity, "leaseDurationSeconds",
                  (int)seconds, "acquireTime", is_held ? v->acquire_time : now, "renewTime", now,
                  "leaseTransitions", (json_int_t)transitions);
    ASSERT(object != NULL);
    if (v->version[0] != '\0') {
        json_object_set_new(json_object_get(object, "metadata"), "resourceVersion",
                            json_string(v->version));
    }
    return object;
}
