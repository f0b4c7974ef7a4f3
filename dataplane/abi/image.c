/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a route image: names, checksums, typed pointers, and the hash lookups on which
 * matching stands. Pure; thread: any. Everything here but image_checksum() trusts image_check().
 */
#include "abi/image.h"

#include "base/assert.h"
#include "base/names.h"
#include "base/siphash.h"

static const char *const fault_names[] = {IMAGE_FAULT_LIST(X_NAME)};

static const char *const fault_helps[] = {IMAGE_FAULT_LIST(X_TEXT)};

static const char *const congestion_names[] = {IMAGE_CONGESTION_LIST(X_TEXT)};
static const char *const proxy_header_names[] = {IMAGE_PROXY_HEADER_LIST(X_TEXT)};
static const char *const forwarding_names[] = {IMAGE_FORWARDING_LIST(X_TEXT)};
static const char *const route_kind_names[] = {IMAGE_ROUTE_KIND_LIST(X_TEXT)};
static const char *const backend_protocol_names[] = {IMAGE_BACKEND_PROTOCOL_LIST(X_TEXT)};

static const char *const balancing_names[] = {IMAGE_BALANCING_LIST(X_TEXT)};
static const char *const hash_key_names[] = {IMAGE_HASH_KEY_LIST(X_TEXT)};

static const char *const health_check_names[] = {IMAGE_HEALTH_CHECK_LIST(X_TEXT)};
static const char *const client_auth_names[] = {IMAGE_CLIENT_AUTH_LIST(X_TEXT)};

static const char *const section_names[] = {"HEADER",
#define X(name, member, type, max, help) #name,
                                            IMAGE_SECTION_LIST(X)
#undef X
};

#define FAULT_COUNT (sizeof(fault_names) / sizeof(fault_names[0]))

const char *image_fault_name(enum image_fault fault)
{
    ASSERT((unsigned)fault < FAULT_COUNT);
    return fault_names[fault];
}

const char *image_fault_help(enum image_fault fault)
{
    ASSERT((unsigned)fault < FAULT_COUNT);
    return fault_helps[fault];
}

bool image_retry_has(const struct image_retry *retry, uint16_t status)
{
    if (status < IMAGE_RETRY_CODE_MIN || status > IMAGE_RETRY_CODE_MAX)
        return false;
    unsigned bit = status - IMAGE_RETRY_CODE_MIN;
    return (retry->codes[bit / 8] >> bit % 8 & 1) != 0;
}

static_assert(IMAGE_CONGESTION_NONE == 0 && IMAGE_BALANCING_NONE == 0 && IMAGE_HASH_KEY_NONE == 0 &&
                  IMAGE_HEALTH_CHECK_NONE == 0 && IMAGE_PROXY_HEADER_NONE == 0,
              "no name is number 0");

