/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route image in memory: checked, then read through typed pointers. The bytes themselves are in
 * image_format.h. Pure; thread: any. What trusts the image says so; only image_check() does not.
 */
#pragma once

#include "abi/image_format.h"
#include "base/assert.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why an image was refused: X(NAME, help). */
#define IMAGE_FAULT_LIST(X)                                                                        \
    X(OK, "accepted")                                                                              \
    X(SHORT, "shorter than a header and the section table")                                        \
    X(ALIGNMENT, "the bytes do not begin at a multiple of 8")                                      \
    X(MAGIC, "not a route image")                                                                  \
    X(VERSION, "another version of the format")                                                    \
    X(GENERATION, "generation 0")                                                                  \
    X(LENGTH, "the length in the header is not the number of bytes given, or above the limit")     \
    X(CHECKSUM, "the checksum does not fit")                                                       \
    X(CONTENT_CHECKSUM, "the content checksum does not fit")                                       \
    X(RESERVED, "a reserved field or a gap is not zero")                                           \
    X(SECTION_TYPE, "an unknown, missing, repeated or misplaced section")                          \
    X(SECTION_SIZE, "a section's entries have another size or are too many")                       \
    X(SECTION_OFFSET, "a section does not lie where the one before ends")                          \
    X(STRING, "a string leaves the string section, or is longer than the limit")                   \
    X(TEXT, "a string has bytes that its use forbids")                                             \
    X(INDEX, "a reference leaves the section that it points into")                                 \
    X(VALUE, "a field has a value that it cannot have, by itself or beside another")               \
    X(DUPLICATE, "a thing that must be unique is there twice")                                     \
    X(HASH, "a hash table does not lead to each of its keys, or to something else")                \
    X(TRIE, "a trie's node has a wrong parent, depth or kind")                                     \
    X(DATABASE, "the regular expressions are not for this machine's Hyperscan")                    \
    X(KEYS, "a certificate or its key did not come before it")                                     \
    X(VALUE_KIND, "a trie's value does not belong to it")                                          \
    X(ORDER, "entries are not in order of precedence")                                             \
    X(OWNER, "a list belongs to nobody, to two, or to somebody else")                              \
    X(WEIGHT, "weights are too large or do not add up")

enum image_fault {
#define X(name, help) IMAGE_FAULT_##name,
    IMAGE_FAULT_LIST(X)
#undef X
};

/* What is wrong and where. */
struct image_fault_info {
    enum image_fault fault;
    uint32_t section; /* enum image_section_type; 0: header or section table */
    uint32_t index;   /* of the entry in that section */
    uint64_t offset;  /* of the entry in the image */
};

/*
 * The image as typed pointers: `x` and `n_x` for each section. Borrows the image's bytes. Only of
 * an image that image_check() accepted.
 */
struct image_view {
    const struct image_header *header;
#define X(name, member, type, max, help)                                                           \
    const type *member;                                                                            \
    uint32_t n_##member;
    IMAGE_SECTION_LIST(X)
#undef X
};

/*
 * Checks an image of `len` bytes whole: bounds, lengths, enums, references, order, hash tables,
 * tries, checksums. What it accepts can be used without another look, by every function that takes
 * an image_view. Thread: any; pure. Cost: linear in len. Never reads outside of data[0..len).
 * `ret` (may be NULL) is filled in always, also with OK.
 */
enum image_fault image_check(const void *data, size_t len, struct image_fault_info *ret);

/* Typed pointers into an image that image_check() accepted. O(1). */
void image_view_init(struct image_view *v, const void *data);

/* The bytes of a string of the image. */
static inline struct slice image_text(const struct image_view *v, struct image_string s)
{
    ASSERT_HOT(s.length <= v->n_strings && s.offset <= v->n_strings - s.length);
    return slice_of(v->strings + s.offset, s.length);
}

/* How a host becomes labels: takes the last one off `*rest` (what is before its dot stays). False:
 * none is left; an empty host has none. Begin with image_host_rest(). */
