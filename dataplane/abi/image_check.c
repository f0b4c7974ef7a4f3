/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door that a route image has to pass before a worker sees it: frame first (header, checksums,
 * sections), then each section by the checks in image_check_*.c, in the stages that image_check.h
 * tells. Linear, but for interfaces and their own addresses, whose number is small.
 */
#include "abi/image_check.h"

struct section_size {
    uint32_t entry_size;
    uint32_t count_max;
};

static const struct section_size sizes[IMAGE_SECTION_COUNT + 1] = {
#define X(name, member, type, max, help)                                                           \
    [IMAGE_SECTION_##name] = {.entry_size = sizeof(type), .count_max = (max)},
    IMAGE_SECTION_LIST(X)
#undef X
};

struct section_checks {
    image_entry_check local;
    image_entry_check cross;
    image_whole_check whole;
};

/* A section without a row has no entries of its own to check: STRINGS, DATABASE_BYTES. */
static const struct section_checks checks[IMAGE_SECTION_COUNT + 1] = {
    [IMAGE_SECTION_INTERFACES] = {image_local_interface, NULL, NULL},
    [IMAGE_SECTION_ADDRESSES] = {image_local_address, NULL, NULL},
    [IMAGE_SECTION_EGRESS] = {image_local_egress, NULL, NULL},
    [IMAGE_SECTION_BINDS] = {image_local_bind, image_cross_bind, NULL},
    [IMAGE_SECTION_BIND_SLOTS] = {image_local_bind_slot, NULL, image_whole_bind_slots},
    [IMAGE_SECTION_CHOICES] = {image_local_choice, NULL, image_whole_choices},
    [IMAGE_SECTION_CLIENT_SETS] = {image_local_client_set, NULL, NULL},
    [IMAGE_SECTION_CLIENTS] = {image_local_client, NULL, NULL},
    [IMAGE_SECTION_TRUSTED] = {image_local_trusted, NULL, NULL},
    [IMAGE_SECTION_LISTENERS] = {image_local_listener, image_cross_listener, NULL},
    [IMAGE_SECTION_IDENTITIES] = {image_local_identity, NULL, NULL},
    [IMAGE_SECTION_BUNDLES] = {image_local_bundle, NULL, NULL},
    [IMAGE_SECTION_BACKEND_TLS] = {image_local_backend_tls, image_cross_backend_tls,
                                   image_whole_backend_tls},
    [IMAGE_SECTION_SANS] = {image_local_san, NULL, NULL},
    [IMAGE_SECTION_NODES] = {image_local_node, image_cross_node, NULL},
    [IMAGE_SECTION_NODE_RESTS] = {image_local_node_rest, NULL, NULL},
    [IMAGE_SECTION_HOSTS] = {image_local_host, image_cross_host, image_whole_hosts},
    [IMAGE_SECTION_PATHS] = {image_local_path, image_cross_path, image_whole_paths},
    [IMAGE_SECTION_MATCHES] = {image_local_match, image_cross_match, NULL},
    [IMAGE_SECTION_PREDICATES] = {image_local_predicate, image_cross_predicate, NULL},
    [IMAGE_SECTION_GUARDS] = {image_local_guard, image_cross_guard, NULL},
    [IMAGE_SECTION_GUARD_SLOTS] = {image_local_guard_slot, NULL, image_whole_guard_slots},
    [IMAGE_SECTION_ANSWERS] = {image_local_answer, image_cross_answer, image_whole_answers},
    [IMAGE_SECTION_ANSWER_MATCHES] = {image_local_answer_match, NULL, NULL},
    [IMAGE_SECTION_RULES] = {image_local_rule, image_cross_rule, NULL},
    [IMAGE_SECTION_RETRIES] = {image_local_retry, NULL, NULL},
    [IMAGE_SECTION_PERSISTENCE] = {image_local_persistence, NULL, NULL},
    [IMAGE_SECTION_FILTERS] = {image_local_filter, NULL, NULL},
    [IMAGE_SECTION_HEADER_OPS] = {image_local_header_op, NULL, NULL},
    [IMAGE_SECTION_REDIRECTS] = {image_local_redirect, NULL, NULL},
    [IMAGE_SECTION_REWRITES] = {image_local_rewrite, NULL, NULL},
    [IMAGE_SECTION_CORS] = {image_local_cors, NULL, NULL},
    [IMAGE_SECTION_ORIGINS] = {image_local_origin, NULL, NULL},
    [IMAGE_SECTION_MIRRORS] = {image_local_mirror, image_cross_mirror, NULL},
    [IMAGE_SECTION_LIMITS] = {image_local_limit, NULL, NULL},
    [IMAGE_SECTION_ACCESS_USES] = {image_local_access_use, NULL, NULL},
    [IMAGE_SECTION_ACCESSES] = {image_local_access, image_cross_access, image_whole_accesses},
    [IMAGE_SECTION_BASICS] = {image_local_basic, image_cross_basic, image_whole_basics},
    [IMAGE_SECTION_USERS] = {image_local_user, NULL, NULL},
    [IMAGE_SECTION_JWTS] = {image_local_jwt, image_cross_jwt, image_whole_jwts},
    [IMAGE_SECTION_JWT_KEYS] = {image_local_jwt_key, NULL, NULL},
    [IMAGE_SECTION_JWT_AUDIENCES] = {image_local_jwt_audience, NULL, NULL},
    [IMAGE_SECTION_RANGES] = {image_local_range, NULL, NULL},
    [IMAGE_SECTION_GATE_USES] = {image_local_gate_use, image_cross_gate_use, NULL},
    [IMAGE_SECTION_GATES] = {image_local_gate, image_cross_gate, NULL},
    [IMAGE_SECTION_CONN_LIMITS] = {image_local_conn_limit, NULL, NULL},
    [IMAGE_SECTION_BACKENDS] = {image_local_backend, image_cross_backend, image_whole_backends},
    [IMAGE_SECTION_HEALTH] = {image_local_health, image_cross_health, NULL},
    [IMAGE_SECTION_ROUTES] = {image_local_route, image_cross_route, image_whole_routes},
    [IMAGE_SECTION_PATTERN_SETS] = {image_local_pattern_set, image_cross_pattern_set,
                                    image_whole_pattern_sets},
    [IMAGE_SECTION_PATTERNS] = {image_local_pattern, NULL, NULL},
    [IMAGE_SECTION_DATABASES] = {image_local_database, image_cross_database, image_whole_databases},
};

static enum image_fault check_header(const void *data, size_t len)
{
    const struct image_header *h = data;
    if (len < sizeof(*h) + IMAGE_SECTION_COUNT * sizeof(struct image_section))
        return IMAGE_FAULT_SHORT;
    if ((uintptr_t)data % IMAGE_ALIGN != 0)
        return IMAGE_FAULT_ALIGNMENT;
    if (h->magic != IMAGE_MAGIC)
        return IMAGE_FAULT_MAGIC;
    if (h->version != IMAGE_VERSION)
        return IMAGE_FAULT_VERSION;
    if (h->length != len || len > IMAGE_BYTES_MAX)
        return IMAGE_FAULT_LENGTH;
    uint64_t content;
    if (image_checksum(data, len, &content) != h->checksum)
        return IMAGE_FAULT_CHECKSUM;
    if (content != h->content_checksum)
        return IMAGE_FAULT_CONTENT_CHECKSUM;
    if (h->generation == 0)
        return IMAGE_FAULT_GENERATION;
    if (h->n_sections != IMAGE_SECTION_COUNT)
        return IMAGE_FAULT_SECTION_TYPE;
    if (h->path_ahead > IMAGE_PATH_AHEAD_MAX)
        return IMAGE_FAULT_VALUE;
    return (h->reserved[0] | h->reserved[1]) != 0 ? IMAGE_FAULT_RESERVED : IMAGE_FAULT_OK;
}

/* The bytes from `from` up to `to`, less than IMAGE_LINE_BYTES of them. */
static bool is_gap_zero(const uint8_t *bytes, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

static enum image_fault check_section(const uint8_t *bytes, size_t len, uint32_t type, size_t *end)
{
    const struct image_section *s = (const void *)(bytes + sizeof(struct image_header));
    s += type - 1;
    if (s->type != type)
        return IMAGE_FAULT_SECTION_TYPE;
    if (s->entry_size != sizes[type].entry_size || s->count > sizes[type].count_max)
        return IMAGE_FAULT_SECTION_SIZE;
    size_t offset = image_section_begin(*end, s->entry_size);
    uint64_t size = (uint64_t)s->entry_size * s->count;
    if (s->offset != offset || offset > len || size > len - offset)
        return IMAGE_FAULT_SECTION_OFFSET;
    if (!is_gap_zero(bytes, *end, offset))
        return IMAGE_FAULT_RESERVED;
    *end = offset + (size_t)size;
    return IMAGE_FAULT_OK;
}

/* Stage 1. Afterwards image_view_init() may be called. */
static enum image_fault check_frame(const void *data, size_t len, struct image_fault_info *info)
{
    enum image_fault fault = check_header(data, len);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    size_t end = sizeof(struct image_header) + IMAGE_SECTION_COUNT * sizeof(struct image_section);
    for (uint32_t type = 1; type <= IMAGE_SECTION_COUNT; type++) {
        fault = check_section(data, len, type, &end);
        if (fault != IMAGE_FAULT_OK) {
            info->index = type - 1;
            info->offset = sizeof(struct image_header) + (type - 1) * sizeof(struct image_section);
            return fault;
        }
    }
    size_t rounded = (end + IMAGE_ALIGN - 1) & ~(size_t)(IMAGE_ALIGN - 1);
    if (rounded != len)
        return IMAGE_FAULT_LENGTH;
    return is_gap_zero(data, end, len) ? IMAGE_FAULT_OK : IMAGE_FAULT_RESERVED;
}

static enum image_fault check_entries(const struct image_view *v, uint32_t type,
                                      image_entry_check check, struct image_fault_info *info)
{
    const struct image_section *s = (const void *)(v->header + 1);
    s += type - 1;
    for (uint32_t i = 0; check != NULL && i < s->count; i++) {
        enum image_fault fault = check(v, i);
        if (fault != IMAGE_FAULT_OK) {
            info->section = type;
            info->index = i;
            info->offset = s->offset + (uint64_t)i * s->entry_size;
            return fault;
        }
    }
    return IMAGE_FAULT_OK;
}

static enum image_fault check_whole(const struct image_view *v, uint32_t type,
                                    struct image_fault_info *info)
{
    const struct image_section *s = (const void *)(v->header + 1);
    enum image_fault fault = checks[type].whole == NULL ? IMAGE_FAULT_OK : checks[type].whole(v);
    if (fault != IMAGE_FAULT_OK) {
        info->section = type;
        info->offset = s[type - 1].offset;
    }
    return fault;
}

/* Stages 2 to 4. */
static enum image_fault check_sections(const struct image_view *v, struct image_fault_info *info)
{
    enum image_fault fault = IMAGE_FAULT_OK;
    for (uint32_t type = 1; type <= IMAGE_SECTION_COUNT && fault == IMAGE_FAULT_OK; type++)
        fault = check_entries(v, type, checks[type].local, info);
    for (uint32_t type = 1; type <= IMAGE_SECTION_COUNT && fault == IMAGE_FAULT_OK; type++)
        fault = check_entries(v, type, checks[type].cross, info);
    for (uint32_t type = 1; type <= IMAGE_SECTION_COUNT && fault == IMAGE_FAULT_OK; type++)
        fault = check_whole(v, type, info);
    return fault;
}

enum image_fault image_check(const void *data, size_t len, struct image_fault_info *ret)
{
    struct image_fault_info info = {.fault = IMAGE_FAULT_OK};
    info.fault = check_frame(data, len, &info);
    if (info.fault == IMAGE_FAULT_OK) {
        struct image_view v;
        image_view_init(&v, data);
        info.fault = check_sections(&v, &info);
    }
    if (ret != NULL)
        *ret = info;
    return info.fault;
}