/* The number of the name; 0: there is no such. */
static unsigned find_name(const char *const *names, unsigned n, const char *name)
{
    for (unsigned i = 1; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return 0;
}

bool image_is_congestion(uint8_t congestion)
{
    return congestion > IMAGE_CONGESTION_NONE && congestion < IMAGE_CONGESTIONS;
}

const char *image_congestion_name(enum image_congestion congestion)
{
    ASSERT((unsigned)congestion < IMAGE_CONGESTIONS);
    return congestion_names[congestion];
}

enum image_congestion image_congestion_named(const char *name)
{
    return (enum image_congestion)find_name(congestion_names, IMAGE_CONGESTIONS, name);
}

const char *image_proxy_header_name(enum image_proxy_header header)
{
    ASSERT((unsigned)header < IMAGE_PROXY_HEADERS);
    return proxy_header_names[header];
}

enum image_proxy_header image_proxy_header_named(const char *name)
{
    return (enum image_proxy_header)find_name(proxy_header_names, IMAGE_PROXY_HEADERS, name);
}

const char *image_forwarding_name(enum image_forwarding forwarding)
{
    ASSERT((unsigned)forwarding < IMAGE_FORWARDINGS);
    return forwarding_names[forwarding];
}

enum image_forwarding image_forwarding_named(const char *name)
{
    return (enum image_forwarding)find_name(forwarding_names, IMAGE_FORWARDINGS, name);
}

const char *image_backend_protocol_name(enum image_backend_protocol protocol)
{
    ASSERT((unsigned)protocol < IMAGE_BACKEND_PROTOCOLS);
    return backend_protocol_names[protocol];
}

const char *image_route_kind_name(enum image_route_kind kind)
{
    ASSERT((unsigned)kind < IMAGE_ROUTE_KINDS);
    return route_kind_names[kind];
}

const char *image_balancing_name(enum image_balancing balancing)
{
    ASSERT((unsigned)balancing < IMAGE_BALANCINGS);
    return balancing_names[balancing];
}

enum image_balancing image_balancing_named(const char *name)
{
    return (enum image_balancing)find_name(balancing_names, IMAGE_BALANCINGS, name);
}

const char *image_hash_key_name(enum image_hash_key key)
{
    ASSERT((unsigned)key < IMAGE_HASH_KEYS);
    return hash_key_names[key];
}

enum image_hash_key image_hash_key_named(const char *name)
{
    return (enum image_hash_key)find_name(hash_key_names, IMAGE_HASH_KEYS, name);
}

const char *image_health_check_name(enum image_health_check check)
{
    ASSERT((unsigned)check < IMAGE_HEALTH_CHECKS);
    return health_check_names[check];
}

enum image_health_check image_health_check_named(const char *name)
{
    return (enum image_health_check)find_name(health_check_names, IMAGE_HEALTH_CHECKS, name);
}

const char *image_client_auth_name(enum image_client_auth auth)
{
    ASSERT((unsigned)auth < IMAGE_CLIENT_AUTHS);
    return client_auth_names[auth];
}

enum image_client_auth image_client_auth_named(const char *name)
{
    return (enum image_client_auth)find_name(client_auth_names, IMAGE_CLIENT_AUTHS, name);
}

const char *image_section_name(uint32_t section)
{
    ASSERT(section <= IMAGE_SECTION_COUNT);
    return section_names[section];
}

/* The hash of what is behind the header, which keys the header's. */
static struct siphash_key key_of(const void *data, size_t len)
{
    size_t skip = sizeof(struct image_header);
    ASSERT(len >= skip);
    const uint8_t *behind = (const uint8_t *)data + skip;
    return (struct siphash_key){siphash(&(struct siphash_key){0, 0}, behind, len - skip), 0};
}

static uint64_t checksum_under(const struct siphash_key *key, const void *header,
                               uint64_t *ret_content)
{
    struct image_header h;
    memcpy(&h, header, sizeof(h));
    h.checksum = 0;
    uint64_t all = siphash(key, &h, sizeof(h));
    h.generation = 0;
    h.content_checksum = 0;
    *ret_content = siphash(key, &h, sizeof(h));
    return all;
}

uint64_t image_checksum(const void *data, size_t len, uint64_t *ret_content)
{
    struct siphash_key key = key_of(data, len);
    return checksum_under(&key, data, ret_content);
}

void image_seal(void *data, size_t len)
{
    struct image_header *h = data;
    struct siphash_key key = key_of(data, len); /* once: it is nearly all of the work */
    uint64_t content;
    checksum_under(&key, data, &h->content_checksum);
    h->checksum = checksum_under(&key, data, &content); /* covers the content checksum, too */
    ASSERT(content == h->content_checksum);
}

void image_view_init(struct image_view *v, const void *data)
{
    const uint8_t *bytes = data;
    const struct image_header *h = data;
    const struct image_section *sections = (const void *)(bytes + sizeof(*h));
    ASSERT(h->magic == IMAGE_MAGIC && h->n_sections == IMAGE_SECTION_COUNT);
    v->header = h;
#define X(name, member, type, max, help)                                                           \
    v->member = (const void *)(bytes + sections[IMAGE_SECTION_##name - 1].offset);                 \
    v->n_##member = sections[IMAGE_SECTION_##name - 1].count;
    IMAGE_SECTION_LIST(X)
#undef X
}

uint64_t image_edge_hash(uint64_t hash_seed, uint64_t above, struct slice label)
{
    struct siphash_key key = {hash_seed, above};
    return siphash(&key, label.ptr, label.len);
}

uint64_t image_route_id(struct slice name)
{
    uint64_t id = siphash(&(struct siphash_key){0, 0}, name.ptr, name.len);
    return id != 0 ? id : 1;
}

uint64_t image_bind_hash(uint64_t hash_seed, const struct ip_addr *addr, uint16_t port, bool is_udp)
{
    struct siphash_key key = {hash_seed, (1ULL + is_udp) << 32 | port};
    return siphash(&key, addr->bytes, sizeof(addr->bytes));
}

/* A short label is all in the node. */
static bool is_label(const struct image_view *v, uint32_t place, struct slice label)
{
    const struct image_node *node = &v->nodes[place];
    if (node->label_bytes != label.len)
        return false;
    if (label.len <= image_node_head_bytes(node))
        return label.len == 0 || memcmp(node->head, label.ptr, label.len) == 0;
    return memcmp(node->head, label.ptr, image_node_head_bytes(node)) == 0 &&
           slice_eq(image_label(v, place), label);
}

uint32_t image_node_find(const struct image_view *v, uint32_t parent, struct slice label,
                         uint64_t hash)
{
    ASSERT_HOT(v->n_nodes != 0 && (v->n_nodes & (v->n_nodes - 1)) == 0);
    for (uint32_t i = 0; i < IMAGE_PROBES_MAX; i++) {
        uint32_t place = image_node_place(hash, i, v->n_nodes);
        const struct image_node *node = &v->nodes[place];
        if (node->kind == 0)
            return IMAGE_NONE;
        if (node->parent == parent && is_label(v, place, label))
            return place;
    }
    return IMAGE_NONE;
}

uint32_t image_answer_find(const struct image_view *v, uint32_t guard, struct slice value)
{
    if (v->n_guard_slots == 0)
        return IMAGE_NONE;
    uint64_t hash = image_edge_hash(v->header->hash_seed, guard, value);
    uint32_t mask = v->n_guard_slots - 1;
    ASSERT_HOT((v->n_guard_slots & mask) == 0 && guard < v->n_guards);
    for (uint32_t i = 0; i < IMAGE_PROBES_MAX; i++) {
        const struct image_slot *slot = &v->guard_slots[((uint32_t)hash + i) & mask];
        if (slot->node == IMAGE_NONE)
            return IMAGE_NONE;
        if (slot->tag != (uint32_t)(hash >> 32))
            continue;
        const struct image_answer *answer = &v->answers[slot->node];
        if (answer->guard == guard && slice_eq(image_text(v, answer->value), value))
            return slot->node;
    }
    return IMAGE_NONE;
}

uint32_t image_bind_find(const struct image_view *v, const struct ip_addr *addr, uint16_t port,
                         bool is_udp)
{
    if (v->n_bind_slots == 0)
        return IMAGE_NONE;
    uint64_t hash = image_bind_hash(v->header->hash_seed, addr, port, is_udp);
    uint32_t mask = v->n_bind_slots - 1;
    ASSERT_HOT((v->n_bind_slots & mask) == 0);
    for (uint32_t i = 0; i < IMAGE_PROBES_MAX; i++) {
        uint32_t bind = v->bind_slots[((uint32_t)hash + i) & mask];
        if (bind == IMAGE_NONE)
            return IMAGE_NONE;
        const struct image_bind *b = &v->binds[bind];
        if (b->port == port && image_is_udp_bind(b->kind) == is_udp && ip_addr_eq(&b->addr, addr))
            return bind;
    }
    return IMAGE_NONE;
}

/* The set that the client is in; IMAGE_NONE: none. */
static uint32_t set_of_client(const struct image_view *v, const struct ip_addr *client)
{
    uint32_t low = 0, high = v->n_clients;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = memcmp(v->clients[middle].addr.bytes, client->bytes, sizeof(client->bytes));
        if (order == 0)
            return v->clients[middle].set;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return IMAGE_NONE;
}

uint32_t image_bind_for(const struct image_view *v, uint32_t bind, const struct ip_addr *client)
{
    ASSERT_HOT(bind < v->n_binds);
    const struct image_bind *e = &v->binds[bind];
    if (e->n_choices == 0)
        return bind;
    uint32_t set = set_of_client(v, client);
    uint32_t low = e->first_choice, high = e->first_choice + e->n_choices;
    while (set != IMAGE_NONE && low < high) {
        uint32_t middle = low + (high - low) / 2;
        uint32_t found = v->binds[v->choices[middle]].set;
        if (found == set)
            return v->choices[middle];
        if (found < set)
            low = middle + 1;
        else
            high = middle;
    }
    return bind;
}

bool image_is_drained(const struct image_view *v)
{
    for (uint32_t i = 0; i < v->n_interfaces; i++) {
        const struct ip_addr *drained = &v->interfaces[i].drained;
        for (uint32_t k = 0; k < v->n_addresses && !ip_addr_is_zero(drained); k++) {
            if (!v->addresses[k].is_vip && ip_addr_eq(&v->addresses[k].addr, drained))
                return true;
        }
    }
    return false;
}

const struct image_gate *image_gate_find(const struct image_view *v, const struct ip_addr *addr)
{
    uint32_t low = 0, high = v->n_gates;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(v->gates[middle].addr.bytes, addr->bytes, sizeof(addr->bytes)) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool is_there = low < v->n_gates && ip_addr_eq(&v->gates[low].addr, addr);
    return is_there ? &v->gates[low] : NULL;
}

int image_match_order(const struct image_match *a, const struct image_match *b)
{
    int by_method = (b->method.length != 0) - (a->method.length != 0);
    if (by_method != 0)
        return by_method;
    if (a->n_headers != b->n_headers)
        return b->n_headers - a->n_headers;
    if (a->n_queries != b->n_queries)
        return b->n_queries - a->n_queries;
    if (a->rule != b->rule)
        return a->rule < b->rule ? -1 : 1;
    return a->index - b->index;
}

int image_pattern_order(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return a.len > b.len ? -1 : 1;
    return a.len == 0 ? 0 : memcmp(a.ptr, b.ptr, a.len);
}

int image_route_order(const struct image_route_key *a, const struct image_route_key *b)
{
    if (a->created_s != b->created_s)
        return a->created_s < b->created_s ? -1 : 1;
    size_t len = a->name.len < b->name.len ? a->name.len : b->name.len;
    int order = len == 0 ? 0 : memcmp(a->name.ptr, b->name.ptr, len);
    if (order != 0)
        return order;
    if (a->name.len != b->name.len)
        return a->name.len < b->name.len ? -1 : 1;
    return (int)a->kind - (int)b->kind;
}