static inline bool image_host_label(struct slice *rest, struct slice *ret)
{
    if (rest->ptr == NULL)
        return false;
    const uint8_t *dot = memrchr(rest->ptr, '.', rest->len);
    size_t skip = dot == NULL ? 0 : (size_t)(dot + 1 - rest->ptr);
    *ret = slice_skip(*rest, skip);
    *rest = dot == NULL ? (struct slice){NULL, 0} : slice_of(rest->ptr, skip - 1);
    return true;
}

/* Where image_host_label() begins. */
static inline struct slice image_host_rest(struct slice host)
{
    return host.len == 0 ? (struct slice){NULL, 0} : host;
}

/* How a path becomes labels: takes the first segment off `*rest`, without its slash. "/" has one,
 * which is empty, "/a/" has two. False: none is left, or (with "*") there never was one. */
static inline bool image_path_label(struct slice *rest, struct slice *ret)
{
    if (rest->len == 0 || rest->ptr[0] != '/')
        return false;
    struct slice behind = slice_skip(*rest, 1);
    const uint8_t *slash = behind.len == 0 ? NULL : memchr(behind.ptr, '/', behind.len);
    size_t len = slash == NULL ? behind.len : (size_t)(slash - behind.ptr);
    *ret = slice_of(behind.ptr, len);
    *rest = slice_skip(behind, len);
    return true;
}

/* Where a section with entries of that size begins, at `end` or behind it. */
static inline size_t image_section_begin(size_t end, uint32_t entry_size)
{
    size_t align = entry_size % (IMAGE_LINE_BYTES / 2) == 0 ? IMAGE_LINE_BYTES : IMAGE_ALIGN;
    return (end + align - 1) & ~(align - 1);
}

/* The checksum that the header should carry, and (through `ret_content`) the other one. `data` has
 * `len` >= 64 bytes. Both begin with the siphash under an all-zero key of the bytes behind the
 * header; this keys the siphash of the header with the fields that are left out zeroed. */
uint64_t image_checksum(const void *data, size_t len, uint64_t *ret_content);

/* Makes both checksums of an image of `len` bytes fit its other bytes: the last step of whoever
 * writes one. */
void image_seal(void *data, size_t len);

/* The hash of what is found by `label` below what has the hash `above` (of a guard: its index). */
uint64_t image_edge_hash(uint64_t hash_seed, uint64_t above, struct slice label);

/* The hash of the root of a host's paths, by the hash of the node that the host is a value of. */
static inline uint64_t image_below_hash(uint64_t hash, bool is_exact)
{
    return hash ^ (is_exact ? 0x9e3779b97f4a7c15 : 0xc2b2ae3d27d4eb4f); /* any two that differ */
}

/* Do we terminate TLS on a listener of this protocol (enum image_protocol)? */
static inline bool image_is_terminated(uint8_t protocol)
{
    return protocol == IMAGE_PROTOCOL_HTTPS || protocol == IMAGE_PROTOCOL_TLS_TERMINATED;
}

/* Do clients speak TLS at a bind of this kind (enum image_bind_kind)? */
static inline bool image_is_tls_bind(uint8_t kind)
{
    return kind == IMAGE_BIND_HTTPS || kind == IMAGE_BIND_TLS;
}

/* Is the bind's port one of UDP? */
static inline bool image_is_udp_bind(uint8_t kind)
{
    return kind == IMAGE_BIND_UDP || kind == IMAGE_BIND_DNS_UDP;
}

/* Which nodes of the host's paths have patterns. */
static inline enum image_host_sets image_host_sets(const struct image_view *v,
                                                   const struct image_host *host)
{
    if (host->n_sets == 0)
        return IMAGE_HOST_SETS_NONE;
    return (v->nodes[host->root].flags & IMAGE_NODE_HAS_SETS) == 0 ? IMAGE_HOST_SETS_BELOW
                                                                   : IMAGE_HOST_SETS_ROOT;
}

/* What a route of that name is known by in every image: a hash that is never 0. */
uint64_t image_route_id(struct slice name);

/* Where to begin to look for a bind. */
uint64_t image_bind_hash(uint64_t hash_seed, const struct ip_addr *addr, uint16_t port,
                         bool is_udp);

/* The child of `parent` by `label`, whose hash that is; IMAGE_NONE: there is none. At most
 * IMAGE_PROBES_MAX probes. */
