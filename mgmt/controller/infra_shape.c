/* SPDX-License-Identifier: Apache-2.0 */
/* Service and EndpointSlices of a Gateway. See infra_shape.h. */
#include "controller/infra_shape.h"

#include "controller/infra.h"
#include "model/at.h"
#include "model/text.h"

#include <stdio.h>
#include <string.h>

#define MANAGED_BY "endpointslice.kubernetes.io/managed-by"
#define MANAGER "sluice-controller"
/* Names of the labels and annotations that we put there from spec.infrastructure. */
#define OURS "sluice.internal/infrastructure"

void infra_service_name(const json_t *gateway, char ret[INFRA_NAME_BYTES])
{
    char name[600];
    snprintf(name, sizeof(name), "%s-%s", kube_text_at(gateway, "metadata.name"),
             kube_text_at(gateway, "spec.gatewayClassName"));
    if (strlen(name) < INFRA_NAME_BYTES && text_is_dns_1035_label(name)) {
        memcpy(ret, name, strlen(name) + 1);
    } else {
        snprintf(ret, INFRA_NAME_BYTES, "gateway-%.36s", kube_text_at(gateway, "metadata.uid"));
    }
}

void infra_object_name(const json_t *gateway, enum infra_object which,
                       char ret[INFRA_NAME_BYTES + 8])
{
    static const char *const ends[] = {"", "-ipv4", "-ipv6"};
    char name[INFRA_NAME_BYTES];
    infra_service_name(gateway, name);
    snprintf(ret, INFRA_NAME_BYTES + 8, "%s%s", name, ends[which]);
}

/* ---- as it has to be ---- */

/* Puts the texts of `from` into `to`, and their names behind `names`. */
static void put_texts(json_t *to, const json_t *from, json_t *names)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)from, key, value)
    {
        if (json_is_string(value)) {
            json_object_set(to, key, value);
            json_array_append_new(names, json_string(key));
        }
    }
}

/* "a b c", sorted as the members of an object are. */
static json_t *joined(const json_t *names)
{
    json_t *text = json_string("");
    size_t i;
    const json_t *name;
    json_array_foreach(names, i, name)
    {
        json_t *longer = json_sprintf("%s%s%s", json_string_value(text), i > 0 ? " " : "",
                                      json_string_value(name));
        json_decref(text);
        text = longer;
    }
    return text;
}

static json_t *metadata_of(const json_t *gateway, enum infra_object which)
{
    char name[INFRA_NAME_BYTES + 8];
    char service[INFRA_NAME_BYTES];
    const json_t *infra = at_path(gateway, "spec", "infrastructure");
    json_t *labels = json_object();
    json_t *annotations = json_object();
    json_t *names = json_array();
    infra_service_name(gateway, service);
    infra_object_name(gateway, which, name);
    put_texts(labels, json_object_get(infra, "labels"), names);
    put_texts(annotations, json_object_get(infra, "annotations"), names);
    const char *gateway_name = kube_text_at(gateway, "metadata.name");
    if (text_is_label_value(gateway_name)) {
        json_object_set_new(labels, INFRA_GATEWAY_LABEL, json_string(gateway_name));
    }
    json_object_set_new(labels, "app.kubernetes.io/managed-by", json_string(MANAGER));
    if (which != INFRA_SERVICE) {
        json_object_set_new(labels, "kubernetes.io/service-name", json_string(service));
        json_object_set_new(labels, MANAGED_BY, json_string(MANAGER));
    }
    json_object_set_new(annotations, OURS, joined(names));
    json_decref(names);
    return json_pack("{s:s, s:s, s:o, s:o, s:[{s:s, s:s, s:s, s:s, s:b, s:b}]}", "name", name,
                     "namespace", kube_text_at(gateway, "metadata.namespace"), "labels", labels,
                     "annotations", annotations, "ownerReferences", "apiVersion",
                     kube_text_at(gateway, "apiVersion"), "kind", "Gateway", "name", gateway_name,
                     "uid", kube_text_at(gateway, "metadata.uid"), "controller", 1,
                     "blockOwnerDeletion", 0);
}

