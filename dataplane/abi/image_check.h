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

/* ---- network ---- */

/* Its VLAN and MTU are possible, no interface before it is the same, its name is text. */
enum image_fault image_local_interface(const struct image_view *v, uint32_t i);

/* Its interface exists, a host can have it, no address before it is the same. */
enum image_fault image_local_address(const struct image_view *v, uint32_t i);

/* Its interface exists, its prefix and gateway are possible. */
enum image_fault image_local_egress(const struct image_view *v, uint32_t i);

/* ---- binds, listeners, hosts, tries ---- */

/* It has an address and a port, its congestion control is known, it is proxied or not, and only
 * then trusts somebody; its root is a node. */
enum image_fault image_local_bind(const struct image_view *v, uint32_t i);

/* It is a prefix: what is behind its length is zero. */
enum image_fault image_local_trusted(const struct image_view *v, uint32_t i);

/* Its root is one of a trie of listeners, and a lookup of the bind finds it, or everybody's. */
enum image_fault image_cross_bind(const struct image_view *v, uint32_t i);

/* It is the index of a bind. */
enum image_fault image_local_choice(const struct image_view *v, uint32_t i);

/* It has a name. */
enum image_fault image_local_client_set(const struct image_view *v, uint32_t i);

/* Its set exists, and it comes after the client before it. */
enum image_fault image_local_client(const struct image_view *v, uint32_t i);

/* The choices of a bind of everybody are binds of some clients at the same place, in order. */
enum image_fault image_check_choices(const struct image_view *v, const struct image_bind *e);

/* The binds' choices begin where those of the bind before end, and are as many as there are binds
 * of some clients. */
enum image_fault image_whole_choices(const struct image_view *v);

/* Slots are a power of two; this one is empty or leads to a bind. */
enum image_fault image_local_bind_slot(const struct image_view *v, uint32_t i);

/* As many slots are used as there are binds of everybody: no slot leads elsewhere. */
enum image_fault image_whole_bind_slots(const struct image_view *v);

/* Protocol, identities, bundle and port are possible, its root is a node, its name and hostname are
 * text. */
enum image_fault image_local_listener(const struct image_view *v, uint32_t i);

/* Its name is text. */
enum image_fault image_local_identity(const struct image_view *v, uint32_t i);

/* Its name is text. */
enum image_fault image_local_bundle(const struct image_view *v, uint32_t i);

/* Its names and its bundle exist, its texts are such as they should be. */
enum image_fault image_local_backend_tls(const struct image_view *v, uint32_t i);

/* Its names begin where those of the one before it end. */
enum image_fault image_cross_backend_tls(const struct image_view *v, uint32_t i);

/* The names end where all names end. */
enum image_fault image_whole_backend_tls(const struct image_view *v);

/* Its kind is known, and it has a text of that kind. */
enum image_fault image_local_san(const struct image_view *v, uint32_t i);

/* Its root is one of a trie of hosts. */
enum image_fault image_cross_listener(const struct image_view *v, uint32_t i);

/* It is free and zero, or its kind is known, its values exist, it stands one level below its
 * parent. There is a power of two of them. */
enum image_fault image_local_node(const struct image_view *v, uint32_t i);

/* There are as many as nodes; that of a free place is zero. */
enum image_fault image_local_node_rest(const struct image_view *v, uint32_t i);

/* A lookup of its label finds it, and its values are at home under its name, and are as it says. */
enum image_fault image_cross_node(const struct image_view *v, uint32_t i);

/* Its listener, root and pattern sets exist, its name is a hostname. */
enum image_fault image_local_host(const struct image_view *v, uint32_t i);

/* Its root is one of a trie of paths; its pattern sets begin where those of the host before it end,
 * and their patterns lead to paths, in order. */
enum image_fault image_cross_host(const struct image_view *v, uint32_t i);

/* As many nodes have a host for a value as there are hosts: each can be reached; the hosts' pattern
 * sets end where all do. */
enum image_fault image_whole_hosts(const struct image_view *v);

/* ---- paths, matches, predicates, rules, routes, backends ---- */

/* Its kind is known, it has matches, its lists exist, its text is a path. */
enum image_fault image_local_path(const struct image_view *v, uint32_t i);

/* Its matches and guards begin where those of the path before it end; no prefix ends in a slash. */
enum image_fault image_cross_path(const struct image_view *v, uint32_t i);

/* Each path is the value of a node or of a pattern; the paths' lists end where all matches and
 * guards end. */
enum image_fault image_whole_paths(const struct image_view *v);

/* Its path, rule, answer and predicates exist, its method is a token. */
enum image_fault image_local_match(const struct image_view *v, uint32_t i);

