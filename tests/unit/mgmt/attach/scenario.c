/* SPDX-License-Identifier: Apache-2.0 */
/* Scenarios from files; see scenario.h. */
#include "scenario.h"

#include "fixture.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static const char *meta_of(const json_t *object, const char *key)
{
    return text_of(json_object_get(object, "metadata"), key);
}

static bool has_type(const json_t *object, const struct resource_type *type)
{
    return strcmp(text_of(object, "kind"), type->kind) == 0;
}

static const json_t *source_get(void *ctx, const struct resource_type *type, const char *namespace,
                                const char *name)
{
    const struct scenario *s = ctx;
    size_t i;
    const json_t *object;
    json_array_foreach(s->objects, i, object)
    {
        if (has_type(object, type) && strcmp(meta_of(object, "name"), name) == 0 &&
            strcmp(meta_of(object, "namespace"), namespace != NULL ? namespace : "") == 0) {
            return object;
        }
    }
    return NULL;
}

static int source_foreach(void *ctx, const struct resource_type *type, const char *namespace,
                          object_source_fn fn, void *arg)
{
    const struct scenario *s = ctx;
    int rc = 0;
    for (size_t i = 0; i < json_array_size(s->objects) && rc == 0; i++) {
        const json_t *object = json_array_get(s->objects, i);
        if (has_type(object, type) &&
            (namespace == NULL || strcmp(meta_of(object, "namespace"), namespace) == 0)) {
            rc = fn(arg, object);
        }
    }
    return rc;
}

void scenario_add(struct scenario *s, const json_t *object)
{
    static struct model_errors errors;
    const struct resource_type *type =
        model_type_find_kind(text_of(object, "apiVersion"), text_of(object, "kind"));
    REQUIRE(type != NULL);
    json_t *copy = json_deep_copy(object);
    json_object_set_new(copy, "apiVersion", json_string(type->stored->api_version));
    memset(&errors, 0, sizeof(errors));
    model_normalize(type->stored, copy);
    model_default(type->stored, copy);
    model_validate(type->stored, copy, NULL, &errors);
    for (size_t i = 0; i < errors.n; i++) {
        fprintf(stderr, "%s %s: %s: %s\n", type->kind, meta_of(copy, "name"), errors.items[i].field,
                errors.items[i].message);
    }
    REQUIRE(errors.n == 0);
    json_array_append_new(s->objects, copy);
}

void scenario_open(struct scenario *s, const char *file)
{
    json_t *documents = fixture_load(file);
    *s = (struct scenario){.objects = json_array(),
                           .source = {.get = source_get, .foreach = source_foreach}};
    s->source.ctx = s;
    s->expected = json_incref(json_array_get(documents, 0));
    for (size_t i = 1; i < json_array_size(documents); i++) {
        scenario_add(s, json_array_get(documents, i));
    }
    json_decref(documents);
}

void scenario_close(struct scenario *s)
{
    json_decref(s->objects);
    json_decref(s->expected);
}

json_t *scenario_find(struct scenario *s, const char *which)
{
    size_t i;
    json_t *object;
    json_array_foreach(s->objects, i, object)
    {
        char text[512];
        const char *namespace = meta_of(object, "namespace");
        snprintf(text, sizeof(text), "%s %s%s%s", text_of(object, "kind"), namespace,
                 namespace[0] != '\0' ? "/" : "", meta_of(object, "name"));
        if (strcmp(text, which) == 0) {
            return object;
        }
    }
    return NULL;
}

json_t *scenario_status(struct scenario *s, const char *which)
{
    json_t *object = scenario_find(s, which);
    REQUIRE(object != NULL);
    return json_object_get(object, "status");
}

const json_t *scenario_condition(const json_t *from, const char *type)
{
    size_t i;
    const json_t *c;
    json_array_foreach(json_object_get(from, "conditions"), i, c)
    {
        if (strcmp(text_of(c, "type"), type) == 0) {
            return c;
        }
    }
    return NULL;
}

const char *scenario_field(const json_t *from, const char *type, const char *key)
{
    return text_of(scenario_condition(from, type), key);
}

bool scenario_plan_has(struct scenario *s, const char *text)
{
    char *plan = scenario_plan(s);
    bool has = strstr(plan, text) != NULL;
    free(plan);
    return has;
}