/* The addresses of one family; NULL: none. */
static json_t *addresses_of(const json_t *gateway, bool is_v6)
{
    json_t *list = json_array();
    size_t i;
    const json_t *address;
    json_array_foreach(at_path(gateway, "status", "addresses"), i, address)
    {
        const char *value = text_at(address, "value");
        if (strcmp(text_at(address, "type"), "IPAddress") == 0 &&
            (strchr(value, ':') != NULL) == is_v6) {
            json_array_append_new(list, json_string(value));
        }
    }
    if (json_array_size(list) == 0) {
        json_decref(list);
        return NULL;
    }
    return list;
}

json_t *infra_wanted(const json_t *gateway, enum infra_object which)
{
    if (which == INFRA_SERVICE) {
        return json_pack("{s:s, s:s, s:o, s:{s:s, s:s}}", "apiVersion", "v1", "kind", "Service",
                         "metadata", metadata_of(gateway, which), "spec", "type", "ClusterIP",
                         "clusterIP", "None");
    }
    bool is_v6 = which == INFRA_SLICE_IPV6;
    json_t *addresses = addresses_of(gateway, is_v6);
    if (addresses == NULL) {
        return NULL;
    }
    return json_pack("{s:s, s:s, s:o, s:s, s:[{s:o, s:{s:b}}], s:[]}", "apiVersion",
                     "discovery.k8s.io/v1", "kind", "EndpointSlice", "metadata",
                     metadata_of(gateway, which), "addressType", is_v6 ? "IPv6" : "IPv4",
                     "endpoints", "addresses", addresses, "conditions", "ready", 1, "ports");
}

bool infra_is_of(const json_t *object, const json_t *gateway)
{
    const char *uid = kube_text_at(gateway, "metadata.uid");
    size_t i;
    const json_t *owner;
    json_array_foreach(at_path(object, "metadata", "ownerReferences"), i, owner)
    {
        if (strcmp(text_at(owner, "uid"), uid) == 0) {
            return true;
        }
    }
    return false;
}

/* ---- what has to change ---- */

static bool is_in(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = strstr(names, name); at != NULL; at = strstr(at + 1, name)) {
        bool begins = at == names || at[-1] == ' ';
        if (begins && (at[n] == ' ' || at[n] == '\0')) {
            return true;
        }
    }
    return false;
}

/* What of the texts has to be set, or taken away because it was once ours (`names`). */
static json_t *text_changes(const json_t *there, const json_t *wanted, const char *names)
{
    json_t *changes = json_object();
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)wanted, key, value)
    {
        if (!json_equal(json_object_get(there, key), value)) {
            json_object_set(changes, key, value);
        }
    }
    json_object_foreach((json_t *)(uintptr_t)there, key, value)
    {
        if (json_object_get(wanted, key) == NULL && is_in(names, key)) {
            json_object_set_new(changes, key, json_null());
        }
    }
    return changes;
}

static void put_changes(json_t *metadata, const json_t *there, const json_t *wanted,
                        const char *member)
{
    const char *names = text_at(at_path(there, "metadata", "annotations"), OURS);
    json_t *changes = text_changes(at_path(there, "metadata", member),
                                   at_path(wanted, "metadata", member), names);
    if (json_object_size(changes) > 0) {
        json_object_set(metadata, member, changes);
    }
    json_decref(changes);
}

/* The server adds defaults to an endpoint, so only what we say is compared. */
static bool has_addresses(const json_t *there, const json_t *wanted)
{
    const json_t *mine = json_array_get(json_object_get(wanted, "endpoints"), 0);
    const json_t *list = json_object_get(there, "endpoints");
    return json_array_size(list) == 1 &&
           json_equal(json_object_get(json_array_get(list, 0), "addresses"),
                      json_object_get(mine, "addresses"));
}

json_t *infra_patch(const json_t *there, const json_t *wanted)
{
    json_t *metadata = json_object();
    put_changes(metadata, there, wanted, "labels");
    put_changes(metadata, there, wanted, "annotations");
    bool is_slice = json_object_get(wanted, "endpoints") != NULL;
    bool is_moved = is_slice && !has_addresses(there, wanted);
    if (json_object_size(metadata) == 0 && !is_moved) {
        json_decref(metadata);
        return NULL;
    }
    json_object_set_new(metadata, "resourceVersion",
                        json_string(kube_text_at(there, "metadata.resourceVersion")));
    json_t *patch = json_pack("{s:o}", "metadata", metadata);
    if (is_moved) {
        json_object_set(patch, "endpoints", json_object_get(wanted, "endpoints"));
    }
    return patch;
}
