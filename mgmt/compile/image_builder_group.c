/* SPDX-License-Identifier: Apache-2.0 */
/* What the builder knows of endpoint groups, whose backends and mirrors all say the same. */
#include "compile/image_builder_priv.h"

#include <errno.h>
#include <stdlib.h>

int image_builder_group_congestion(struct image_builder *b, uint32_t group,
                                   enum image_congestion congestion)
{
    if (group >= ENDPOINT_GROUPS_MAX || !image_is_congestion((uint8_t)congestion))
        return -EINVAL;
    b->group_congestion[group] = (uint8_t)congestion;
    return 0;
}

int image_builder_group_balancing(struct image_builder *b, uint32_t group,
                                  const struct image_balance_spec *spec)
{
    struct image_balance entry = {.way = (uint8_t)spec->way,
                                  .hash_key = (uint8_t)spec->hash_key,
                                  .name.length = (uint32_t)image_arg(spec->name).len};
    bool is_header = spec->hash_key == IMAGE_HASH_KEY_HEADER;
    if (group >= ENDPOINT_GROUPS_MAX || !image_is_balance(&entry) ||
        !image_arg_is(spec->name, is_header ? IMAGE_TEXT_TOKEN_LOWER : IMAGE_TEXT_TOKEN))
        return -EINVAL;
    if (!image_builder_string(b, image_arg(spec->name), &entry.name))
        return b->error;
    b->group_balancing[group] = entry;
    return 0;
}

static struct image_balance balance_of(const struct image_builder *b, uint32_t group)
{
    const struct image_balance *said = &b->group_balancing[group];
    return said->way != IMAGE_BALANCING_NONE ? *said
                                             : (struct image_balance){.way = IMAGE_BALANCING_LEAST};
}

int image_builder_group_proxy_header(struct image_builder *b, uint32_t group,
                                     enum image_proxy_header header)
{
    if (group >= ENDPOINT_GROUPS_MAX || (unsigned)header >= IMAGE_PROXY_HEADERS)
        return -EINVAL;
    b->group_proxy_header[group] = (uint8_t)header;
    return 0;
}

int image_builder_group_protocol(struct image_builder *b, uint32_t group,
                                 enum image_backend_protocol protocol)
{
    if (group >= ENDPOINT_GROUPS_MAX || (unsigned)protocol >= IMAGE_BACKEND_PROTOCOLS)
        return -EINVAL;
    b->group_protocol[group] = (uint8_t)protocol;
    return 0;
}

int image_builder_group_forwarding(struct image_builder *b, uint32_t group,
                                   enum image_forwarding forwarding)
{
    if (group >= ENDPOINT_GROUPS_MAX || (unsigned)forwarding >= IMAGE_FORWARDINGS)
        return -EINVAL;
    b->group_forwarding[group] = (uint8_t)forwarding;
    return 0;
}

int image_builder_group_idle(struct image_builder *b, uint32_t group, uint32_t idle_ms)
{
    if (group >= ENDPOINT_GROUPS_MAX || (idle_ms != 0 && !image_is_idle(idle_ms)))
        return -EINVAL;
    b->group_idle_ms[group] = idle_ms;
    return 0;
}

/* Who has to begin with a header, or with TLS, needs a connection of ours. */
static uint8_t forwarding_of(const struct image_builder *b, uint32_t group)
{
    bool is_ours = b->group_proxy_header[group] != IMAGE_PROXY_HEADER_NONE ||
                   b->group_tls[group] != IMAGE_NONE;
    return is_ours ? IMAGE_FORWARDING_PROXY : b->group_forwarding[group];
}

/* What image_check() will ask of it; `numbers` have the lengths of the strings by now. */
static bool is_good_health(const struct image_health_spec *spec, const struct image_health *numbers)
{
    struct slice host = image_arg(spec->host);
    return image_is_health(numbers) && image_arg_is(spec->name, IMAGE_TEXT_NAME) &&
           image_arg_is(spec->host, IMAGE_TEXT_HOST) && (host.len == 0 || host.ptr[0] != '*') &&
           image_arg_is(spec->path, IMAGE_TEXT_TARGET) &&
           image_arg_is(spec->service, IMAGE_TEXT_NAME);
}

int image_builder_group_health(struct image_builder *b, uint32_t group,
                               const struct image_health_spec *spec)
{
    struct image_health entry = spec->numbers;
    entry.group = group;
    entry.host.length = (uint32_t)image_arg(spec->host).len;
    entry.path.length = (uint32_t)image_arg(spec->path).len;
    entry.service.length = (uint32_t)image_arg(spec->service).len;
    if (group >= ENDPOINT_GROUPS_MAX || !is_good_health(spec, &entry))
        return -EINVAL;
    if (b->group_health[group] != IMAGE_NONE)
        return -EEXIST;
    struct image_health *e = NULL;
    if (image_builder_string(b, image_arg(spec->name), &entry.name) &&
        image_builder_string(b, image_arg(spec->host), &entry.host) &&
        image_builder_string(b, image_arg(spec->path), &entry.path) &&
        image_builder_string(b, image_arg(spec->service), &entry.service))
        e = image_vec_push(b, SECTION(b, HEALTH));
    if (e == NULL)
        return b->error;
    *e = entry;
    b->group_health[group] = SECTION(b, HEALTH)->count - 1;
    return 0;
}

static int compare_health(const void *x, const void *y)
{
    const struct image_health *a = x, *b = y;
    return a->group < b->group ? -1 : a->group > b->group;
}

static void order_health(struct image_builder *b)
{
    struct image_health *health = ENTRIES(b, HEALTH, struct image_health);
    uint32_t n = SECTION(b, HEALTH)->count;
    if (n > 0)
        qsort(health, n, sizeof(*health), compare_health);
    for (uint32_t i = 0; i < n; i++) {
        b->group_health[health[i].group] = i;
        health[i].tls = b->group_tls[health[i].group];
        health[i].protocol = b->group_protocol[health[i].group];
    }
}

void image_builder_groups(struct image_builder *b)
{
    order_health(b);
    struct image_backend *backends = ENTRIES(b, BACKENDS, struct image_backend);
    for (uint32_t i = 0; i < SECTION(b, BACKENDS)->count; i++) {
        if (backends[i].group == IMAGE_NONE)
            continue;
        backends[i].congestion = b->group_congestion[backends[i].group];
        backends[i].balancing = balance_of(b, backends[i].group);
        backends[i].proxy_header = b->group_proxy_header[backends[i].group];
        backends[i].protocol = b->group_protocol[backends[i].group];
        backends[i].forwarding = forwarding_of(b, backends[i].group);
        backends[i].health = b->group_health[backends[i].group];
        backends[i].tls = b->group_tls[backends[i].group];
        backends[i].idle_ms = b->group_idle_ms[backends[i].group];
    }
    struct image_mirror *mirrors = ENTRIES(b, MIRRORS, struct image_mirror);
    for (uint32_t i = 0; i < SECTION(b, MIRRORS)->count; i++) {
        mirrors[i].congestion = b->group_congestion[mirrors[i].group];
        mirrors[i].balancing = balance_of(b, mirrors[i].group);
        mirrors[i].proxy_header = b->group_proxy_header[mirrors[i].group];
        mirrors[i].protocol = b->group_protocol[mirrors[i].group];
        mirrors[i].health = b->group_health[mirrors[i].group];
        mirrors[i].tls = b->group_tls[mirrors[i].group];
    }
}
