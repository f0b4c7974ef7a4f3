/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When an object of a kind goes from the cache of a cluster: what a list is without, what a watch
 * tells as deleted, and what is held instead.
 *
 *   a list lacks it    held; goes when a later list lacks it, too, and that list may be believed
 *   a watch tells it   built in: goes. Custom: told; goes when the kind's definition is there to
 *                      stay, which is asked at once; else held, as if a list had lacked it
 *   a mass is told     held; a list a few seconds later says the same, or not
 *   the kind goes      all of it is held
 *
 * Held is no state of good-bye: what is in a list or in an event again is as it was.
 */
#include "controller/source_priv.h"

#include "loop/loop.h"

#include <string.h>

#define US_PER_MS 1000ull

static const struct verdict not_asked = {.doubt = "the API server could not be asked"};

/* Both are RFC 3339 in UTC, as the API server writes them. */
bool verdict_is_of_former_kind(const struct verdict *verdict, const json_t *object)
{
    const char *since = kube_text_at(object, "metadata.creationTimestamp");
    return verdict->kind_since[0] != '\0' && since[0] != '\0' &&
           strcmp(since, verdict->kind_since) < 0;
}

static size_t n_held(const struct reflector *r)
{
    return json_object_size(r->shelf.held);
}

static size_t n_objects(const struct reflector *r)
{
    return json_object_size(r->shelf.objects);
}

void hold_arm(struct reflector *r)
{
    const struct source_hold *hold = &r->source->hold;
    if (n_held(r) == 0 || !hold->is_on || r->state != REFLECTOR_WATCHING)
        return;
    bool is_mass = source_is_mass(r->source, n_held(r), n_objects(r));
    loop_timer_arm(r->source->loop, &r->timer,
                   (is_mass || r->is_for_good ? hold->mass_ms : hold->few_ms) * US_PER_MS);
}

void hold_tell_end(struct reflector *r)
{
    if (r->held_told == 0 || n_held(r) > 0)
        return;
    r->held_told = 0;
    r->is_for_good = false;
    source_tell_held(r->source, r->kind, "nothing is held any more");
}

/* ---- what a list is without ---- */

void hold_missing(struct reflector *r)
{
    const char *key;
    json_t *object;
    void *next;
    json_object_foreach_safe(r->shelf.objects, next, key, object)
    {
        if (json_object_get(r->fresh, key) != NULL)
            continue;
        if (r->source->hold.is_on)
            r->source->stats.held += source_hold_object(r->source, &r->shelf, key, 0);
        else
            source_remove(r->source, r->kind, &r->shelf, key);
    }
}

/* Takes off what has been missing for so long, but not what went with a former definition of the
 * kind: how many of these there are. */
static size_t remove_held(struct reflector *r, const struct verdict *verdict, uint64_t min_ms)
{
    const char *key;
    json_t *since;
    void *next;
    size_t n_former = 0;
    json_object_foreach_safe(r->shelf.held, next, key, since)
    {
        const json_t *object = json_object_get(r->shelf.objects, key);
        if (verdict_is_of_former_kind(verdict, object)) {
            n_former += 1;
        } else if (source_held_ms(r->source, &r->shelf, key) >= min_ms) {
            r->source->stats.confirmed += 1;
            source_remove(r->source, r->kind, &r->shelf, key);
        }
    }
    return n_former;
}

static void tell_missing(struct reflector *r, const struct verdict *verdict, size_t of)
{
    size_t n = n_held(r);
    if (verdict->doubt != NULL)
        source_tell_held(r->source, r->kind,
                         "%zu of %zu objects are missing in the list: held, until a list can be"
                         " believed or an operator confirms: %s",
                         n, of, verdict->doubt);
    else
        source_tell_held(r->source, r->kind, "%zu of %zu objects are missing in the list: held, %s",
                         n, of,
                         r->is_for_good ? "until they are back or an operator confirms: the kind's"
                                          " definition was deleted and made anew"
                                        : "until a later list says the same");
    r->held_told = n;
}

void hold_judge(struct reflector *r, const struct verdict *verdict)
{
    const struct source_hold *hold = &r->source->hold;
    size_t of = n_objects(r);
    bool is_mass = source_is_mass(r->source, n_held(r), of);
    size_t n_former = 0;
    if (verdict->doubt == NULL)
        n_former = remove_held(r, verdict, is_mass ? hold->mass_ms : hold->few_ms);
    r->is_for_good = verdict->doubt != NULL || n_former > 0;
    if (n_held(r) > 0 && n_held(r) != r->held_told && (is_mass || r->is_for_good))
        tell_missing(r, verdict, of);
}

/* ---- what a watch tells as deleted ---- */

/* A list, soon: what it says of what is held counts. */
static void confirm_soon(struct reflector *r)
{
    loop_timer_arm(r->source->loop, &r->timer, r->source->hold.few_ms * US_PER_MS);
}

static void tell_deleted(struct reflector *r, size_t n, const char *why)
{
    if (r->held_told > 0)
        return;
    r->held_told = n_held(r);
    source_tell_held(r->source, r->kind,
                     "%zu of %zu objects were deleted: held, until a list can be believed or an"
                     " operator confirms: %s",
                     n, n_objects(r), why);
}

