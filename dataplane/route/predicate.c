/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions of a match besides listener, host and path.
 *
 * Headers: a field that occurs more than once counts as one field with its values in order, joined
 * by ", " (RFC 9110, section 5.3): what a backend sees, which combines them in the same way. The
 * value is compared byte by byte, the name without case.
 *
 * Query parameters: the query is split at '&', each part at its first '='; '+' is a space, %XX is
 * that byte, and a '%' without two hex digits is itself. The first parameter of the name decides,
 * as Gateway API recommends. Names and values are compared byte by byte.
 *
 * A regular expression is asked about the same text: all values joined, or the first, decoded.
 *
 * Calls of gRPC: a POST to "/service/method" (gRPC over HTTP2, "Requests"). The content-type is not
 * looked at: what is no gRPC is for the server to refuse, which does so in gRPC's own words.
 */
#include "route/route_priv.h"

#include "base/assert.h"

/* All values of a header, or a query parameter: a head is smaller (HTTP_HEAD_BYTES_MAX). */
#define ROUTE_SUBJECT_BYTES_MAX 16384u

static bool header_holds(const struct image_view *v, const struct image_predicate *predicate,
                         const struct route_request *request)
{
    struct slice name = image_text(v, predicate->name);
    struct slice rest = image_text(v, predicate->value);
    bool is_found = false;
    for (uint32_t i = 0; i < request->n_fields; i++) {
        const struct route_field *field = &request->fields[i];
        if (!slice_eq_nocase(field->name, name))
            continue;
        if (is_found) {
            if (!slice_has_prefix(rest, SLICE_LIT(", ")))
                return false;
            rest = slice_skip(rest, 2);
        }
        if (!slice_has_prefix(rest, field->value))
            return false;
        rest = slice_skip(rest, field->value.len);
        is_found = true;
    }
    return is_found && rest.len == 0;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes one byte off the front of an encoded text; its length is not 0. */
static uint8_t decode_byte(struct slice *encoded)
{
    ASSERT_HOT(encoded->len != 0);
    uint8_t c = encoded->ptr[0];
    int high = c == '%' && encoded->len > 2 ? hex_digit(encoded->ptr[1]) : -1;
    int low = high >= 0 ? hex_digit(encoded->ptr[2]) : -1;
    *encoded = slice_skip(*encoded, low >= 0 ? 3 : 1);
    if (low >= 0)
        return (uint8_t)(high << 4 | low);
    return c == '+' ? ' ' : c;
}

static bool is_decoded_eq(struct slice encoded, struct slice plain)
{
    size_t i = 0;
    while (encoded.len != 0 && i < plain.len) {
        if (decode_byte(&encoded) != plain.ptr[i++])
            return false;
    }
    return encoded.len == 0 && i == plain.len;
}

/* Takes the part before the first `c` off `*rest`, and `c` with it. */
static struct slice take_until(struct slice *rest, uint8_t c)
{
    const uint8_t *at = rest->len == 0 ? NULL : memchr(rest->ptr, c, rest->len);
    size_t len = at == NULL ? rest->len : (size_t)(at - rest->ptr);
    struct slice part = slice_of(rest->ptr, len);
    *rest = slice_skip(*rest, at == NULL ? len : len + 1);
    return part;
}

static bool query_holds(const struct image_view *v, const struct image_predicate *predicate,
                        const struct route_request *request)
{
    struct slice name = image_text(v, predicate->name);
    struct slice rest = request->query;
    while (rest.len != 0) {
        struct slice value = take_until(&rest, '&');
        struct slice key = take_until(&value, '=');
        if (is_decoded_eq(key, name))
            return is_decoded_eq(value, image_text(v, predicate->value));
    }
    return false;
}

/* Where a text is put together. */
struct room {
    uint8_t *bytes;
    size_t cap;
};

/* Appends to a text in `room`; false: it is too long. */
static bool append(struct room room, struct slice *text, struct slice more)
{
    ASSERT(text->len <= room.cap);
    if (more.len > room.cap - text->len)
        return false;
    if (more.len != 0)
        memcpy(room.bytes + text->len, more.ptr, more.len);
    *text = slice_of(room.bytes, text->len + more.len);
    return true;
}

/* The combined value, as header_holds() compares it. */
static bool header_value(const struct route_request *request, struct slice name, struct room room,
                         struct slice *ret)
{
    bool is_found = false;
    *ret = slice_of(room.bytes, 0);
    for (uint32_t i = 0; i < request->n_fields; i++) {
        if (!slice_eq_nocase(request->fields[i].name, name))
            continue;
        if (is_found && !append(room, ret, SLICE_LIT(", ")))
            return false;
        if (!append(room, ret, request->fields[i].value))
            return false;
        is_found = true;
    }
    return is_found;
}

/* The first value, decoded, as query_holds() compares it. */
static bool query_value(const struct route_request *request, struct slice name, struct room room,
                        struct slice *ret)
{
    struct slice rest = request->query;
    while (rest.len != 0) {
        struct slice value = take_until(&rest, '&');
        struct slice key = take_until(&value, '=');
        if (!is_decoded_eq(key, name))
            continue;
        *ret = slice_of(room.bytes, 0);
        while (value.len != 0) {
            uint8_t byte = decode_byte(&value);
            if (!append(room, ret, slice_of(&byte, 1)))
                return false;
        }
        return true;
    }
    return false;
}

/* The method that the request calls; false: it is no call. */
static bool called_method(const struct route_request *request, struct slice *ret)
{
    struct slice service, method = slice_skip(request->path, 1);
    if (!slice_eq(request->method, SLICE_LIT("POST")))
        return false;
    service = take_until(&method, '/');
    if (service.len == 0 || method.len == 0 || memchr(method.ptr, '/', method.len) != NULL)
        return false;
    *ret = method;
    return true;
}

bool route_guard_answer(const struct image_view *v, const struct image_guard *guard,
                        const struct route_request *request, uint8_t *buf, struct slice *ret)
{
    struct room room = {buf, IMAGE_ANSWER_BYTES_MAX};
    switch (guard->kind) {
    case IMAGE_GUARD_HEADER:
        return header_value(request, image_text(v, guard->name), room, ret);
    case IMAGE_GUARD_QUERY:
        return query_value(request, image_text(v, guard->name), room, ret);
    case IMAGE_GUARD_METHOD:
        *ret = request->method;
        return request->method.len <= IMAGE_ANSWER_BYTES_MAX;
    case IMAGE_GUARD_CALL:
        return called_method(request, ret) && ret->len <= IMAGE_ANSWER_BYTES_MAX;
    default:
        *ret = slice_of(buf, 0);
        return true;
    }
}

/* Does the text that the predicate is about match its pattern? What no head can hold is none. */
static bool pattern_holds(const struct image_view *v, const struct image_predicate *predicate,
                          const struct route_request *request)
{
    uint8_t bytes[ROUTE_SUBJECT_BYTES_MAX];
    struct room room = {bytes, sizeof(bytes)};
    struct slice name = image_text(v, predicate->name), value;
    struct route_hits hits;
    bool is_there = image_is_about_header(predicate->kind)
                        ? header_value(request, name, room, &value)
                        : query_value(request, name, room, &value);
    if (!is_there)
        return false;
    route_pattern_ask(&request->reader, &v->pattern_sets[predicate->set], value, &hits);
    return route_hits_has(&hits, 0);
}

static bool predicate_holds(const struct image_view *v, const struct image_predicate *predicate,
                            const struct route_request *request)
{
    if (image_has_pattern(predicate->kind))
        return pattern_holds(v, predicate, request);
    return predicate->kind == IMAGE_PREDICATE_HEADER ? header_holds(v, predicate, request)
                                                     : query_holds(v, predicate, request);
}

bool route_match_holds(const struct image_view *v, const struct image_match *match,
                       const struct route_request *request, enum route_loss *ret_loss,
                       uint32_t *ret_predicate)
{
    struct slice method = request->method;
    if (match->is_grpc && !called_method(request, &method)) {
        *ret_loss = ROUTE_LOSS_CALL;
        return false;
    }
    if (match->method.length != 0 && !slice_eq(image_text(v, match->method), method)) {
        *ret_loss = ROUTE_LOSS_METHOD;
        return false;
    }
    for (uint32_t i = 0; i < (uint32_t)match->n_headers + match->n_queries; i++) {
        uint32_t index = match->first_predicate + i;
        ASSERT_HOT(index < v->n_predicates);
        const struct image_predicate *predicate = &v->predicates[index];
        if (predicate_holds(v, predicate, request))
            continue;
        *ret_loss = image_is_about_header(predicate->kind) ? ROUTE_LOSS_HEADER : ROUTE_LOSS_QUERY;
        *ret_predicate = index;
        return false;
    }
    return true;
}