uint32_t image_node_find(const struct image_view *v, uint32_t parent, struct slice label,
                         uint64_t hash);

/* The place number `i` of those where a node with that hash may stand, in a table of `n`: first two
 * that are one line. */
static inline uint32_t image_node_place(uint64_t hash, uint32_t i, uint32_t n)
{
    return (((uint32_t)hash & ~1u) + i) & (n - 1);
}

/* Asks for the line where a node with that hash most likely is. */
static inline void image_node_prefetch(const struct image_view *v, uint64_t hash)
{
    __builtin_prefetch(&v->nodes[image_node_place(hash, 0, v->n_nodes)]);
}

/* A node's value for what ends there; NULL: it has none. */
static inline const struct image_value *image_node_exact(const struct image_view *v, uint32_t node)
{
    const struct image_node *e = &v->nodes[node];
    return (e->flags & IMAGE_NODE_HAS_EXACT) != 0 ? &e->value : NULL;
}

/* A node's value for what lies below; NULL: it has none. */
static inline const struct image_value *image_node_subtree(const struct image_view *v,
                                                           uint32_t node)
{
    const struct image_node *e = &v->nodes[node];
    if ((e->flags & IMAGE_NODE_HAS_SUBTREE) == 0)
        return NULL;
    return (e->flags & IMAGE_NODE_HAS_EXACT) != 0 ? &v->node_rests[node].subtree : &e->value;
}

/* What a node with IMAGE_NODE_IS_LONE says. */
struct image_lone {
    uint32_t database; /* of its pattern set */
    struct image_value value;
};

static inline struct image_lone image_node_lone(const struct image_node *node)
{
    struct image_lone lone = {.value = node->value};
    memcpy(&lone.database, node->head + IMAGE_LONE_HEAD_BYTES, sizeof(lone.database));
    return lone;
}

/* How much of a label the node itself has. */
static inline uint32_t image_node_head_bytes(const struct image_node *node)
{
    return (node->flags & IMAGE_NODE_IS_LONE) != 0 ? IMAGE_LONE_HEAD_BYTES : IMAGE_HEAD_BYTES;
}

/* The label of a node that has one. */
static inline struct slice image_label(const struct image_view *v, uint32_t node)
{
    return image_text(v,
                      (struct image_string){v->node_rests[node].label, v->nodes[node].label_bytes});
}

/* The answer `value` to a guard; IMAGE_NONE: no match needs it. At most IMAGE_PROBES_MAX probes. */
uint32_t image_answer_find(const struct image_view *v, uint32_t guard, struct slice value);

/* Does it limit something, by numbers that can be counted? */
bool image_is_conn_limit(const struct image_conn_limit *e);

/* What stands before a VIP; NULL: nothing. Cost: O(log n) in the VIPs that have a gate. */
const struct image_gate *image_gate_find(const struct image_view *v, const struct ip_addr *addr);

/* The bind of an address and a port of TCP, or of UDP; IMAGE_NONE: there is none. At most
 * IMAGE_PROBES_MAX probes. */
uint32_t image_bind_find(const struct image_view *v, const struct ip_addr *addr, uint16_t port,
                         bool is_udp);

/* The bind that is the client's at the place of `bind`, which is everybody's: its own, or `bind`.
 * Cost: O(log n) in the clients where some have their own, else none. */
uint32_t image_bind_for(const struct image_view *v, uint32_t bind, const struct ip_addr *client);

/* Are connections of this box to end, because it is drained? */
bool image_is_drained(const struct image_view *v);

/* What bytes a string may have; a class of its own for each use. */
enum image_text_kind {
    IMAGE_TEXT_NAME,        /* printable ASCII and UTF-8 bytes; for logs */
    IMAGE_TEXT_TOKEN,       /* RFC 9110, section 5.6.2 */
    IMAGE_TEXT_TOKEN_LOWER, /* a token without upper case */
    IMAGE_TEXT_VALUE,       /* field value: no control characters but tab, no space at the ends */
    IMAGE_TEXT_HOST,        /* lower case letters, digits, "-._:[]"; "*." may come first */
    IMAGE_TEXT_PATH,        /* begins with '/'; no control characters, space, '?', '#' */
    IMAGE_TEXT_TARGET,      /* the same, but with '?' */
    IMAGE_TEXT_LABEL,       /* of a host or path */
    IMAGE_TEXT_PATTERN,     /* a regular expression: any bytes but NUL */
    IMAGE_TEXT_ANY,         /* any bytes: decoded query parameters */
};