static void tell_late(struct source *s, enum kind kind)
{
    if (s->has_told_late)
        return;
    s->has_told_late = true;
    source_tell_trouble(s, kind,
                        "the kind's definition (customresourcedefinitions) may not be read:"
                        " deletions wait %u ms for a list that says the same",
                        s->hold.few_ms);
}

/* What was told until the check that has this verdict was begun. */
static void settle_told(struct reflector *r, const struct verdict *verdict)
{
    const char *key;
    json_t *check;
    void *next;
    size_t n_kept = 0;
    bool is_former = false;
    json_object_foreach_safe(r->shelf.told, next, key, check)
    {
        const json_t *object = json_object_get(r->shelf.objects, key);
        if (json_integer_value(check) > r->n_checks)
            continue;
        bool is_of_former = verdict_is_of_former_kind(verdict, object);
        if (verdict->doubt == NULL && !verdict->is_late && !is_of_former) {
            source_remove(r->source, r->kind, &r->shelf, key);
            continue;
        }
        n_kept += 1;
        is_former |= is_of_former;
        r->source->stats.held += 1;
        json_object_del(r->shelf.told, key);
    }
    if (n_kept == 0)
        return;
    if (verdict->doubt != NULL || is_former)
        tell_deleted(r, n_kept,
                     is_former ? "the kind's definition was deleted and made anew"
                               : verdict->doubt);
    else
        tell_late(r->source, r->kind);
    confirm_soon(r);
}

static void check_told(struct reflector *r);

static void on_checked(void *owner, const struct verdict *verdict)
{
    struct reflector *r = owner;
    r->verify = NULL;
    settle_told(r, verdict);
    check_told(r);
}

/* One check at a time; what is told meanwhile is for the next. */
static void check_told(struct reflector *r)
{
    while (r->verify == NULL && json_object_size(r->shelf.told) > 0) {
        r->n_checks += 1;
        if (verify_deletion(r->source, r->kind, on_checked, r, &r->verify) != 0)
            settle_told(r, &not_asked);
    }
}

/* Counted in a window of time: is it one of a mass? */
static bool is_of_mass(struct reflector *r)
{
    const struct source_hold *hold = &r->source->hold;
    uint64_t now_us = loop_now_us(r->source->loop);
    if (r->window_us == 0 || now_us - r->window_us > SOURCE_DELETIONS_MS * US_PER_MS) {
        r->window_us = now_us;
        r->window_size = n_objects(r);
        r->window_n = 0;
    }
    r->window_n += 1;
    return r->window_n > hold->count_max &&
           r->window_n * 100 > (size_t)hold->percent_max * r->window_size;
}

static void hold_one_of_mass(struct reflector *r, const char *key)
{
    const struct source_hold *hold = &r->source->hold;
    unsigned head_ms = hold->mass_ms > hold->few_ms ? hold->mass_ms - hold->few_ms : 0;
    if (!source_hold_object(r->source, &r->shelf, key, head_ms))
        return;
    r->source->stats.held += 1;
    if (r->held_told == 0) {
        r->held_told = n_held(r);
        source_tell_held(r->source, r->kind,
                         "%zu of %zu objects were deleted at once: the rest is held"
                         " until a list says the same",
                         r->window_n, r->window_size);
    }
    confirm_soon(r);
}

void hold_deletion(struct reflector *r, const char *key)
{
    struct source *s = r->source;
    if (json_object_get(r->shelf.objects, key) == NULL)
        return;
    if (s->hold.is_on && is_of_mass(r)) {
        hold_one_of_mass(r, key);
    } else if (s->hold.is_on && kind_info(r->kind)->is_custom) {
        source_hold_object(s, &r->shelf, key, 0);
        json_object_set_new(r->shelf.told, key, json_integer(r->n_checks + 1));
        check_told(r);
    } else {
        source_remove(s, r->kind, &r->shelf, key);
    }
}

void hold_end_watch(struct reflector *r)
{
    if (r->verify != NULL)
        verify_cancel(r->verify);
    r->verify = NULL;
    json_object_clear(r->shelf.told);
}

/* ---- a kind that goes and comes, the operator ---- */

void hold_all(struct reflector *r)
{
    const char *key;
    json_t *object;
    if (!r->source->hold.is_on)
        return;
    json_object_foreach(r->shelf.objects, key, object)
    {
        r->source->stats.held += source_hold_object(r->source, &r->shelf, key, 0);
    }
    if (n_held(r) == 0 || n_held(r) == r->held_told)
        return;
    r->held_told = n_held(r);
    source_tell_held(r->source, r->kind,
                     "the kind is no longer served: its %zu objects are held, until they are back"
                     " or an operator confirms",
                     n_held(r));
}

void hold_renew(struct reflector *r)
{
    const char *key;
    json_t *since;
    json_int_t now_ms = (json_int_t)(loop_now_us(r->source->loop) / 1000);
    json_object_foreach(r->shelf.held, key, since)
    {
        json_integer_set(since, now_ms);
    }
}

void hold_confirm(struct reflector *r)
{
    static const struct verdict of_operator;
    remove_held(r, &of_operator, 0);
    hold_tell_end(r);
}