/* Its path lists it, after those of higher precedence; its predicates are headers, then queries. */
enum image_fault image_cross_match(const struct image_view *v, uint32_t i);

/* Its kind is known, its name and value are such text as the kind wants, it has a pattern set if
 * the kind wants one. */
enum image_fault image_local_predicate(const struct image_view *v, uint32_t i);

/* Its pattern set has its value for the only pattern. */
enum image_fault image_cross_predicate(const struct image_view *v, uint32_t i);

/* Its route, retry policy, persistence, filters and backends exist and are not too many, its fault
 * status is known. */
enum image_fault image_local_rule(const struct image_view *v, uint32_t i);

/* Its route lists it in order, its backends' weights add up, its filters go together. */
enum image_fault image_cross_rule(const struct image_view *v, uint32_t i);

/* It has attempts, not too many. */
enum image_fault image_local_retry(const struct image_view *v, uint32_t i);

/* It has keys and a name; a cookie has a path, and if it is permanent a lifetime. */
enum image_fault image_local_persistence(const struct image_view *v, uint32_t i);

/* Its way is known and has what it needs, and nothing else; with no group it says nothing. */
enum image_fault image_check_balance(const struct image_view *v, const struct image_balance *e,
                                     bool has_group);

/* Its weight is within the limit; it has a group, congestion control and balancing, or the status
 * that is answered instead. */
enum image_fault image_local_backend(const struct image_view *v, uint32_t i);

/* Its filters are of header types, at most one of each; its health policy is its group's. */
enum image_fault image_cross_backend(const struct image_view *v, uint32_t i);

/* The backends and mirrors of a group have the same congestion control and PROXY header. */
enum image_fault image_whole_backends(const struct image_view *v);

/* Its rules exist, its name is text. */
enum image_fault image_local_route(const struct image_view *v, uint32_t i);

/* Its rules begin where those of the route before it end, and it comes after it by precedence. */
enum image_fault image_cross_route(const struct image_view *v, uint32_t i);

/* The routes' rules end where all rules end. */
enum image_fault image_whole_routes(const struct image_view *v);

/* ---- guards of paths with many matches ---- */

/* Its kind is known, its path exists, and it has a name if its kind has one. */
enum image_fault image_local_guard(const struct image_view *v, uint32_t i);

/* Its path lists it. */
enum image_fault image_cross_guard(const struct image_view *v, uint32_t i);

/* Slots are a power of two; this one is empty or leads to an answer. */
enum image_fault image_local_guard_slot(const struct image_view *v, uint32_t i);

/* As many slots are used as there are answers: no slot leads elsewhere. */
enum image_fault image_whole_guard_slots(const struct image_view *v);

/* Its guard and matches exist, its value is text within the limit. */
enum image_fault image_local_answer(const struct image_view *v, uint32_t i);

/* Its matches name it, in order, and hold only for requests that give it; a lookup finds it. */
enum image_fault image_cross_answer(const struct image_view *v, uint32_t i);

/* The answers list each guarded match once. */
enum image_fault image_whole_answers(const struct image_view *v);

/* It is the index of a match. */
enum image_fault image_local_answer_match(const struct image_view *v, uint32_t i);

/* ---- regular expressions ---- */

/* It has patterns, not too many, and they and its database exist. */
enum image_fault image_local_pattern_set(const struct image_view *v, uint32_t i);

/* Its patterns begin where those of the set before it end; so do its node's sets. */
enum image_fault image_cross_pattern_set(const struct image_view *v, uint32_t i);

/* The sets' patterns end where all patterns end. */
enum image_fault image_whole_pattern_sets(const struct image_view *v);

/* It has a text within the limit, its path exists if it has one. */
enum image_fault image_local_pattern(const struct image_view *v, uint32_t i);

/* It has bytes, and they exist. What they are is Hyperscan's to say. */
enum image_fault image_local_database(const struct image_view *v, uint32_t i);

/* Its bytes begin where those of the one before it end. */
enum image_fault image_cross_database(const struct image_view *v, uint32_t i);

/* The databases' bytes end where all bytes end. */
enum image_fault image_whole_databases(const struct image_view *v);

/* The first set of a host, which is where those of predicates end. */
uint32_t image_first_host_set(const struct image_view *v);

/* Do the labels from `node` up spell `path`, which is empty for a root? */
bool image_is_path_of(const struct image_view *v, uint32_t node, struct slice path);

/* Does a node with IMAGE_NODE_IS_LONE say of its patterns what their set says? */
bool image_is_lone_told(const struct image_view *v, uint32_t node);

/* Can it be a value with an index below `n`? Without a look at what it leads to. */
bool image_is_value_possible(const struct image_value *value, uint32_t n);

/* Says the value of a path what every request that comes there takes, or nothing where that
 * depends on the request? */
