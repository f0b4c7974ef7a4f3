/* SPDX-License-Identifier: Apache-2.0 */
/* Service and EndpointSlice: the API server's rules. See core.h. */
#include "model/core.h"
#include "model/errors.h"
#include "model/text.h"

#include <stdio.h>
#include <string.h>

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

/* "spec.ports[2].name" */
static const char *port_path(char buf[MODEL_PATH_MAX], const char *list, size_t i, const char *name)
{
    snprintf(buf, MODEL_PATH_MAX, "%s[%zu].%s", list, i, name);
    return buf;
}

/* Names of ports: a DNS label where one is given, each once. */
static void check_port_name(const json_t *ports, const char *list, size_t i, struct model_errors *e)
{
    char path[MODEL_PATH_MAX];
    const json_t *port = json_array_get(ports, i);
    const char *name = text_of(port, "name");
    if (name[0] != '\0' && !text_is_dns_label(name)) {
        model_error_invalid(e, port_path(path, list, i, "name"), json_object_get(port, "name"),
                            "a lowercase RFC 1123 label must consist of lower case alphanumeric "
                            "characters or '-', and must start and end with an alphanumeric "
                            "character");
    }
    for (size_t j = 0; j < i; j++) {
        if (name[0] != '\0' && strcmp(name, text_of(json_array_get(ports, j), "name")) == 0) {
            model_error_duplicate(e, port_path(path, list, i, "name"), name);
            return;
        }
    }
}

static void check_app_protocol(const json_t *port, const char *list, size_t i,
                               struct model_errors *e)
{
    char path[MODEL_PATH_MAX];
    const json_t *protocol = json_object_get(port, "appProtocol");
    if (protocol != NULL && !text_is_qualified_name(json_string_value(protocol))) {
        model_error_invalid(e, port_path(path, list, i, "appProtocol"), protocol,
                            "must be an IANA service name or a prefixed name such as "
                            "kubernetes.io/h2c");
    }
}

static void check_target_port(const json_t *port, size_t i, struct model_errors *e)
{
    char path[MODEL_PATH_MAX];
    const json_t *target = json_object_get(port, "targetPort");
    json_int_t number = json_integer_value(target);
    if (json_is_integer(target) && (number < 1 || number > 65535)) {
        model_error_invalid(e, port_path(path, "spec.ports", i, "targetPort"), target,
                            "must be between 1 and 65535, inclusive");
    }
    if (json_is_string(target) && !text_is_port_name(json_string_value(target))) {
        model_error_invalid(e, port_path(path, "spec.ports", i, "targetPort"), target,
                            "must be a valid port name: at most 15 lower case letters, digits "
                            "and '-', with at least one letter");
    }
}

void core_check_service(const json_t *obj, struct model_errors *e)
{
    const json_t *spec = json_object_get(obj, "spec");
    const json_t *ports = json_object_get(spec, "ports");
    bool is_external = strcmp(text_of(spec, "type"), "ExternalName") == 0;
    bool is_headless = strcmp(text_of(spec, "clusterIP"), "None") == 0;
    if (json_array_size(ports) == 0 && !is_external && !is_headless) {
        model_error_required(e, "spec.ports", "");
    }
    if (is_external && !text_is_dns_subdomain(text_of(spec, "externalName"))) {
        model_error_required(e, "spec.externalName", "");
    }
    size_t i;
    const json_t *port;
    json_array_foreach(ports, i, port)
    {
        if (json_array_size(ports) > 1 && text_of(port, "name")[0] == '\0') {
            char path[MODEL_PATH_MAX];
            model_error_required(e, port_path(path, "spec.ports", i, "name"), "");
        }
        check_port_name(ports, "spec.ports", i, e);
        check_app_protocol(port, "spec.ports", i, e);
        check_target_port(port, i, e);
    }
}

/* Does the text fit the slice's addressType? */
static bool is_address_of(const char *text, const char *type)
{
    struct ip_addr addr;
    if (strcmp(type, "FQDN") == 0) {
        return text_is_dns_subdomain(text);
    }
    return ip_addr_parse(text, &addr) && ip_addr_is_v4(&addr) == (strcmp(type, "IPv4") == 0);
}

static void check_addresses(const json_t *endpoint, size_t i, const char *type,
                            struct model_errors *e)
{
    size_t j;
    const json_t *address;
    json_array_foreach(json_object_get(endpoint, "addresses"), j, address)
    {
        if (!is_address_of(json_string_value(address), type)) {
            char path[MODEL_PATH_MAX];
            char detail[64];
            snprintf(path, sizeof(path), "endpoints[%zu].addresses[%zu]", i, j);
            snprintf(detail, sizeof(detail), "must be a valid %s address", type);
            model_error_invalid(e, path, address, detail);
        }
    }
}

void core_check_endpoint_slice(const json_t *obj, const json_t *old, struct model_errors *e)
{
    const json_t *type = json_object_get(obj, "addressType");
    const json_t *old_type = json_object_get(old, "addressType");
    if (old_type != NULL && !json_equal(type, old_type)) {
        model_error_invalid(e, "addressType", type, "field is immutable");
    }
    size_t i;
    const json_t *item;
    json_array_foreach(json_object_get(obj, "endpoints"), i, item)
    {
        check_addresses(item, i, json_string_value(type), e);
    }
    const json_t *ports = json_object_get(obj, "ports");
    json_array_foreach(ports, i, item)
    {
        check_port_name(ports, "ports", i, e);
        check_app_protocol(item, "ports", i, e);
    }
}
