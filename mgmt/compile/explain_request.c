/* SPDX-License-Identifier: Apache-2.0 */
/* From what a person writes to a request head, read by the parser that reads the clients'. */
#include "compile/explain_priv.h"

#include "base/container.h"
#include "model/text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* Appends to the head; what does not fit makes `len` the size of the buffer. */
__attribute__((format(printf, 2, 3))) static void put(struct explain_request *r, const char *format,
                                                      ...)
{
    size_t room = sizeof(r->bytes) - r->len;
    va_list args;
    va_start(args, format);
    int n = vsnprintf((char *)r->bytes + r->len, room, format, args);
    va_end(args);
    r->len = n < 0 || (size_t)n >= room ? sizeof(r->bytes) : r->len + (size_t)n;
}

static const char *string_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* How an URL may begin. What is no request is asked for as if it were one: to a port of TCP or UDP
 * any leads. */
static const struct scheme {
    const char *prefix;
    uint16_t port; /* if none is given; 0: one has to be */
    bool is_https;
    bool is_udp;
    bool is_dns; /* the path is a name, the method a type */
} schemes[] = {
    {"http://", 80, false, false, false}, {"https://", 443, true, false, false},
    {"tcp://", 0, false, false, false},   {"udp://", 0, false, true, false},
    {"dns://", 53, false, true, true},
};

static const struct scheme *scheme_of(const char *url)
{
    for (size_t i = 0; i < array_len(schemes); i++) {
        if (strncmp(url, schemes[i].prefix, strlen(schemes[i].prefix)) == 0)
            return &schemes[i];
    }
    return NULL;
}

/* The authority's port; 0: what stands there is none. */
static uint16_t port_of(const char *authority, size_t len, uint16_t usual)
{
    const char *colon = memrchr(authority, ':', len);
    if (colon == NULL || memchr(colon, ']', len - (size_t)(colon - authority)) != NULL)
        return usual;
    unsigned long port = strtoul(colon + 1, NULL, 10);
    return port <= UINT16_MAX ? (uint16_t)port : 0;
}

/* "dns://host:port/name" to a request line: a query is matched as a request is whose path is the
 * name from its last label, and whose method is the type. */
static const char *put_query(struct explain_request *r, const char *type, const char *target,
                             int host_bytes, const char *host)
{
    char name[TEXT_DNS_PATH_BYTES], path[TEXT_DNS_PATH_BYTES], method[TEXT_DNS_TYPE_BYTES];
    const char *asked = target + (target[0] == '/');
    if (strcspn(asked, "/?#") != strlen(asked) || strlen(asked) > TEXT_DNS_PATH_BYTES - 2)
        return "spec.url has no name of DNS behind its host";
    if (!text_dns_type(strcmp(type, "GET") == 0 ? "A" : type, method))
        return "spec.method is no type of DNS, such as AAAA or TYPE28";
    for (size_t i = 0; i <= strlen(asked); i++)
        name[i] = (char)tolower((unsigned char)asked[i]);
    text_dns_path(name, path);
    put(r, "%s %s HTTP/1.1\r\nHost: %.*s\r\n", method, path, host_bytes, host);
    return NULL;
}

/* "http://host:port/path?query#fragment" to a request line and Host. */
static const char *put_url(struct explain_request *r, const char *method, const char *url)
{
    const struct scheme *scheme = scheme_of(url);
    if (scheme == NULL)
        return "spec.url does not begin with http://, https://, tcp://, udp:// or dns://";
    const char *authority = url + strlen(scheme->prefix);
    size_t len = strcspn(authority, "/?#");
    const char *target = authority + len;
    r->is_https = scheme->is_https;
    r->is_udp = scheme->is_udp;
    r->port = port_of(authority, len, scheme->port);
    if (len == 0 || r->port == 0)
        return "spec.url has no valid host and port";
    if (scheme->is_dns)
        return put_query(r, method, target, (int)len, authority);
    put(r, "%s %s%.*s HTTP/1.1\r\nHost: %.*s\r\n", method, target[0] == '/' ? "" : "/",
        (int)strcspn(target, "#"), target, (int)len, authority);
    return NULL;
}

static const char *put_headers(struct explain_request *r, const json_t *headers)
{
    size_t i;
    json_t *header;
    json_array_foreach(headers, i, header)
    {
        const char *name = string_of(header, "name"), *value = string_of(header, "value");
        if (name == NULL || value == NULL)
            return "spec.headers wants a name and a value each";
        put(r, "%s: %s\r\n", name, value);
    }
    put(r, "\r\n");
    return r->len == sizeof(r->bytes) ? "the request head is too long" : NULL;
}

bool explain_request_read(const json_t *spec, struct explain_request *ret, const char **ret_error)
{
    const char *method = string_of(spec, "method"), *url = string_of(spec, "url");
    const char *address = string_of(spec, "address"), *client = string_of(spec, "client");
    const char *error = NULL;
    ret->len = 0;
    ret->has_address = address != NULL;
    ret->has_client = client != NULL;
    if (url == NULL)
        error = "spec.url is missing";
    else if (ret->has_address && !ip_addr_parse(address, &ret->address))
        error = "spec.address is no IP address";
    else if (ret->has_client && !ip_addr_parse(client, &ret->client))
        error = "spec.client is no IP address";
    else
        error = put_url(ret, method == NULL ? "GET" : method, url);
    if (error == NULL)
        error = put_headers(ret, json_object_get(spec, "headers"));
    if (error == NULL) {
        enum http_fault fault = http_parse_request(ret->bytes, ret->len, &ret->head);
        error = fault == HTTP_FAULT_none ? NULL : http_fault_text(fault);
    }
    if (error != NULL)
        *ret_error = error;
    return error == NULL;
}
