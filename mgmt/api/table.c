/* SPDX-License-Identifier: Apache-2.0 */
/* Tables, as `kubectl get` shows them: name, what the object's conditions say, and age. */
#include "api/api_priv.h"
#include "api/table_gateway.h"
#include "api/table_network.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TABLE_ADDRESSES_MAX 3u

bool table_is_wanted(const struct http_head *head)
{
    struct slice accept;
    if (!http_head_find(head, "accept", &accept))
        return false;
    /* Clients name their first choice first: "application/json;as=Table;...,application/json". */
    const uint8_t *comma = memchr(accept.ptr, ',', accept.len);
    size_t len = comma != NULL ? (size_t)(comma - accept.ptr) : accept.len;
    return memmem(accept.ptr, len, "as=Table", 8) != NULL &&
           memmem(accept.ptr, len, "v=v1", 4) != NULL;
}

static json_t *column(const char *name, const char *format, const char *description)
{
    return json_pack("{s:s,s:s,s:s,s:s,s:i}", "name", name, "type", "string", "format", format,
                     "description", description, "priority", 0);
}

/* Does the object's status say Programmed (and Accepted)? */
static bool is_programmed(const struct resource_type *type)
{
    return type->has_status && strcmp(type->group, "gateway.networking.k8s.io") == 0;
}

static bool is_transport(const struct resource_type *type)
{
    return strcmp(type->kind, "TransportPolicy") == 0;
}

static bool is_health(const struct resource_type *type)
{
    return strcmp(type->kind, "HealthPolicy") == 0;
}

/* Does an ancestor's condition say whether it has an effect? */
static bool is_policy(const struct resource_type *type)
{
    return is_transport(type) || is_health(type) || strcmp(type->kind, "AccessPolicy") == 0;
}

static bool is_backend(const struct resource_type *type)
{
    return strcmp(type->kind, "Backend") == 0;
}

static bool is_dns_route(const struct resource_type *type)
{
    return strcmp(type->kind, "DNSRoute") == 0;
}

static bool is_limit(const struct resource_type *type)
{
    return strcmp(type->kind, "RateLimit") == 0;
}

static void add_limit_columns(json_t *columns)
{
    json_array_append_new(columns, column("Requests", "", "How many it lets through"));
    json_array_append_new(columns, column("Per", "", "In what time"));
    json_array_append_new(columns, column("Burst", "", "How many at once"));
    json_array_append_new(columns, column("Key", "", "Whose requests are counted together"));
}

json_t *table_columns(const struct resource_type *type)
{
    json_t *columns = json_array();
    json_array_append_new(columns, column("Name", "name", "Name of the object"));
    table_gateway_columns(type, columns);
    if (is_health(type))
        json_array_append_new(columns, column("Check", "", "How endpoints are asked"));
    if (is_transport(type))
        json_array_append_new(columns, column("Congestion Control", "", "What it chooses"));
    if (is_limit(type))
        add_limit_columns(columns);
    if (is_backend(type)) {
        json_array_append_new(columns, column("Addresses", "", "Where it is"));
        json_array_append_new(columns, column("Resolved", "", "Does DNS say so now?"));
    }
    if (is_policy(type) || is_programmed(type) || is_backend(type) || is_dns_route(type))
        json_array_append_new(columns, column("Accepted", "", "Is it accepted?"));
    if (is_programmed(type))
        json_array_append_new(columns, column("Programmed", "", "Is it in effect?"));
    table_network_columns(type, columns);
    json_array_append_new(columns, column("Age", "", "Time since it was created"));
    return columns;
}

/* Of routes the parents, of policies the ancestors: each has conditions. NULL: the object has. */
static const json_t *holders_of(const json_t *status)
{
    const json_t *parents = json_object_get(status, "parents");
    const json_t *holders = parents != NULL ? parents : json_object_get(status, "ancestors");
    return json_is_array(holders) ? holders : NULL;
}

/* The condition's status; with several holders, of all that have it, with commas. */
static json_t *condition_cell(const json_t *object, const char *wanted)
{
    char text[128] = "";
    const json_t *status = json_object_get(object, "status");
    const json_t *holders = holders_of(status);
    size_t n = holders != NULL ? json_array_size(holders) : 1;
    for (size_t h = 0; h < n; h++) {
        const json_t *holder = holders != NULL ? json_array_get(holders, h) : status;
        const json_t *condition;
        size_t i;
        json_array_foreach(json_object_get(holder, "conditions"), i, condition)
        {
            const char *type = json_string_value(json_object_get(condition, "type"));
            const char *value = json_string_value(json_object_get(condition, "status"));
            size_t len = strlen(text);
            if (type != NULL && value != NULL && strcmp(type, wanted) == 0)
                snprintf(text + len, sizeof(text) - len, "%s%s", len > 0 ? "," : "", value);
        }
    }
    return json_string(text);
}

