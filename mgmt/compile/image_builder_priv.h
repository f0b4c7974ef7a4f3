/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to image_builder*.c: one growing array a section, in the layout of the image from the
 * beginning; what needs the whole (matches in order, guards, hash tables) is made by finish.
 *
 *   image_builder.c        life, finish           image_builder_net.c    interfaces, binds
 *   image_builder_store.c  arrays, strings        image_builder_route.c  routes, rules, hostnames
 *   image_builder_trie.c   tries                  image_builder_match.c, _filter.c   of rules
 *   image_builder_hash.c   tables of the image    image_builder_guard.c  of crowded paths
 *   image_builder_pattern.c   regular expressions   image_builder_cors.c, _limit.c   filters
 *   image_builder_session.c   sessions of rules   image_builder_group.c   of endpoint groups
 *   image_builder_access.c   who may ask          image_builder_node.c   nodes, as they lie
 *   image_builder_tls.c   certificates of all sides   image_builder_gate.c  lists before binds
 *   image_builder_clients.c  who has binds of its own
 */
#pragma once

#include "abi/endpoints.h"
#include "compile/image_builder.h"

/* A growing array of entries; `bytes` may move when it grows. */
struct image_vec {
    uint8_t *bytes;
    uint32_t count;
    uint32_t capacity;
    uint32_t entry_size;
    uint32_t count_max;
};

/* An index into a vec, with a part of its key's hash: most keys that differ are told apart by it,
 * and a table that grows need not look at the keys. */
struct image_index_slot {
    uint32_t hash;  /* lower half */
    uint32_t index; /* IMAGE_NONE: free */
};

/* An open hash table of indices into a vec; keys are compared by its user. */
struct image_index {
    struct image_index_slot *slots;
    uint32_t n_slots;
    uint32_t used;
};

/* A match spec as kept: `entry` with path IMAGE_NONE; where it leads is in placements. */
struct builder_match {
    struct image_string path;
    enum image_path_kind path_kind;
    struct image_match entry;
};

/* Match `match` (of the specs) serves path `path`. */
struct builder_placement {
    uint32_t path;
    uint32_t match;
};

/* A condition of a match: an answer to a question (see struct image_guard). */
struct builder_condition {
    uint32_t kind; /* enum image_guard_kind */
    struct image_string name;
    struct image_string value;
    uint32_t match;
    uint32_t rivals; /* matches of the same path that need the same answer */
};

/* A node of a trie, which the image has elsewhere. Nodes stand behind their parents. */
struct builder_node {
    struct image_string label;
    uint32_t parent;  /* IMAGE_NONE: a root */
    uint32_t exact;   /* index of a listener, host or path; IMAGE_NONE: none */
    uint32_t subtree; /* likewise */
    uint32_t first_set;
    uint16_t depth;
    uint8_t kind; /* enum image_node_kind */
    bool has_children;
    uint32_t place; /* by the last image_builder_place_nodes(), as is the hash */
    uint64_t hash;
};

/* A path of a host that is a pattern. */
struct builder_pattern {
    uint32_t host;
    uint32_t node;
    uint32_t way; /* see struct image_pattern */
    uint32_t path;
};

/* A list stands before an address, or before a bind of it. */
struct builder_gate {
    struct ip_addr addr;
    uint16_t port; /* 0: the address */
    bool is_udp;
    uint32_t access;
};

/* A database that the image has, by the bytes that the compiler keeps. */
struct builder_database {
    const void *bytes;
    uint32_t database;
};

