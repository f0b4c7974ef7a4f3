/* SPDX-License-Identifier: Apache-2.0 */
/* The table of names, and whose turn it is. See resolve.h. */
#include "resolve/resolve.h"

#include "base/container.h"
#include "base/list.h"
#include "loop/loop.h"
#include "resolve/entry.h"
#include "resolve/lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define US_PER_S 1000000u

struct name {
    struct resolve_entry entry;
    struct resolve *resolve;
    struct wheel_timer timer; /* armed: it rests */
    struct list_node link;    /* `waiting` (its turn, but too many others are asked), `dropped` */
    bool is_asking;           /* a question is on its way */
    bool is_wanted;           /* in this round of wanting */
    bool is_dropped;          /* not in the table any more */
};

struct resolve {
    struct loop *loop;
    struct lookup *lookup;
    struct loop_task change; /* programmed: somebody has to hear of it */
    resolve_fn on_change;
    void *owner;
    uint32_t n_asking;
    uint32_t n;
    struct list_node waiting;
    struct list_node dropped; /* whose question is still on its way */
    struct resolve_counts counts;
    struct name *names[RESOLVE_NAMES_MAX]; /* sorted */
};

/* ---- asking ---- */

static void ask(struct name *name);

/* The next one that waits. */
static void ask_next(struct resolve *r)
{
    struct list_node *node = list_take_front(&r->waiting);
    if (node != NULL)
        ask(container_of(node, struct name, link));
}

static void on_reply(void *arg, const struct resolve_reply *reply)
{
    struct name *name = arg;
    struct resolve *r = name->resolve;
    uint32_t wait_s;
    r->n_asking--;
    name->is_asking = false;
    r->counts.failures += reply->fault != RESOLVE_FAULT_NONE;
    if (name->is_dropped) {
        list_remove(&name->link);
        free(name);
    } else {
        if (resolve_entry_take(&name->entry, reply, &wait_s) && r->on_change != NULL)
            loop_task_program(r->loop, &r->change);
        loop_timer_arm(r->loop, &name->timer, (uint64_t)wait_s * US_PER_S);
    }
    ask_next(r);
}

static void ask(struct name *name)
{
    struct resolve *r = name->resolve;
    if (r->n_asking >= RESOLVE_ASKS_MAX) {
        list_push_back(&r->waiting, &name->link);
        return;
    }
    r->n_asking++;
    r->counts.questions++;
    name->is_asking = true;
    lookup_ask(r->lookup, name->entry.name, name->entry.family, on_reply, name);
}

/* Always from the loop, so that a question that fails at once does not call back into its owner. */
static void on_time(struct wheel_timer *timer, uint64_t now_us)
{
    ask(container_of(timer, struct name, timer));
}

static void tell_change(struct loop_task *task)
{
    struct resolve *r = container_of(task, struct resolve, change);
    if (r->on_change != NULL)
        r->on_change(r->owner);
}

/* ---- the table ---- */

/* Where the name is, or would be. */
static uint32_t place_of(const struct resolve *r, const char *name, enum resolve_family family)
{
    uint32_t low = 0;
    uint32_t high = r->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (resolve_entry_compare(&r->names[middle]->entry, name, family) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct name *find(const struct resolve *r, const char *name, enum resolve_family family)
{
    uint32_t i = place_of(r, name, family);
    bool is_it = i < r->n && resolve_entry_compare(&r->names[i]->entry, name, family) == 0;
    return is_it ? r->names[i] : NULL;
}

/* NULL: there is no room. */
static struct name *add(struct resolve *r, const char *text, enum resolve_family family)
{
    size_t len = strlen(text);
    struct name *name = NULL;
    if (r->n < RESOLVE_NAMES_MAX && len < RESOLVE_NAME_BYTES_MAX)
        name = calloc(1, sizeof(*name));
    if (name == NULL)
        return NULL;
    memcpy(name->entry.name, text, len + 1);
    name->entry.family = family;
    name->resolve = r;
    name->timer.on_expire = on_time;
    uint32_t at = place_of(r, text, family);
    memmove(&r->names[at + 1], &r->names[at], (r->n - at) * sizeof(r->names[0]));
    r->names[at] = name;
    r->n++;
    loop_timer_arm(r->loop, &name->timer, 0);
    return name;
}

/* Takes it out of everything; one that is being asked for stays until the answer comes. */
static void drop(struct name *name)
{
    struct resolve *r = name->resolve;
    loop_timer_disarm(r->loop, &name->timer);
    if (list_is_linked(&name->link))
        list_remove(&name->link);
    name->is_dropped = true;
    if (name->is_asking)
        list_push_back(&r->dropped, &name->link);
    else
        free(name);
}

void resolve_want_begin(struct resolve *r)
{
    for (uint32_t i = 0; i < r->n; i++)
        r->names[i]->is_wanted = false;
}

void resolve_want(struct resolve *r, const char *name, enum resolve_family family)
{
    struct name *found = find(r, name, family);
    if (found == NULL)
        found = add(r, name, family);
    if (found != NULL)
        found->is_wanted = true;
    else
        r->counts.left_out++;
}

void resolve_want_end(struct resolve *r)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->names[i]->is_wanted)
            r->names[n++] = r->names[i];
        else
            drop(r->names[i]);
    }
    r->n = n;
}

struct resolve_answer resolve_find(const struct resolve *r, const char *name,
                                   enum resolve_family family)
{
    const struct name *found = find(r, name, family);
    if (found == NULL) {
        return (struct resolve_answer){.fault = r->n == RESOLVE_NAMES_MAX ? RESOLVE_FAULT_FULL
                                                                          : RESOLVE_FAULT_NONE};
    }
    const struct resolve_entry *e = &found->entry;
    return (struct resolve_answer){
        .state = e->state, .fault = e->fault, .n_unfit = e->n_unfit, .n = e->n, .addrs = e->addrs};
}

struct resolve_counts resolve_counts(const struct resolve *r)
{
    struct resolve_counts counts = r->counts;
    counts.names = r->n;
    for (uint32_t i = 0; i < r->n; i++)
        counts.stale += r->names[i]->entry.state == RESOLVE_STALE;
    return counts;
}

/* ---- life ---- */

int resolve_new(struct loop *loop, const char *servers, struct resolve **ret)
{
    struct resolve *r = calloc(1, sizeof(*r));
    if (r == NULL)
        return -ENOMEM;
    int result = lookup_new(loop, servers, &r->lookup);
    if (result != 0) {
        free(r);
        return result;
    }
    r->loop = loop;
    r->change.run = tell_change;
    list_init(&r->waiting);
    list_init(&r->dropped);
    *ret = r;
    return 0;
}

void resolve_listen(struct resolve *r, resolve_fn on_change, void *owner)
{
    r->on_change = on_change;
    r->owner = owner;
}

void resolve_free(struct resolve *r)
{
    if (r == NULL)
        return;
    loop_task_cancel(r->loop, &r->change);
    lookup_free(r->lookup); /* nobody is called any more */
    for (uint32_t i = 0; i < r->n; i++)
        drop(r->names[i]);
    for (struct list_node *node; (node = list_take_front(&r->dropped)) != NULL;)
        free(container_of(node, struct name, link));
    free(r);
}