bool image_is_path_told(const struct image_view *v, const struct image_value *value);

/* Do the host's sets hang on its nodes and lead to paths of that kind, in the order of patterns? */
enum image_fault image_check_host_sets(const struct image_view *v, const struct image_host *host);

/* ---- filters and their parameters ---- */

/* Its type is known, and it has as many parameters as the type allows. */
enum image_fault image_local_filter(const struct image_view *v, uint32_t i);

/* It sets, adds or removes a field that does not frame a message; name and value are text. */
enum image_fault image_local_header_op(const struct image_view *v, uint32_t i);

/* Status and scheme are possible, its hostname has no wildcard, its path fits the edit. */
enum image_fault image_local_redirect(const struct image_view *v, uint32_t i);

/* Its hostname has no wildcard, its path fits the edit. */
enum image_fault image_local_rewrite(const struct image_view *v, uint32_t i);

/* Its origins exist or are any, its flags are known, what it tells are values within the limit. */
enum image_fault image_local_cors(const struct image_view *v, uint32_t i);

/* It has a scheme, a port and a host, or takes any host. */
enum image_fault image_local_origin(const struct image_view *v, uint32_t i);

/* It has a group with congestion control and balancing, and a share of the requests. */
enum image_fault image_local_mirror(const struct image_view *v, uint32_t i);

/* Its health policy is its group's. */
enum image_fault image_cross_mirror(const struct image_view *v, uint32_t i);

/* Its key and numbers are possible, its names are text. */
enum image_fault image_local_limit(const struct image_view *v, uint32_t i);

/* It names an access that exists. */
enum image_fault image_local_access_use(const struct image_view *v, uint32_t i);

/* Its ranges, passwords and tokens exist, not too many, never both; and its name is text. */
enum image_fault image_local_access(const struct image_view *v, uint32_t i);

/* Its ranges begin where those of the one before it end; both lists are sorted. */
enum image_fault image_cross_access(const struct image_view *v, uint32_t i);

/* The accesses' ranges end where all ranges end. */
enum image_fault image_whole_accesses(const struct image_view *v);

/* Its realm can be told, and its users exist, not too many. */
enum image_fault image_local_basic(const struct image_view *v, uint32_t i);

/* Its users begin where those of the one before it end, and stand in the order of their names. */
enum image_fault image_cross_basic(const struct image_view *v, uint32_t i);

/* The users end where all users end. */
enum image_fault image_whole_basics(const struct image_view *v);

/* It has a name, and a hash that can be asked in bounded time. */
enum image_fault image_local_user(const struct image_view *v, uint32_t i);

/* Its realm can be told, its issuer has a name; its keys and audiences exist, not too many. */
enum image_fault image_local_jwt(const struct image_view *v, uint32_t i);

/* Its keys and audiences begin where those of the one before it end. */
enum image_fault image_cross_jwt(const struct image_view *v, uint32_t i);

/* Keys and audiences end where all of them end. */
enum image_fault image_whole_jwts(const struct image_view *v);

/* It has a length that keys have, and signs by what one key can. */
enum image_fault image_local_jwt_key(const struct image_view *v, uint32_t i);

/* It is a name. */
enum image_fault image_local_jwt_audience(const struct image_view *v, uint32_t i);

/* It is a range of one family. */
enum image_fault image_local_range(const struct image_view *v, uint32_t i);

/* It names an access that exists. */
enum image_fault image_local_gate_use(const struct image_view *v, uint32_t i);

/* Of an access that asks for neither passwords nor tokens. */
enum image_fault image_cross_gate_use(const struct image_view *v, uint32_t i);

/* It has an address, and uses that exist. */
enum image_fault image_local_gate(const struct image_view *v, uint32_t i);

/* It has a name and limits something, by numbers that can be counted. */
enum image_fault image_local_conn_limit(const struct image_view *v, uint32_t i);

/* It comes behind the one before it. */
enum image_fault image_cross_gate(const struct image_view *v, uint32_t i);

/* ---- health of endpoints ---- */

/* Its numbers are possible and go together, its texts are such as its check needs. */
enum image_fault image_local_health(const struct image_view *v, uint32_t i);

/* Its group comes after that of the policy before it. */
enum image_fault image_cross_health(const struct image_view *v, uint32_t i);

/* Is it the policy of the group, and does it speak the protocol that is spoken to that? `health`:
 * its index, or IMAGE_NONE. */
enum image_fault image_check_health_of(const struct image_view *v, uint32_t health, uint32_t group,
                                       uint8_t protocol);

/* Does a filter of the rule replace the matched prefix? Only after the local checks. */
bool image_rule_replaces_prefix(const struct image_view *v, const struct image_rule *rule);