struct written {
    struct scenario *scenario;
    int n;
};

/* Puts a status into a copy of the object: objects of a store do not change. */
static int write_status(void *arg, const struct attach_status *status)
{
    struct written *w = arg;
    size_t i;
    json_t *object;
    w->n += status->differs;
    json_array_foreach(w->scenario->objects, i, object)
    {
        if (status->differs && has_type(object, status->type) &&
            strcmp(meta_of(object, "name"), status->name) == 0 &&
            strcmp(meta_of(object, "namespace"), status->namespace ? status->namespace : "") == 0) {
            json_t *copy = json_deep_copy(object);
            json_object_set(copy, "status", status->status);
            json_array_set_new(w->scenario->objects, i, copy);
        }
    }
    return 0;
}

/* In place of a compiler. */
static bool is_pattern(void *arg, const char *pattern, const char **ret_why)
{
    *ret_why = "nobody looks behind";
    return strstr(pattern, "(?<=") == NULL;
}

/* In place of a name server: what the file says of each name. */
static struct resolve_answer lookup(void *arg, const char *name, enum resolve_family family)
{
    static const char *const families[RESOLVE_FAMILIES] = {
        [RESOLVE_IPV4] = "IPv4", [RESOLVE_IPV6] = "IPv6"};
    static const char *const states[] = {[RESOLVE_PENDING] = "pending",
                                         [RESOLVE_GOOD] = "good",
                                         [RESOLVE_ABSENT] = "absent",
                                         [RESOLVE_STALE] = "stale"};
    static struct ip_addr addrs[RESOLVE_ADDRS_MAX];
    const struct scenario *s = arg;
    const json_t *said = json_object_get(json_object_get(json_object_get(s->expected, "dns"), name),
                                         families[family]);
    struct resolve_answer answer = {.state = RESOLVE_PENDING, .addrs = addrs};
    for (int i = 0; i <= RESOLVE_STALE; i++) {
        if (strcmp(text_of(said, "state"), states[i]) == 0) {
            answer.state = (enum resolve_state)i;
        }
    }
    if (strcmp(text_of(said, "fault"), "timeout") == 0) {
        answer.fault = RESOLVE_FAULT_TIMEOUT;
    }
    answer.n_unfit = (uint32_t)json_integer_value(json_object_get(said, "unfit"));
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(said, "addresses"), i, item)
    {
        REQUIRE(ip_addr_parse(json_string_value(item), &addrs[answer.n++]));
    }
    return answer;
}

struct attach_input scenario_input(struct scenario *s)
{
    return (struct attach_input){
        .source = &s->source, .is_pattern = is_pattern, .lookup = lookup, .lookup_arg = s};
}

static bool always(void *arg, const char *uid, int64_t generation)
{
    return true;
}

int scenario_reconcile(struct scenario *s, bool served, const char *now)
{
    struct attach *a = NULL;
    struct attach_input in = scenario_input(s);
    REQUIRE(attach_run(&in, &a) == 0);
    struct written w = {.scenario = s};
    struct attach_status_input status = {
        .source = &s->source, .now = now, .is_served = served ? always : NULL};
    REQUIRE(attach_status_foreach(a, &status, write_status, &w) == 0);
    attach_free(a);
    return w.n;
}

char *scenario_plan(struct scenario *s)
{
    struct attach *a = NULL;
    struct attach_input in = scenario_input(s);
    REQUIRE(attach_run(&in, &a) == 0);
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    plan_dump(attach_plan(a), out);
    fclose(out);
    attach_free(a);
    return text;
}

static void print_conditions(const json_t *conditions, FILE *out)
{
    size_t i;
    const json_t *c;
    json_array_foreach(conditions, i, c)
    {
        fprintf(out, " %s=%s/%s", text_of(c, "type"), text_of(c, "status"), text_of(c, "reason"));
    }
    fputc('\n', out);
}

static void print_listeners(const json_t *listeners, FILE *out)
{
    size_t i;
    const json_t *l;
    json_array_foreach(listeners, i, l)
    {
        fprintf(out, "  listener %s attached %lld kinds", text_of(l, "name"),
                (long long)json_integer_value(json_object_get(l, "attachedRoutes")));
        size_t j;
        const json_t *kind;
        json_array_foreach(json_object_get(l, "supportedKinds"), j, kind)
        {
            fprintf(out, " %s", text_of(kind, "kind"));
        }
        fputc(':', out);
        print_conditions(json_object_get(l, "conditions"), out);
    }
}

