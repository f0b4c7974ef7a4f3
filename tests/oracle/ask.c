/* SPDX-License-Identifier: Apache-2.0 */
/* See ask.h. */
#include "ask.h"

#include "base/ip_addr.h"
#include "compile/explain.h"
#include "http/http.h"
#include "route/of_head.h"
#include "tell.h"

#include <string.h>

/* A head where the parser may write; false: longer than any that a client may send. */
static bool copy_head(const json_t *text, uint8_t bytes[HTTP_HEAD_BYTES_MAX], size_t *ret_len)
{
    *ret_len = json_string_length(text);
    if (*ret_len > HTTP_HEAD_BYTES_MAX)
        return false;
    memcpy(bytes, json_string_value(text), *ret_len);
    return true;
}

/* The match that took it, in the objects' words. */
static json_t *taker(const struct image_view *v, const struct route_result *result)
{
    const struct image_match *match = &v->matches[result->match];
    const struct image_rule *rule = &v->rules[result->rule];
    struct slice route = image_text(v, v->routes[rule->route].name);
    return json_sprintf("%.*s %u %u", (int)route.len, (const char *)route.ptr,
                        (unsigned)rule->index, (unsigned)match->index);
}

static json_t *match(const struct world *w, const struct http_head *head, uint32_t bind)
{
    struct route_result result;
    struct route_request request =
        route_request_of(head, bind, (struct route_reader){w->patterns, 0});
    route_match(&w->v, &request, &result);
    return result.outcome == ROUTE_OUTCOME_RULE ? taker(&w->v, &result) : json_string("404");
}

json_t *ask_match(const struct world *w, const json_t *request)
{
    static uint8_t bytes[HTTP_HEAD_BYTES_MAX];
    static struct http_head head;
    const char *address = json_string_value(json_array_get(request, 0));
    json_int_t port = json_integer_value(json_array_get(request, 1));
    struct ip_addr addr;
    uint32_t bind;
    size_t len;
    if (address == NULL || !ip_addr_parse(address, &addr) ||
        !copy_head(json_array_get(request, 2), bytes, &len))
        return json_string("no request");
    if (!route_bind_find(&w->v, &addr, (uint16_t)port, &bind))
        return json_string("nobody listens");
    enum http_fault fault = http_parse_request(bytes, len, &head);
    if (fault != HTTP_FAULT_none)
        return json_sprintf("refused %u", (unsigned)http_fault_status(fault));
    return match(w, &head, bind);
}

/* Who passes the connection on; of a listener where requests are answered, null. */
static json_t *passer(const struct world *w, uint32_t bind, struct slice name)
{
    struct route_result result;
    struct route_request request = {.bind = bind,
                                    .host = name,
                                    .path = SLICE_LIT("/"),
                                    .query = SLICE_LIT(""),
                                    .method = SLICE_LIT(""),
                                    .reader = {w->patterns, 0}};
    route_match(&w->v, &request, &result);
    bool is_request = result.outcome == ROUTE_OUTCOME_RULE &&
                      (w->v.listeners[result.listener].protocol == IMAGE_PROTOCOL_HTTP ||
                       w->v.listeners[result.listener].protocol == IMAGE_PROTOCOL_HTTPS);
    return result.outcome == ROUTE_OUTCOME_RULE && !is_request ? taker(&w->v, &result)
                                                               : json_null();
}

json_t *ask_connection(const struct world *w, const json_t *connection)
{
    static const char *const kinds[IMAGE_BIND_KINDS] = {"HTTP", "HTTPS", "TLS", "TCP"};
    const char *address = json_string_value(json_array_get(connection, 0));
    json_int_t port = json_integer_value(json_array_get(connection, 1));
    const char *name = json_string_value(json_array_get(connection, 2));
    struct ip_addr addr;
    uint32_t bind, listener;
    if (address == NULL || name == NULL || !ip_addr_parse(address, &addr))
        return json_string("no connection");
    if (!route_bind_find(&w->v, &addr, (uint16_t)port, &bind))
        return json_string("nobody listens");
    bool is_there = route_listener_find(&w->v, bind, slice_of_str(name), &listener);
    return json_pack("[s,o,o]", kinds[w->v.binds[bind].kind],
                     is_there ? tell_text(&w->v, w->v.listeners[listener].name) : json_null(),
                     passer(w, bind, slice_of_str(name)));
}

json_t *ask_explain(const struct world *w, const json_t *spec)
{
    const char *error = "";
    struct explain_input in = {.image = w->image, .spec = spec};
    json_t *status = explain_request(&in, &error);
    return status != NULL ? status : json_string(error);
}
