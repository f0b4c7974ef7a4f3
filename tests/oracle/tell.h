/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An image in words: what a reader finds who follows its tries, sets and lists, and nothing that
 * only lies in its tables.
 */
#pragma once

#include "abi/image.h"

#include <jansson.h>

/*
 * {binds: [{address, port, listeners: [index]}],
 *  listeners: [{name, hostname, port, hosts: [{hostname, matches: [...]}]}],
 *  routes: [{name, created, rules: [...]}]}, new.
 *
 * A match: {route, rule, match, path: [kind, text], method, headers and queries: [[name, value,
 * is a pattern]]}; absent is null.
 */
json_t *tell_image(const struct image_view *v);

/* A text of the image, new. */
json_t *tell_text(const struct image_view *v, struct image_string s);

/* {rule, fault, timeouts: [ms, ms], retry: null or [attempts, ms, codes], filters,
 * backends: [[name, weight, fault, filters]]}, new. */
json_t *tell_rule(const struct image_view *v, const struct image_rule *rule);
