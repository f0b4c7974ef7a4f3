/* SPDX-License-Identifier: Apache-2.0 */
/* See keys.h. */
#include "reconcile/keys.h"

#include "compile/keys.h"
#include "publish/publish.h"

#include <string.h>

void reconcile_keys_forget(struct reconcile_keys *k)
{
    keys_segment_free(k->sent);
    *k = (struct reconcile_keys){0};
}

static bool is_sent(const struct reconcile_keys *k, const void *data, size_t length)
{
    return k->sent != NULL && k->sent_length == length && memcmp(k->sent, data, length) == 0;
}

/* Sends the segment unless the dataplane has it. Takes `data`. */
static int send(struct reconcile_keys *k, struct publish *publish, void *data, size_t length)
{
    int result = is_sent(k, data, length) ? 0 : publish_keys(publish, data, length);
    if (result != 0) {
        keys_segment_free(data);
        return result;
    }
    keys_segment_free(k->sent);
    k->sent = data;
    k->sent_length = length;
    return 0;
}

int reconcile_keys_add(struct reconcile_keys *k, struct publish *publish, const struct plan *plan)
{
    void *data;
    size_t length;
    int result = keys_segment_new(plan, k->sent, &data, &length);
    if (result != 0)
        return result;
    k->has_surplus = k->sent != NULL;
    return send(k, publish, data, length);
}

int reconcile_keys_trim(struct reconcile_keys *k, struct publish *publish, const struct plan *plan)
{
    void *data;
    size_t length;
    if (!k->has_surplus)
        return 0;
    int result = keys_segment_new(plan, NULL, &data, &length);
    if (result == 0)
        result = send(k, publish, data, length);
    k->has_surplus = result != 0;
    return result;
}