static json_t *age_cell(const json_t *object)
{
    struct tm parts = {0};
    const char *created = meta_text(object, "creationTimestamp");
    if (strptime(created, "%Y-%m-%dT%H:%M:%SZ", &parts) == NULL)
        return json_string("<unknown>");
    long long s = (long long)(time(NULL) - timegm(&parts));
    if (s < 120)
        return json_sprintf("%llds", s > 0 ? s : 0);
    if (s < 7200)
        return json_sprintf("%lldm", s / 60);
    return s < 172800 ? json_sprintf("%lldh", s / 3600) : json_sprintf("%lldd", s / 86400);
}

static void add_limit_cells(json_t *cells, const json_t *spec)
{
    const json_t *requests = json_object_get(spec, "requests");
    const json_t *burst = json_object_get(spec, "burst");
    const json_t *key = json_object_get(spec, "key");
    const char *name = json_string_value(json_object_get(key, "name"));
    json_array_append_new(cells, json_sprintf("%lld", (long long)json_integer_value(requests)));
    json_array_append(cells, json_object_get(spec, "per"));
    json_array_append_new(cells, json_sprintf("%lld", (long long)json_integer_value(
                                                          burst != NULL ? burst : requests)));
    json_array_append_new(cells,
                          json_sprintf("%s%s%s", json_string_value(json_object_get(key, "type")),
                                       name != NULL ? " " : "", name != NULL ? name : ""));
}

/* The first ones, for a table has no room for all. */
static json_t *addresses_cell(const json_t *object)
{
    char text[192] = "";
    const json_t *status = json_object_get(object, "status");
    const json_t *list = json_object_get(status, "addresses");
    for (size_t i = 0; i < json_array_size(list) && i < TABLE_ADDRESSES_MAX; i++) {
        const json_t *at = json_array_get(list, i);
        const char *address = json_string_value(json_object_get(at, "address"));
        bool is_v6 = address != NULL && strchr(address, ':') != NULL;
        size_t len = strlen(text);
        snprintf(text + len, sizeof(text) - len, "%s%s%s%s:%d", i > 0 ? "," : "", is_v6 ? "[" : "",
                 address != NULL ? address : "", is_v6 ? "]" : "",
                 (int)json_integer_value(json_object_get(at, "port")));
    }
    if (json_array_size(list) > TABLE_ADDRESSES_MAX)
        return json_sprintf("%s + %zu more", text, json_array_size(list) - TABLE_ADDRESSES_MAX);
    return json_string(text);
}

json_t *table_row(const struct resource_type *type, json_t *object)
{
    json_t *cells = json_array();
    json_array_append_new(cells, json_string(meta_text(object, "name")));
    table_gateway_cells(type, object, cells);
    if (is_health(type)) {
        const json_t *active = json_object_get(json_object_get(object, "spec"), "active");
        const char *check = json_string_value(json_object_get(active, "type"));
        json_array_append_new(cells, json_string(check != NULL ? check : ""));
    }
    if (is_transport(type)) {
        const json_t *spec = json_object_get(object, "spec");
        const json_t *control = json_object_get(spec, "congestionControl");
        json_array_append_new(cells,
                              json_string(control != NULL ? json_string_value(control) : ""));
    }
    if (is_limit(type))
        add_limit_cells(cells, json_object_get(object, "spec"));
    if (is_backend(type)) {
        json_array_append_new(cells, addresses_cell(object));
        json_array_append_new(cells, condition_cell(object, "Resolved"));
    }
    if (is_policy(type) || is_programmed(type) || is_backend(type) || is_dns_route(type))
        json_array_append_new(cells, condition_cell(object, "Accepted"));
    if (is_programmed(type))
        json_array_append_new(cells, condition_cell(object, "Programmed"));
    table_network_cells(type, object, cells);
    json_array_append_new(cells, age_cell(object));
    return json_pack("{s:o,s:{s:s,s:s,s:O}}", "cells", cells, "object", "kind",
                     "PartialObjectMetadata", "apiVersion", "meta.k8s.io/v1", "metadata",
                     json_object_get(object, "metadata"));
}