struct image_builder {
    int error;                /* final; negative errno */
    image_compile_fn compile; /* NULL: nobody */
    void *compile_arg;
    struct image_vec sections[IMAGE_SECTION_COUNT + 1];
    struct image_vec nodes;         /* struct builder_node; `root` and `node` are indices into it */
    struct image_vec texts;         /* struct image_string: each interned string once */
    struct image_vec matches;       /* struct builder_match */
    struct image_vec placements;    /* struct builder_placement */
    struct image_vec attached;      /* uint32_t for each host: the route that came to it last */
    struct image_vec conditions;    /* struct builder_condition: of the path that gets its guards */
    struct image_vec chosen;        /* struct builder_condition: one for each of its matches */
    struct image_vec patterns;      /* struct builder_pattern: paths of hosts */
    struct image_vec databases;     /* struct builder_database */
    struct image_vec gates;         /* struct builder_gate */
    struct image_index by_pattern;  /* patterns, by host and text */
    struct image_index by_database; /* databases, by bytes */
    struct image_index by_predicate_set; /* the first PATTERN_SETS, by text */
    uint32_t
        n_predicate_sets; /* first in PATTERN_SETS and PATTERNS; the hosts' are made by finish */
    struct image_index by_access;                    /* ACCESSES, by name */
    struct image_index by_conn_limit;                /* CONN_LIMITS, by name */
    struct image_index by_text;                      /* texts */
    struct image_index by_edge;                      /* nodes but roots, by parent and label */
    struct image_index by_bind;                      /* binds */
    struct image_index by_address;                   /* ADDRESSES */
    uint32_t route_first_match;                      /* of the route begun last, in matches */
    uint8_t group_congestion[ENDPOINT_GROUPS_MAX];   /* enum image_congestion */
    uint8_t group_proxy_header[ENDPOINT_GROUPS_MAX]; /* enum image_proxy_header */
    uint8_t group_forwarding[ENDPOINT_GROUPS_MAX];   /* enum image_forwarding */
    uint32_t group_idle_ms[ENDPOINT_GROUPS_MAX];     /* 0: as usual */
    uint8_t group_protocol[ENDPOINT_GROUPS_MAX];     /* enum image_backend_protocol */
    struct image_balance group_balancing[ENDPOINT_GROUPS_MAX]; /* zero: nothing was said */
    uint32_t group_health[ENDPOINT_GROUPS_MAX];                /* in HEALTH; IMAGE_NONE: none */
    uint32_t group_tls[ENDPOINT_GROUPS_MAX];                   /* likewise */
};

/* The array of a section, its entries, and the entry that an index names. */
#define SECTION(b, name) (&(b)->sections[IMAGE_SECTION_##name])
#define ENTRIES(b, name, type) ((type *)(void *)SECTION(b, name)->bytes)

/* A new zeroed entry at the end; NULL: b->error is set. */
void *image_vec_push(struct image_builder *b, struct image_vec *vec);

/* The hash of a key, and whether the entry at `index` has that key. */
struct image_index_key {
    uint64_t hash;
    const void *key;
    bool (*is_equal)(const struct image_builder *b, uint32_t index, const void *key);
};

/* The index of the entry with that key; IMAGE_NONE: there is none. */
uint32_t image_index_find(const struct image_builder *b, const struct image_index *ix,
                          const struct image_index_key *key);

/* Makes it hold `count` zeroed entries and nothing else. False: b->error is set. */
bool image_vec_reset(struct image_builder *b, struct image_vec *vec, uint32_t count);

/* Adds `n` entries at the end. False: b->error is set. */
bool image_vec_append(struct image_builder *b, struct image_vec *vec, const void *entries,
                      uint32_t n);

/* Adds an index whose key is not there. False: no memory, b->error is set. */
bool image_index_add(struct image_builder *b, struct image_index *ix,
                     const struct image_index_key *key, uint32_t index);

/* The string in the image, once however often it is asked for. False: b->error is set. */
bool image_builder_string(struct image_builder *b, struct slice text, struct image_string *ret);

/* The bytes of an interned string, valid until the next is interned. */
struct slice image_builder_text(const struct image_builder *b, struct image_string s);

/* A C string as a slice; NULL is empty. */
static inline struct slice image_arg(const char *text)
{
    return slice_of_str(text == NULL ? "" : text);
}

/* May the C string stand in the image in that use? */
static inline bool image_arg_is(const char *text, enum image_text_kind kind)
{
    struct slice s = image_arg(text);
    return s.len <= IMAGE_STRING_BYTES_MAX && image_is_text(s, kind);
}

/* Can its name and its lists of ranges stand in the image? */
bool image_builder_has_lists(const struct image_access_spec *spec);

/* The entry of a policy or list that can, made if it is not there; IMAGE_NONE: b->error is set. */
uint32_t image_builder_access_entry(struct image_builder *b, const struct image_access_spec *spec);

/* Everybody's bind of an address and port; NULL: there is none. Valid until the next is made. */
struct image_bind *image_builder_find_bind(struct image_builder *b, const struct ip_addr *addr,
                                           uint16_t port, bool is_udp);

/* Everybody's bind at the place of the bind, which is of some clients. */
uint32_t image_builder_all_of(const struct image_builder *b, uint32_t bind);

/* Writes CHOICES, and says of each bind which are its. */
void image_builder_write_choices(struct image_builder *b);

