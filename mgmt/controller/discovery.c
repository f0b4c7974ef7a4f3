/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of our kinds a server serves, and in which version: asked a group at a time, by what every
 * Kubernetes API answers to. A group or a kind that is not there is asked for again. Any failure
 * changes nothing: a kind that is served stays so until the server says in so many words that it is
 * not.
 *
 * And who it is: the uid of its oldest namespace.
 */
#include "controller/source_priv.h"

#include "base/assert.h"
#include "base/container.h"
#include "loop/loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Versions of a group that are looked at, in the server's order. */
#define VERSIONS_MAX 6u
/* Looks in a row without news, after which the looks become rarer. */
#define LOOKS_BRISK 12u
#define LOOK_RARE_MS 30000u
/* Rounds in a row that failed and are told. */
#define FAILURES_TOLD_MAX 8u

static const char *const groups[] = {"", "discovery.k8s.io", "gateway.networking.k8s.io",
                                     "sluice.internal"};

/* One group being asked. */
struct look {
    struct discovery *discovery;
    const char *group;
    struct kube_call *call;
    char versions[VERSIONS_MAX][VERSION_BYTES]; /* "group/version" */
    unsigned n_versions, at;
    char found[KIND_COUNT][VERSION_BYTES]; /* by this look; "" not yet */
};

struct discovery {
    struct source *source;
    struct look looks[array_len(groups)];
    struct kube_call *identity_call;
    bool is_confirming;     /* the uid that is asked for is the right one */
    bool is_asking_default; /* the namespace kube-system is not there: an appliance */
    struct wheel_timer timer;
    unsigned n_looks;
    unsigned failures; /* rounds in a row of which a look failed */
    bool has_failed;   /* a look of this round */
};

static bool is_of(const struct look *look, enum kind kind)
{
    return strcmp(kind_info(kind)->group, look->group) == 0;
}

static enum kind first_of(const struct look *look)
{
    unsigned i = 0;
    while (i + 1 < KIND_COUNT && !is_of(look, (enum kind)i))
        i++;
    return (enum kind)i;
}

/* ---- identity ---- */

static void ask_identity(struct discovery *d);

static void on_identity(void *owner, const struct kube_answer *answer)
{
    struct discovery *d = owner;
    struct source *s = d->source;
    d->identity_call = NULL;
    if (answer->status == 404 && !d->is_asking_default) {
        d->is_asking_default = true;
        ask_identity(d);
        return;
    }
    const char *uid = kube_text_at(answer->body, "metadata.uid");
    if (answer->status != 200 || uid[0] == '\0' || strlen(uid) >= sizeof(s->uid))
        return; /* asked again with the next look */
    snprintf(s->uid, sizeof(s->uid), "%s", uid);
    if (d->is_confirming) {
        snprintf(s->uid_expected, sizeof(s->uid_expected), "%s", uid);
        s->is_confirmed = true;
        d->is_confirming = false;
    }
    source_expect_cluster(s);
}

const char *discovery_identity_path(bool is_default)
{
    return is_default ? "/api/v1/namespaces/default" : "/api/v1/namespaces/kube-system";
}

static void ask_identity(struct discovery *d)
{
    const struct kube_request request = {
        .method = "GET",
        .path = discovery_identity_path(d->is_asking_default),
        .on_done = on_identity,
        .owner = d,
    };
    if (d->identity_call == NULL)
        kube_call(d->source->kube, &request, &d->identity_call);
}

/* ---- a group ---- */

/* Is anything missing, so that it has to be looked for again? */
static bool is_complete(const struct source *s)
{
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (s->reflectors[i].api_version[0] == '\0' && !source_leaves_out(s, (enum kind)i))
            return false;
    }
    return s->uid[0] != '\0';
}

static void arm(struct discovery *d)
{
    bool is_rare = d->n_looks > LOOKS_BRISK;
    uint64_t us = d->has_failed ? source_backoff_us(d->source, d->failures + 1)
                                : (is_rare ? LOOK_RARE_MS : SOURCE_DISCOVERY_MS) * 1000ull;
    if (!is_complete(d->source) || d->has_failed)
        loop_timer_arm(d->source->loop, &d->timer, us);
}

/* What was found of the group is what is served. */
static void end_look(struct look *look)
{
    struct discovery *d = look->discovery;
    look->n_versions = 0;
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (is_of(look, (enum kind)i))
            reflector_set_version(&d->source->reflectors[i],
                                  look->found[i][0] != '\0' ? look->found[i] : NULL);
    }
    arm(d);
}

/* Nothing was learnt. */
static void fail_look(struct look *look, const struct kube_answer *answer)
{
    struct discovery *d = look->discovery;
    look->n_versions = 0;
    if (!d->has_failed && d->failures <= FAILURES_TOLD_MAX)
        source_tell_failure(d->source, first_of(look), "discovery", answer);
    d->has_failed = true;
    arm(d);
}

static void ask_version(struct look *look);

