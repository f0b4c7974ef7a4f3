/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to image_check*.c: the order of the checks, so that none reads what was not checked.
 *
 *   1. image_check.c: header, checksums, section table, gaps. After it the view's pointers and
 *      counts are sound.
 *   2. `local` of each section: every entry by itself. After it every string and every index lies
 *      within its section, and tables of a power of two are that.
 *   3. `cross` of each section: what entries say of each other. It may use all of image.h.
 *   4. `whole` of a section: sums over it.
 *
 * A check takes an entry's index and gives the first thing that is wrong with it.
 */
#pragma once

#include "abi/image.h"

#include <stdbool.h>

typedef enum image_fault (*image_entry_check)(const struct image_view *v, uint32_t i);
typedef enum image_fault (*image_whole_check)(const struct image_view *v);

/* Does the string lie within the section, and has it bytes of that kind only? An empty one is of
 * every kind. */
enum image_fault image_check_text(const struct image_view *v, struct image_string s,
                                  enum image_text_kind kind);

/* Are `count` entries from `first` on within a section of `n`? */
static inline bool image_is_range(uint32_t first, uint32_t count, uint32_t n)
{
    return first <= n && count <= n - first;
}

/* Could it be the size of a hash table? */
static inline bool image_is_power_of_two(uint32_t n)
{
    return n != 0 && (n & (n - 1)) == 0;
}

/* Is `index` a root of a trie of that kind? */
static inline bool image_is_root(const struct image_view *v, uint32_t index,
                                 enum image_node_kind kind)
{
    return v->nodes[index].parent == IMAGE_NONE && v->nodes[index].kind == kind;
}

/* Network sections. */
enum image_fault image_local_interface(const struct image_view *v, uint32_t i);
enum image_fault image_local_address(const struct image_view *v, uint32_t i);
enum image_fault image_local_egress(const struct image_view *v, uint32_t i);

/* Binds, listeners, hosts, tries. */
enum image_fault image_local_bind(const struct image_view *v, uint32_t i);
enum image_fault image_cross_bind(const struct image_view *v, uint32_t i);
enum image_fault image_local_bind_slot(const struct image_view *v, uint32_t i);
enum image_fault image_whole_bind_slots(const struct image_view *v);
enum image_fault image_local_listener(const struct image_view *v, uint32_t i);
enum image_fault image_cross_listener(const struct image_view *v, uint32_t i);
enum image_fault image_local_node(const struct image_view *v, uint32_t i);
enum image_fault image_cross_node(const struct image_view *v, uint32_t i);
enum image_fault image_local_node_slot(const struct image_view *v, uint32_t i);
enum image_fault image_whole_node_slots(const struct image_view *v);
enum image_fault image_local_host(const struct image_view *v, uint32_t i);
enum image_fault image_cross_host(const struct image_view *v, uint32_t i);
enum image_fault image_whole_hosts(const struct image_view *v);

/* Paths, matches, predicates, rules, routes, backends. */
enum image_fault image_local_path(const struct image_view *v, uint32_t i);
enum image_fault image_cross_path(const struct image_view *v, uint32_t i);
enum image_fault image_whole_paths(const struct image_view *v);
enum image_fault image_local_match(const struct image_view *v, uint32_t i);
enum image_fault image_cross_match(const struct image_view *v, uint32_t i);
enum image_fault image_local_predicate(const struct image_view *v, uint32_t i);
enum image_fault image_local_rule(const struct image_view *v, uint32_t i);
enum image_fault image_cross_rule(const struct image_view *v, uint32_t i);
enum image_fault image_local_backend(const struct image_view *v, uint32_t i);
enum image_fault image_local_route(const struct image_view *v, uint32_t i);
enum image_fault image_cross_route(const struct image_view *v, uint32_t i);
enum image_fault image_whole_routes(const struct image_view *v);

/* Guards of paths with many matches. */
enum image_fault image_local_guard(const struct image_view *v, uint32_t i);
enum image_fault image_cross_guard(const struct image_view *v, uint32_t i);
enum image_fault image_local_guard_slot(const struct image_view *v, uint32_t i);
enum image_fault image_whole_guard_slots(const struct image_view *v);
enum image_fault image_local_answer(const struct image_view *v, uint32_t i);
enum image_fault image_cross_answer(const struct image_view *v, uint32_t i);
enum image_fault image_whole_answers(const struct image_view *v);
enum image_fault image_local_answer_match(const struct image_view *v, uint32_t i);

/* Filters and their parameters. */
enum image_fault image_local_filter(const struct image_view *v, uint32_t i);
enum image_fault image_local_header_op(const struct image_view *v, uint32_t i);
enum image_fault image_local_redirect(const struct image_view *v, uint32_t i);
enum image_fault image_local_rewrite(const struct image_view *v, uint32_t i);

/* Does a filter of the rule replace the matched prefix? Only after the local checks. */
bool image_rule_replaces_prefix(const struct image_view *v, const struct image_rule *rule);