static void print_parents(const json_t *parents, FILE *out)
{
    size_t i;
    const json_t *p;
    json_array_foreach(parents, i, p)
    {
        const json_t *ref = json_object_get(p, "parentRef");
        fprintf(out, "  parent %s %s:", text_of(ref, "name"), text_of(ref, "sectionName"));
        print_conditions(json_object_get(p, "conditions"), out);
    }
}

/* Of policies the messages, too: they name who decides. */
static void print_ancestors(const json_t *ancestors, FILE *out)
{
    size_t i;
    const json_t *a;
    json_array_foreach(ancestors, i, a)
    {
        const json_t *ref = json_object_get(a, "ancestorRef");
        const json_t *accepted = json_array_get(json_object_get(a, "conditions"), 0);
        fprintf(out, "  %s %s %s:", text_of(ref, "kind"), text_of(ref, "name"),
                text_of(ref, "sectionName"));
        print_conditions(json_object_get(a, "conditions"), out);
        fprintf(out, "    %s\n", text_of(accepted, "message"));
    }
}

/* What a Backend says besides: the last condition's message, and where it is. */
static void print_backend(const json_t *status, FILE *out)
{
    const json_t *addresses = json_object_get(status, "addresses");
    const json_t *conditions = json_object_get(status, "conditions");
    size_t i;
    const json_t *at;
    if (json_object_get(json_array_get(addresses, 0), "port") == NULL &&
        json_object_get(status, "dnsName") == NULL) {
        return; /* a Gateway's addresses have no ports */
    }
    fprintf(out, "  %s:", text_of(status, "dnsName"));
    json_array_foreach(addresses, i, at)
    {
        fprintf(out, " %s %lld", text_of(at, "address"),
                (long long)json_integer_value(json_object_get(at, "port")));
    }
    fprintf(out, "\n    %s\n",
            text_of(json_array_get(conditions, json_array_size(conditions) - 1), "message"));
}

static bool has_our_status(const char *kind)
{
    static const char *const kinds[] = {
        "GatewayClass",     "Gateway",      "ListenerSet", "HTTPRoute",       "GRPCRoute",
        "TLSRoute",         "TCPRoute",     "UDPRoute",    "TransportPolicy", "HealthPolicy",
        "BackendTLSPolicy", "AccessPolicy", "Backend",     "DNSRoute"};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kind, kinds[i]) == 0) {
            return true;
        }
    }
    return false;
}

char *scenario_statuses(struct scenario *s)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    size_t i;
    const json_t *object;
    json_array_foreach(s->objects, i, object)
    {
        const char *kind = text_of(object, "kind");
        const json_t *status = json_object_get(object, "status");
        bool is_filter_only = strcmp(kind, "AccessPolicy") == 0 && status == NULL;
        if (!has_our_status(kind) || is_filter_only) {
            continue;
        }
        fprintf(out, "%s %s:", kind, meta_of(object, "name"));
        print_conditions(json_object_get(status, "conditions"), out);
        print_backend(status, out);
        print_listeners(json_object_get(status, "listeners"), out);
        print_parents(json_object_get(status, "parents"), out);
        print_ancestors(json_object_get(status, "ancestors"), out);
    }
    fclose(out);
    return text;
}

static void compare(const char *file, const char *what, char *text, const json_t *expected)
{
    if (expected != NULL && strcmp(text, json_string_value(expected)) != 0) {
        fprintf(stderr, "---- %s, %s:\n%s----\n", file, what, text);
        CHECK(!"the text differs from what is expected");
    }
    free(text);
}

void scenario_check(const char *file)
{
    struct scenario s;
    scenario_open(&s, file);
    scenario_reconcile(&s, false, "2026-11-23T09:00:00Z");
    compare(file, "plan", scenario_plan(&s), json_object_get(s.expected, "plan"));
    scenario_reconcile(&s, true, "2026-11-23T09:00:01Z");
    compare(file, "status", scenario_statuses(&s), json_object_get(s.expected, "status"));
    CHECK_EQ(scenario_reconcile(&s, true, "2026-11-23T09:00:02Z"), 0);
    scenario_close(&s);
}