/* The kinds of one version that were not found in an earlier one. */
static void take_resources(struct look *look, const json_t *answer)
{
    size_t i;
    const json_t *resource;
    json_array_foreach(json_object_get(answer, "resources"), i, resource)
    {
        const char *plural = kube_text_at(resource, "name");
        for (unsigned k = 0; k < KIND_COUNT; k++) {
            if (is_of(look, (enum kind)k) && look->found[k][0] == '\0' &&
                !source_leaves_out(look->discovery->source, (enum kind)k) &&
                strcmp(plural, kind_info((enum kind)k)->plural) == 0)
                memcpy(look->found[k], look->versions[look->at], VERSION_BYTES);
        }
    }
}

static void on_version(void *owner, const struct kube_answer *answer)
{
    struct look *look = owner;
    look->call = NULL;
    if (answer->status != 200 && answer->status != 404) {
        fail_look(look, answer);
        return;
    }
    if (answer->status == 200)
        take_resources(look, answer->body);
    if (++look->at < look->n_versions)
        ask_version(look);
    else
        end_look(look);
}

static void ask(struct look *look, const char *path, kube_done_fn on_done)
{
    const struct kube_request request = {
        .method = "GET", .path = path, .on_done = on_done, .owner = look};
    int error = kube_call(look->discovery->source->kube, &request, &look->call);
    if (error != 0)
        fail_look(look, &(struct kube_answer){.status = error, .text = strerror(-error)});
}

static void ask_version(struct look *look)
{
    char path[KUBE_PATH_MAX];
    const char *version = look->versions[look->at];
    snprintf(path, sizeof(path), "%s/%s", look->group[0] == '\0' ? "/api" : "/apis", version);
    ask(look, path, on_version);
}

static void on_group(void *owner, const struct kube_answer *answer)
{
    struct look *look = owner;
    size_t i;
    const json_t *version;
    look->call = NULL;
    look->at = look->n_versions = 0;
    if (answer->status == 404) {
        end_look(look);
        return;
    }
    if (answer->status != 200) {
        fail_look(look, answer);
        return;
    }
    json_array_foreach(json_object_get(answer->body, "versions"), i, version)
    {
        const char *text = kube_text_at(version, "groupVersion");
        if (look->n_versions < VERSIONS_MAX && text[0] != '\0' && strlen(text) < VERSION_BYTES)
            snprintf(look->versions[look->n_versions++], VERSION_BYTES, "%s", text);
    }
    if (look->n_versions > 0)
        ask_version(look);
    else
        end_look(look);
}

static void begin_look(struct look *look)
{
    char path[KUBE_PATH_MAX];
    if (look->call != NULL)
        return;
    memset(look->found, 0, sizeof(look->found));
    look->at = 0;
    if (look->group[0] == '\0') { /* the core group has one version */
        look->n_versions = 1;
        snprintf(look->versions[0], VERSION_BYTES, "v1");
        ask_version(look);
        return;
    }
    snprintf(path, sizeof(path), "/apis/%s", look->group);
    ask(look, path, on_group);
}

static bool lacks_something(const struct look *look)
{
    const struct source *s = look->discovery->source;
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (is_of(look, (enum kind)i) && s->reflectors[i].api_version[0] == '\0' &&
            !source_leaves_out(s, (enum kind)i))
            return true;
    }
    return false;
}

static void begin_all(struct discovery *d)
{
    d->failures = d->has_failed ? d->failures + 1 : 0;
    d->has_failed = false;
    d->n_looks += 1;
    if (d->source->uid[0] == '\0')
        ask_identity(d);
    for (unsigned i = 0; i < array_len(groups); i++) {
        if (lacks_something(&d->looks[i]))
            begin_look(&d->looks[i]);
    }
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    begin_all(container_of(timer, struct discovery, timer));
}

int discovery_new(struct source *s)
{
    struct discovery *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return -ENOMEM;
    s->discovery = d;
    d->source = s;
    d->timer.on_expire = on_timer;
    for (unsigned i = 0; i < array_len(groups); i++) {
        d->looks[i].discovery = d;
        d->looks[i].group = groups[i];
    }
    loop_timer_arm(s->loop, &d->timer, 0);
    return 0;
}

void discovery_free(struct discovery *d)
{
    if (d == NULL)
        return;
    for (unsigned i = 0; i < array_len(groups); i++) {
        if (d->looks[i].call != NULL)
            kube_call_cancel(d->looks[i].call);
    }
    if (d->identity_call != NULL)
        kube_call_cancel(d->identity_call);
    loop_timer_disarm(d->source->loop, &d->timer);
    free(d);
}

void discovery_confirm(struct discovery *d)
{
    d->is_confirming = true;
    d->is_asking_default = false;
    ask_identity(d);
}

/* All groups, those that lack nothing too: what was served may be gone. */
void discovery_hurry(struct discovery *d)
{
    d->n_looks = 0;
    for (unsigned i = 0; i < array_len(groups); i++)
        begin_look(&d->looks[i]);
}
