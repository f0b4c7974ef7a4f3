/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image in words: what a reader finds who follows its tries, sets and lists, and nothing that
 * only lies in its tables.
 */
#pragma once

#include "abi/image.h"

#include <jansson.h>

/*
 * {binds: [{address, port, kind, congestion, trusted, listeners: [index]}],
 *  listeners: [{name, hostname, port, protocol, clients, bundle, identities, identity,
 *               hosts: [{hostname, matches: [...]}]}],
 *  routes: [{name, kind, id, created, rules: [...]}]}, new.
 *
 * A match: {route, call, rule, match, path: [kind, text], method, headers and queries: [[name,
 * value, is a pattern]]}; absent is null.
 */
json_t *tell_image(const struct image_view *v);

/* A text of the image, new. */
json_t *tell_text(const struct image_view *v, struct image_string s);

/* One to four words of an id or key, in hexadecimal digits. New. */
json_t *tell_words(const uint64_t *words, size_t n);

/* Bytes, in hexadecimal digits; IMAGE_JWT_KEY_BYTES_MAX at most. New. */
json_t *tell_bytes(const uint8_t *bytes, size_t n);

/* {rule, fault, timeouts: [ms, ms], retry: null or [attempts, ms, codes], session, filters,
 * backends: [[name, weight, fault, filters, connections]], weights: their sum}, new. */
json_t *tell_rule(const struct image_view *v, const struct image_rule *rule);

/* {id, name, requests, burst, per, key, header, prefixes} of each RateLimit, new. */
json_t *tell_limits(const struct image_view *v, const struct image_filter *filter);

/* [name, allowed, denied, basic, jwt] of each AccessPolicy, new. */
json_t *tell_accesses(const struct image_view *v, const struct image_filter *filter);

/* {id: the group, protocol, congestion, proxyHeader, balancing: [way, key, name], health, tls} of a
 * backend's connections; null: it has no group. New. */
json_t *tell_backend_connections(const struct image_view *v, const struct image_backend *b);

/* The same of a mirror, new. */
json_t *tell_mirror_connections(const struct image_view *v, const struct image_mirror *m);

/* [name, id] of CA certificates; null: none. New. */
json_t *tell_bundle(const struct image_view *v, uint32_t bundle);
