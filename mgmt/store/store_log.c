/* SPDX-License-Identifier: Apache-2.0 */
/* The last changes, for watches that come back with a resourceVersion, and the listeners. A ring,
 * bounded in entries and in the bytes of the objects that it keeps alive. */
#include "store/store_priv.h"

#include "base/assert.h"
#include "base/container.h"

#include <errno.h>
#include <stdlib.h>

int store_log_init(struct store *store)
{
    store->events = calloc(STORE_EVENTS_MAX, sizeof(store->events[0]));
    store->events_floor = store->version;
    return store->events != NULL ? 0 : -ENOMEM;
}

static struct store_event *event_at(const struct store *store, size_t i)
{
    ASSERT_HOT(i < store->events_n);
    return &store->events[(store->events_first + i) % STORE_EVENTS_MAX];
}

static void forget_oldest(struct store *store)
{
    ASSERT(store->events_n > 0);
    struct store_event *event = event_at(store, 0);
    json_decref(event->change.object);
    json_decref(event->change.old);
    store->events_floor = event->change.version;
    store->events_bytes -= event->bytes;
    store->events_first = (store->events_first + 1) % STORE_EVENTS_MAX;
    store->events_n -= 1;
}

void store_log_done(struct store *store)
{
    while (store->events_n > 0)
        forget_oldest(store);
    free(store->events);
    store->events = NULL;
}

void store_log_add(struct store *store, const struct store_change *change, size_t bytes)
{
    ASSERT(store->events_n == 0 ||
           event_at(store, store->events_n - 1)->change.version < change->version);
    if (store->events_n == STORE_EVENTS_MAX)
        forget_oldest(store);
    store->events_n += 1;
    struct store_event *event = event_at(store, store->events_n - 1);
    event->change = *change;
    event->bytes = bytes;
    json_incref(change->object);
    json_incref(change->old);
    store->events_bytes += bytes;
    while (store->events_bytes > STORE_EVENT_BYTES_MAX)
        forget_oldest(store);
}

void store_log_notify(struct store *store, const struct store_change *changes, size_t n)
{
    store->is_notifying = true;
    LIST_EACH_SAFE (it, next, &store->listeners) {
        struct store_listener *listener = container_of(it, struct store_listener, link);
        listener->on_commit(listener, changes, n);
    }
    store->is_notifying = false;
}

void store_listen(struct store *store, struct store_listener *listener)
{
    ASSERT(listener->on_commit != NULL);
    list_push_back(&store->listeners, &listener->link);
}

void store_unlisten(struct store *store, struct store_listener *listener)
{
    ASSERT(list_is_linked(&listener->link));
    list_remove(&listener->link);
}

bool store_can_watch_from(const struct store *store, uint64_t version)
{
    return version >= store->events_floor && version <= store->version;
}

bool store_next_change(const struct store *store, uint64_t version, const char *resource,
                       struct store_change *ret)
{
    ASSERT(store_can_watch_from(store, version));
    size_t low = 0;
    size_t high = store->events_n;
    /* Invariant: events before low are <= version, events from high on are newer. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (event_at(store, middle)->change.version <= version)
            low = middle + 1;
        else
            high = middle;
    }
    const struct store_resource *r = resource != NULL ? store_resource_find(store, resource) : NULL;
    if (resource != NULL && r == NULL)
        return false;
    for (; low < store->events_n; low++) {
        const struct store_change *change = &event_at(store, low)->change;
        if (r == NULL || change->resource == r->name) {
            *ret = *change;
            return true;
        }
    }
    return false;
}