/* Has the text only bytes that are allowed in that use? An empty one is of every kind. Whoever
 * builds an image asks this first: one bad string spoils the whole image. */
bool image_is_text(struct slice text, enum image_text_kind kind);

/* Are the VLAN and MTU possible, whatever the entry's strings and indices? As image_is_text(),
 * for whoever builds. */
bool image_is_interface(const struct image_interface *e);

/* Is it an address that a host can have, with a prefix length of its family (128 for a VIP)? */
bool image_is_address(const struct image_address *e);

/* Has the prefix no bits behind its length, and the gateway, if any, the same family? */
bool image_is_egress(const struct image_egress *e);

/* Does the policy name the status? */
bool image_retry_has(const struct image_retry *retry, uint16_t status);

/* An origin taken apart (RFC 6454, section 7). */
struct image_origin_parts {
    enum image_scheme scheme; /* not KEEP */
    uint16_t port;            /* the scheme's own if none is given; not 0 */
    struct slice host;        /* not empty; IPv6 literals with brackets */
};

/* False: it is none that a web page can have, as "null" is. Schemes are read without case. */
bool image_origin_parse(struct slice origin, struct image_origin_parts *ret);

/* Can a session be carried under that name? A token that browsers keep and no filter or frame of a
 * message claims. */
bool image_is_session_name(struct slice name, enum image_session_kind kind);

/* Can it stand in a cookie, so that it is sent back for these paths only? */
bool image_is_cookie_path(struct slice path);

/* Is the length one of its family, and all behind it zero? */
bool image_is_prefix(const struct image_prefix *e);

/* Is it an address of that prefix, and of its family? "::/0" has no IPv4 address in it. */
static inline bool image_prefix_has(const struct image_prefix *e, const struct ip_addr *addr)
{
    return ip_addr_is_v4(addr) == (e->len >= 96 && ip_addr_is_v4(&e->addr)) &&
           ip_addr_in_prefix(addr, &e->addr, e->len);
}

/* Is it a range of addresses of one family, which says nothing of the other? */
bool image_is_range_of_addrs(const struct image_range *e);

/* Can a browser be told it as the realm of a password (RFC 7617)? Printable ASCII without quotes
 * and backslashes, for those would have to be escaped, and clients differ in that. */
bool image_is_realm(struct slice realm);

/* Can somebody be called so (RFC 7617: no colon, no control characters)? */
bool image_is_user_name(struct slice name);

/* Can a key sign by all of these, and by one at least: RSA's, or one of an elliptic curve? */
bool image_is_jwt_algs(uint32_t algs);

/* Can an issuer or an audience be called so? */
bool image_is_jwt_name(struct slice name);

/* Can tokens name a key so? Empty: they do not. */
bool image_is_jwt_kid(struct slice kid);

/* The order of users by their names, byte by byte: below, at, or above 0. */
int image_user_order(struct slice a, struct slice b);

/* Is it a hash of crypt(3) that keeps a password well, and that is asked in bounded time? bcrypt
 * ($2a$, $2b$, $2y$), SHA-256 ($5$), SHA-512 ($6$), yescrypt ($y$). */
bool image_is_password_hash(struct slice hash);

/* Can a connection have it? */
bool image_is_congestion(uint8_t congestion);

/* Can what is silent be kept so long? */
static inline bool image_is_idle(uint32_t idle_ms)
{
    return idle_ms >= IMAGE_IDLE_MS_MIN && idle_ms <= IMAGE_IDLE_MS_MAX;
}

/* Can a group have it? For whoever builds; `name` need only have its length. */
bool image_is_balance(const struct image_balance *e);

/* Is the status one of a redirect, and the scheme known? */
bool image_is_redirect(const struct image_redirect *e);

/* Are key and numbers of the limit possible, and does its burst come back within
 * IMAGE_LIMIT_FILL_MS_MAX? For whoever builds; `header` need only have its length. */