/* Writes GATE_USES and GATES, and says of each bind what stands before it. */
void image_builder_write_gates(struct image_builder *b);

/* Could it stand in the image (image_builder_jwt.c)? */
bool image_builder_is_jwt(const struct image_jwt_spec *jwt);

/* Stores it; returns its index. IMAGE_NONE: it is NULL, or b->error is set. */
uint32_t image_builder_push_jwt(struct image_builder *b, const struct image_jwt_spec *jwt);

/* The route begun last; NULL: none. Valid until the next. */
struct image_route *image_builder_last_route(const struct image_builder *b);

/* The rule begun last; NULL: none. Valid until the next. */
struct image_rule *image_builder_last_rule(const struct image_builder *b);

/* Can the rule begun last take a filter of this type? */
bool image_builder_takes_filter(const struct image_builder *b, enum image_filter_type type);

/* Can the rule begun last take one more entry of a filter that has up to `most` of them? */
bool image_builder_takes_entry(const struct image_builder *b, enum image_filter_type type,
                               uint32_t most);

/* Makes the entry, the last of its section, one of that filter of the rule begun last. */
int image_builder_push_entry(struct image_builder *b, enum image_filter_type type, uint32_t entry);

/* Makes entries that are there already a filter of the rule begun last. */
int image_builder_push_filter(struct image_builder *b, enum image_filter_type type, uint32_t first,
                              uint32_t count);

/* Does a filter of the rule replace the matched prefix? */
bool image_builder_replaces_prefix(const struct image_builder *b, const struct image_rule *rule);

/* A new root of a trie; IMAGE_NONE: b->error is set. */
uint32_t image_builder_root(struct image_builder *b, enum image_node_kind kind);

/* The field of a node where the value of a hostname belongs, in the trie of `root`; nodes are
 * made where they are missing. Valid until the next node. NULL: b->error is set. */
uint32_t *image_builder_host_value(struct image_builder *b, uint32_t root,
                                   struct image_string host);

/* The same for a path. */
uint32_t *image_builder_path_value(struct image_builder *b, uint32_t root, struct image_string path,
                                   enum image_path_kind kind);

/* The node that a path's segments lead to, made if it is not there; IMAGE_NONE: b->error is set. */
uint32_t image_builder_path_node(struct image_builder *b, uint32_t root, struct image_string path);

/* Is the text a pattern, that is, does it compile? Of a path's what is compiled for it. */
bool image_builder_is_pattern(struct image_builder *b, const char *text, bool is_path);

/* The pattern set of a predicate with that pattern, made if it is not there; IMAGE_NONE: b->error
 * is set. */
uint32_t image_builder_predicate_set(struct image_builder *b, struct image_string text);

/* The path of a host's pattern, made if it is not there; IMAGE_NONE: b->error is set. */
uint32_t image_builder_pattern_path(struct image_builder *b, uint32_t host,
                                    struct image_string text);

/* Writes the pattern sets of all hosts; after image_builder_order(). */
int image_builder_patterns(struct image_builder *b);

/* Gives each backend and mirror its group's congestion control, balancing, PROXY header and health
 * policy, after putting the policies in order. */
void image_builder_groups(struct image_builder *b);

/* The node at an index. Valid until the next is made. */
struct builder_node *image_builder_node(const struct image_builder *b, uint32_t index);

/* Gives each node its hash under a seed and a place in NODES. False: one is too far from home. */
bool image_builder_place_nodes(struct image_builder *b, uint64_t seed);

/* How many segments the paths have on average: image_header.path_ahead. */
uint32_t image_builder_path_ahead(const struct image_builder *b);

/* Writes NODES and what PATTERNS lead to; after image_builder_hash(), which placed nodes. */
void image_builder_write_values(struct image_builder *b);

/* What the image's sections say of nodes, which are indices of the builder's, become places. */
void image_builder_name_places(const struct image_builder *b, const struct image_view *image);

/* Writes the hash tables and the seed under which they are good. */
int image_builder_hash(struct image_builder *b, uint64_t *ret_seed);

/* Puts ADDRESSES in the image's order: VIPs behind all others, sorted. */
int image_builder_order_addresses(struct image_builder *b);

/* Writes MATCHES from the placements, and each path's part of them. */
int image_builder_order(struct image_builder *b);

/* Writes the guards of paths with many matches; after image_builder_order(). */
int image_builder_guard(struct image_builder *b);