bool image_is_limit(const struct image_limit *e);

/* Does every request that comes to the match's path fulfil it? */
static inline bool image_is_match_open(const struct image_match *match)
{
    return !match->is_grpc && match->method.length == 0 && match->n_headers == 0 &&
           match->n_queries == 0;
}

/* Do the numbers of the policy go together, as struct image_health tells? For whoever builds; its
 * strings need only have their lengths. */
bool image_is_health(const struct image_health *e);

/* The index of the group's policy; IMAGE_NONE: it has none, as IMAGE_NONE has none. O(log). */
uint32_t image_health_find(const struct image_view *v, uint32_t group);

/* Does a check with that answer pass? */
bool image_health_passes(const struct image_health *e, uint16_t status);

/* Can a server be asked for by that name (SNI)? For whoever builds. */
bool image_is_server_name(struct slice name);

/* Is it a name of that kind (enum image_san_kind)? For whoever builds. */
bool image_is_san(struct slice text, uint32_t kind);

/* Precedence of two matches of a path: below 0 when a comes before b, 0 only for the same. */
int image_match_order(const struct image_match *a, const struct image_match *b);

/* What decides of a route's place. */
struct image_route_key {
    int64_t created_s;
    struct slice name;
    enum image_route_kind kind;
};

/* Precedence of two routes, by age, then name: below 0 when a comes before b, 0 only for the
 * same. */
int image_route_order(const struct image_route_key *a, const struct image_route_key *b);

/* Order of two patterns of a host: longer ones first, then by their bytes; 0 only for the same. */
int image_pattern_order(struct slice a, struct slice b);

/* Is the predicate one about a header (else about a query parameter)? Has it a pattern? */
static inline bool image_is_about_header(uint16_t kind)
{
    return kind == IMAGE_PREDICATE_HEADER || kind == IMAGE_PREDICATE_HEADER_REGEX;
}

static inline bool image_has_pattern(uint16_t kind)
{
    return kind == IMAGE_PREDICATE_HEADER_REGEX || kind == IMAGE_PREDICATE_QUERY_REGEX;
}

/* Does the field frame a message or belong to one connection? Filters may not touch those. */
bool image_is_framing_field(struct slice name);

/* "Cubic" and so on; pure. */
const char *image_congestion_name(enum image_congestion congestion);

/* The one with that name; NONE: there is no such. */
enum image_congestion image_congestion_named(const char *name);

/* "V1" and so on, "" for NONE; pure. */
const char *image_proxy_header_name(enum image_proxy_header header);

/* The one with that name; NONE: there is no such. */
enum image_proxy_header image_proxy_header_named(const char *name);

/* "NAT" and so on; pure. */
const char *image_forwarding_name(enum image_forwarding forwarding);

/* The one with that name; PROXY also where there is no such. */
enum image_forwarding image_forwarding_named(const char *name);

/* "HTTPRoute" and so on; pure. */
const char *image_route_kind_name(enum image_route_kind kind);

/* "HTTP/2" and so on; pure. */
const char *image_backend_protocol_name(enum image_backend_protocol protocol);

/* "RoundRobin" and so on; pure. */
const char *image_balancing_name(enum image_balancing balancing);

/* The one with that name; NONE: there is no such. */
enum image_balancing image_balancing_named(const char *name);

/* "ClientAddress" and so on; pure. */
const char *image_hash_key_name(enum image_hash_key key);

/* The one with that name; NONE: there is no such. */
enum image_hash_key image_hash_key_named(const char *name);

/* "HTTP" and so on; pure. */
const char *image_health_check_name(enum image_health_check check);

/* The one with that name; NONE: there is no such. */
enum image_health_check image_health_check_named(const char *name);

/* "AllowValidOnly" and so on; pure. */
const char *image_client_auth_name(enum image_client_auth auth);

/* The one with that name; NONE: there is no such. */
enum image_client_auth image_client_auth_named(const char *name);

/* "CHECKSUM" and so on; pure. */
const char *image_fault_name(enum image_fault fault);

/* The sentence that explains the fault; pure. */
const char *image_fault_help(enum image_fault fault);

/* "STRINGS" and so on; "HEADER" for 0. */
const char *image_section_name(uint32_t section);
