/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to a route image: with the checksum left alone every change is refused; with the checksum
 * made right again a change is refused by what it breaks, or it breaks nothing. */
#include "abi/image.h"
#include "base/container.h"
#include "base/rng.h"
#include "sample_image.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static struct image_header *header_of(void *data)
{
    return data;
}

/* A copy that ends where its heap block ends, so that the sanitizer sees the byte behind it. */
static void *copy_of(const void *data, size_t len)
{
    void *copy = malloc(len);
    REQUIRE(copy != NULL);
    memcpy(copy, data, len);
    return copy;
}

TEST(a_built_image_is_accepted_and_names_its_content)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_fault_info info;
    CHECK_STR(image_fault_name(image_check(data, len, &info)), "OK");
    struct image_view v;
    image_view_init(&v, data);
    CHECK_EQ(v.header->generation, 7);
    CHECK_EQ(v.n_interfaces, 2);
    CHECK_EQ(v.n_addresses, 4);
    CHECK_EQ(v.n_binds, 5);
    CHECK_EQ(v.n_identities, 3);
    CHECK_EQ(v.n_routes, 5);
    CHECK_EQ(v.n_rules, 6);
    CHECK_EQ(v.n_pattern_sets, 6); /* of a header, of a query parameter, two of two hosts */
    CHECK_EQ(v.n_patterns, 8);
    CHECK_EQ(v.n_databases, 4);
    CHECK_EQ(v.n_guards, 5); /* one of each kind */
    CHECK(slice_eq(image_text(&v, v.routes[1].name), SLICE_LIT("b/rest")));
    use_image(data);
    free(data);
}

TEST(vips_stand_behind_own_addresses_in_order_and_each_once)
{
    size_t len;
    uint32_t section;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    const struct image_address *all = v.addresses;
    CHECK(!all[0].is_vip && !all[1].is_vip && all[2].is_vip && all[3].is_vip);
    CHECK_EQ(all[2].addr.bytes[15], 10);
    CHECK_EQ(all[3].addr.bytes[15], 11); /* the sample has it the other way round */
    CHECK_EQ(fault_with(data, len, &all[3].addr.bytes[15], 12, &section), IMAGE_FAULT_OK);
    CHECK_EQ(fault_with(data, len, &all[3].addr.bytes[15], 10, &section), IMAGE_FAULT_DUPLICATE);
    CHECK_EQ(fault_with(data, len, &all[3].addr.bytes[15], 9, &section), IMAGE_FAULT_ORDER);
    CHECK_EQ(fault_with(data, len, &all[2].addr.bytes[15], 2, &section), IMAGE_FAULT_DUPLICATE);
    CHECK_EQ(fault_with(data, len, &all[0].addr.bytes[15], 10, &section), IMAGE_FAULT_DUPLICATE);
    CHECK_EQ(fault_with(data, len, &all[0].addr.bytes[15], 11, &section), IMAGE_FAULT_DUPLICATE);
    CHECK_EQ(fault_with(data, len, &all[3].is_vip, 0, &section), IMAGE_FAULT_ORDER);
    CHECK_EQ(section, IMAGE_SECTION_ADDRESSES);
    free(data);
}

TEST(a_virtual_router_has_a_number_that_vrrp_knows)
{
    size_t len;
    uint32_t section;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    const uint8_t *number = (const uint8_t *)&v.interfaces[0].virtual_router;
    CHECK_EQ(fault_with(data, len, number, 255, &section), IMAGE_FAULT_OK);
    CHECK_EQ(fault_with(data, len, number + 1, 1, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_INTERFACES);
    free(data);
}

TEST(the_box_that_is_drained_is_an_ipv4_host_and_may_be_this_one)
{
    size_t len;
    uint32_t section;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    struct ip_addr *drained = (struct ip_addr *)(uintptr_t)&v.interfaces[1].drained;
    CHECK(!image_is_drained(&v));
    CHECK_EQ(fault_with(data, len, &drained->bytes[15], 1, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_INTERFACES);
    *drained = ip_addr_from_v4("\306\22\0\12");
    image_seal(data, len);
    CHECK_EQ(image_check(data, len, NULL), IMAGE_FAULT_OK);
    CHECK(!image_is_drained(&v));
    CHECK_EQ(fault_with(data, len, &drained->bytes[12], 224, &section), IMAGE_FAULT_VALUE);
    for (uint32_t i = 0; i < v.n_addresses; i++) {
        *drained = v.addresses[i].addr;
        CHECK_EQ(image_is_drained(&v), v.addresses[i].is_vip == 0);
    }
    free(data);
}

TEST(the_content_checksum_leaves_the_generation_out)
{
    size_t len;
    void *data = sample_image(&len);
    uint64_t before = header_of(data)->content_checksum, all = header_of(data)->checksum;
    header_of(data)->generation = 8;
    image_seal(data, len);
    CHECK(header_of(data)->content_checksum == before);
    CHECK(header_of(data)->checksum != all);
    CHECK_EQ(image_check(data, len, NULL), IMAGE_FAULT_OK);
    free(data);
}

TEST(every_flipped_byte_is_refused)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    for (size_t i = 0; i < len; i++) {
        data[i] ^= 0x20;
        CHECK(image_check(data, len, NULL) != IMAGE_FAULT_OK);
        data[i] ^= 0x20;
    }
    CHECK_EQ(image_check(data, len, NULL), IMAGE_FAULT_OK);
    free(data);
}

TEST(an_image_cut_anywhere_is_refused)
{
    size_t len;
    void *data = sample_image(&len);
    for (size_t cut = 0; cut < len; cut++) {
        void *part = copy_of(data, cut);
        CHECK(image_check(part, cut, NULL) != IMAGE_FAULT_OK);
        if (cut >= sizeof(struct image_header)) {
            header_of(part)->length = cut;
            image_seal(part, cut);
            CHECK(image_check(part, cut, NULL) != IMAGE_FAULT_OK);
        }
        free(part);
    }
    free(data);
}

/* Checks a damaged image and, when it is let in, uses it. Returns whether it was refused. */
static bool is_refused_or_used(const void *data, size_t len)
{
    if (image_check(data, len, NULL) != IMAGE_FAULT_OK)
        return true;
    use_image(data);
    return false;
}

TEST(every_flipped_byte_with_a_right_checksum_is_refused_or_harmless)
{
    static const uint8_t flips[] = {0x01, 0x20, 0x80, 0xff};
    size_t len;
    uint8_t *data = sample_image(&len);
    unsigned refused = 0;
    for (size_t i = 0; i < len * array_len(flips); i++) {
        uint8_t *copy = copy_of(data, len);
        copy[i / array_len(flips)] ^= flips[i % array_len(flips)];
        image_seal(copy, len);
        refused += is_refused_or_used(copy, len);
        free(copy);
    }
    struct image_view v;
    image_view_init(&v, data);
    CHECK(refused > len - v.n_database_bytes); /* most fields leave no freedom */
    free(data);
}

TEST(every_word_with_an_extreme_value_is_refused_or_harmless)
{
    static const uint32_t values[] = {0, 1, 2, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    size_t len;
    uint8_t *data = sample_image(&len);
    for (size_t i = 0; i < len / 4 * array_len(values); i++) {
        uint8_t *copy = copy_of(data, len);
        memcpy(copy + i / array_len(values) * 4, &values[i % array_len(values)], 4);
        image_seal(copy, len);
        is_refused_or_used(copy, len);
        free(copy);
    }
    free(data);
}

/* The one freedom: the string section may take in zero bytes of the gap behind it. */
TEST(every_field_of_the_section_table_is_checked)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    size_t words = IMAGE_SECTION_COUNT * sizeof(struct image_section) / 4;
    size_t accepted = 0;
    for (size_t i = 0; i < 2 * words; i++) {
        uint8_t *copy = copy_of(data, len);
        uint32_t *word = (uint32_t *)(void *)(copy + sizeof(struct image_header)) + i / 2;
        *word += i % 2 == 0 ? 1 : UINT32_MAX;
        image_seal(copy, len);
        accepted += !is_refused_or_used(copy, len);
        free(copy);
    }
    CHECK(accepted <= 1);
    free(data);
}

TEST(many_damages_at_once_are_refused_or_harmless)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct rng rng = {20261123};
    for (unsigned round = 0; round < 20000; round++) {
        uint8_t *copy = copy_of(data, len);
        for (unsigned n = rng_below(&rng, 4); n < 5; n++)
            copy[64 + rng_below(&rng, (uint32_t)len - 64)] = (uint8_t)rng_next(&rng);
        image_seal(copy, len);
        is_refused_or_used(copy, len);
        free(copy);
    }
    free(data);
}

TEST(only_a_listener_that_terminates_tls_has_identities)
{
    size_t len;
    uint32_t section;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    const struct image_listener *secure = &v.listeners[v.n_listeners - 1];
    const struct image_listener *plain = &v.listeners[0];
    const struct {
        const void *at;
        uint8_t byte;
        enum image_fault fault;
    } rows[] = {
        {&secure->n_identities, 0, IMAGE_FAULT_VALUE},
        {&secure->n_identities, IMAGE_IDENTITIES_PER_LISTENER_MAX + 1, IMAGE_FAULT_VALUE},
        {&secure->n_identities, 4, IMAGE_FAULT_INDEX},
        {&secure->first_identity, 2, IMAGE_FAULT_INDEX},
        {&secure->protocol, IMAGE_PROTOCOL_HTTP, IMAGE_FAULT_VALUE},
        {&secure->protocol, IMAGE_PROTOCOL_TLS_TERMINATED, IMAGE_FAULT_VALUE}, /* asks clients */
        {&secure->protocol, IMAGE_PROTOCOL_TLS, IMAGE_FAULT_VALUE},
        {&secure->protocol, IMAGE_PROTOCOL_TCP, IMAGE_FAULT_VALUE},
        {&secure->protocol, IMAGE_PROTOCOL_TCP + 1, IMAGE_FAULT_VALUE},
        {&plain->protocol, IMAGE_PROTOCOL_TLS, IMAGE_FAULT_OK},
        {&plain->protocol, IMAGE_PROTOCOL_TCP, IMAGE_FAULT_OK},
        {&plain->protocol, IMAGE_PROTOCOL_TLS_TERMINATED, IMAGE_FAULT_VALUE},
        {&plain->protocol, IMAGE_PROTOCOL_HTTPS, IMAGE_FAULT_VALUE},
        {&plain->n_identities, 1, IMAGE_FAULT_VALUE},
        {&plain->first_identity, 1, IMAGE_FAULT_VALUE},
    };
    REQUIRE(secure->protocol == IMAGE_PROTOCOL_HTTPS && secure->n_identities == 2);
    for (size_t i = 0; i < array_len(rows); i++) {
        CHECK_EQ(fault_with(data, len, rows[i].at, rows[i].byte, &section), rows[i].fault);
        CHECK(rows[i].fault == IMAGE_FAULT_OK || section == IMAGE_SECTION_LISTENERS);
    }
    CHECK_EQ(
        fault_with(data, len, (const uint8_t *)&v.identities[1].name.offset + 3, 0x7f, &section),
        IMAGE_FAULT_STRING);
    CHECK_EQ(section, IMAGE_SECTION_IDENTITIES);
    free(data);
}

TEST(who_asks_clients_for_certificates_knows_whose)
{
    size_t len;
    uint32_t section;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    const struct image_listener *secure = &v.listeners[v.n_listeners - 1];
    const struct image_listener *plain = &v.listeners[0];
    const struct {
        const void *at;
        uint8_t byte;
        enum image_fault fault;
    } rows[] = {
        {&secure->client_auth, IMAGE_CLIENT_AUTH_NONE, IMAGE_FAULT_VALUE},
        {&secure->client_auth, IMAGE_CLIENT_AUTHS, IMAGE_FAULT_VALUE},
        {&secure->bundle, 2, IMAGE_FAULT_INDEX},
        {&secure->identity, 9, IMAGE_FAULT_INDEX},
        {&plain->client_auth, IMAGE_CLIENT_AUTH_REQUIRED, IMAGE_FAULT_VALUE},
        {&plain->bundle, 0, IMAGE_FAULT_VALUE},
    };
    REQUIRE(secure->client_auth == IMAGE_CLIENT_AUTH_REQUIRED && v.n_bundles == 2);
    for (size_t i = 0; i < array_len(rows); i++) {
        CHECK_EQ(fault_with(data, len, rows[i].at, rows[i].byte, &section), rows[i].fault);
        CHECK_EQ(section, IMAGE_SECTION_LISTENERS);
    }
    CHECK_EQ(fault_with(data, len, &secure->client_auth, IMAGE_CLIENT_AUTH_FALLBACK, &section),
             IMAGE_FAULT_OK);
    CHECK_EQ(fault_with(data, len, (const uint8_t *)&v.bundles[0].name.offset + 3, 0x7f, &section),
             IMAGE_FAULT_STRING);
    CHECK_EQ(section, IMAGE_SECTION_BUNDLES);
    free(data);
}

TEST(connections_to_backends_are_secured_as_somebody_can_be)
{
    size_t len;
    uint32_t section;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    const struct image_backend_tls *tls = v.backend_tls;
    REQUIRE(v.n_backend_tls == 2 && v.n_sans == 3 && v.n_bundles == 2);
    const struct {
        const void *at;
        uint8_t byte;
        enum image_fault fault;
        uint32_t section;
    } rows[] = {
        {&tls[0].n_sans, 0, IMAGE_FAULT_VALUE, IMAGE_SECTION_BACKEND_TLS},
        {&tls[0].n_sans, IMAGE_SANS_PER_TLS_MAX + 1, IMAGE_FAULT_VALUE, IMAGE_SECTION_BACKEND_TLS},
        {&tls[0].n_sans, 4, IMAGE_FAULT_INDEX, IMAGE_SECTION_BACKEND_TLS},
        {&tls[0].n_sans, 1, IMAGE_FAULT_OWNER, IMAGE_SECTION_BACKEND_TLS},
        {&tls[1].first_san, 1, IMAGE_FAULT_OWNER, IMAGE_SECTION_BACKEND_TLS},
        {&tls[0].bundle, 2, IMAGE_FAULT_INDEX, IMAGE_SECTION_BACKEND_TLS},
        {&tls[0].reserved, 1, IMAGE_FAULT_RESERVED, IMAGE_SECTION_BACKEND_TLS},
        {&tls[0].server_name.length, 0, IMAGE_FAULT_STRING, IMAGE_SECTION_BACKEND_TLS},
        {(const uint8_t *)&tls[0].name.offset + 3, 0x7f, IMAGE_FAULT_STRING,
         IMAGE_SECTION_BACKEND_TLS},
        {&v.sans[0].kind, 0, IMAGE_FAULT_VALUE, IMAGE_SECTION_SANS},
        {&v.sans[0].kind, 3, IMAGE_FAULT_VALUE, IMAGE_SECTION_SANS},
        {&v.sans[1].kind, IMAGE_SAN_HOST, IMAGE_FAULT_TEXT, IMAGE_SECTION_SANS},
        {&v.sans[1].text.length, 0, IMAGE_FAULT_STRING, IMAGE_SECTION_SANS},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        CHECK_EQ(fault_with(data, len, rows[i].at, rows[i].byte, &section), rows[i].fault);
        CHECK_EQ(section, rows[i].section);
    }
    free(data);
}

TEST(a_backend_that_is_secured_has_a_group)
{
    size_t len;
    uint32_t section, n_secured = 0;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    for (uint32_t i = 0; i < v.n_backends; i++) {
        const struct image_backend *e = &v.backends[i];
        n_secured += e->tls != IMAGE_NONE;
        CHECK_EQ(e->tls != IMAGE_NONE, e->group == 3 || e->group == 4);
        if (e->tls != IMAGE_NONE)
            CHECK_EQ(fault_with(data, len, (const uint8_t *)&e->tls, 2, &section),
                     IMAGE_FAULT_INDEX);
    }
    CHECK(n_secured > 0);
    for (uint32_t i = 0; i < v.n_mirrors; i++) {
        if (v.mirrors[i].tls != IMAGE_NONE)
            CHECK_EQ(fault_with(data, len, (const uint8_t *)&v.mirrors[i].tls, 2, &section),
                     IMAGE_FAULT_INDEX);
    }
    free(data);
}

TEST(congestion_control_is_one_that_is_known_and_the_same_for_a_group)
{
    size_t len;
    uint32_t section;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    CHECK_EQ(v.binds[0].congestion, IMAGE_CONGESTION_CUBIC);
    CHECK_EQ(v.binds[1].congestion, IMAGE_CONGESTION_BBR);
    static const uint8_t unknown[] = {IMAGE_CONGESTION_NONE, IMAGE_CONGESTIONS, 0xff};
    for (size_t i = 0; i < array_len(unknown); i++) {
        CHECK_EQ(fault_with(data, len, &v.binds[0].congestion, unknown[i], &section),
                 IMAGE_FAULT_VALUE);
        CHECK_EQ(section, IMAGE_SECTION_BINDS);
        CHECK_EQ(fault_with(data, len, &v.backends[0].congestion, unknown[i], &section),
                 IMAGE_FAULT_VALUE);
        CHECK_EQ(section, IMAGE_SECTION_BACKENDS);
    }
    CHECK_EQ(fault_with(data, len, &v.binds[0].kind, IMAGE_BIND_KINDS, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &v.binds[0].reserved, 1, &section), IMAGE_FAULT_RESERVED);
    CHECK_EQ(fault_with(data, len, &v.egress[0].flags, 2 * IMAGE_EGRESS_PODS, &section),
             IMAGE_FAULT_RESERVED);
    CHECK_EQ(section, IMAGE_SECTION_EGRESS);
    CHECK_EQ(fault_with(data, len, &v.binds[0].kind, IMAGE_BIND_UDP, &section),
             IMAGE_FAULT_HASH); /* it is not found among those of UDP */
    CHECK_EQ(fault_with(data, len, &v.binds[0].kind, IMAGE_BIND_DNS_UDP, &section),
             IMAGE_FAULT_HASH);
    CHECK_EQ(fault_with(data, len, &v.mirrors[0].congestion, IMAGE_CONGESTION_CUBIC, &section),
             IMAGE_FAULT_VALUE); /* its group's other backends have another */
    CHECK_EQ(section, IMAGE_SECTION_BACKENDS);
    CHECK_EQ(fault_with(data, len, &v.binds[0].congestion, IMAGE_CONGESTION_BBR, &section),
             IMAGE_FAULT_OK);

    REQUIRE(v.n_backends >= 3 && v.backends[0].group == 3 && v.backends[2].group == 3);
    CHECK_EQ(v.backends[0].congestion, IMAGE_CONGESTION_BBR);
    CHECK_EQ(v.backends[1].group, IMAGE_NONE);
    static const uint8_t known[] = {IMAGE_CONGESTION_CUBIC, IMAGE_CONGESTION_BBR};
    for (size_t i = 0; i < array_len(known); i++)
        CHECK_EQ(fault_with(data, len, &v.backends[1].congestion, known[i], &section),
                 IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &v.backends[2].congestion, IMAGE_CONGESTION_CUBIC, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_BACKENDS);
    free(data);
}

TEST(a_proxy_header_is_required_or_not_and_the_same_for_a_group)
{
    size_t len;
    uint32_t section;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    CHECK_EQ(v.binds[0].is_proxied, 0);
    CHECK_EQ(v.binds[1].is_proxied, 1);
    CHECK_EQ(v.binds[1].n_trusted, 2);
    CHECK_EQ(fault_with(data, len, &v.binds[0].is_proxied, 1, &section), IMAGE_FAULT_OK);
    CHECK_EQ(fault_with(data, len, &v.binds[1].is_proxied, 0, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_BINDS); /* who trusts nobody by name has no list */
    const uint8_t *first = (const uint8_t *)&v.binds[1].first_trusted;
    const uint8_t *n = (const uint8_t *)&v.binds[1].n_trusted;
    CHECK_EQ(fault_with(data, len, first, 1, &section), IMAGE_FAULT_INDEX);
    CHECK_EQ(fault_with(data, len, n, 3, &section), IMAGE_FAULT_INDEX);
    CHECK_EQ(fault_with(data, len, n, IMAGE_TRUSTED_PER_BIND_MAX + 1, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &v.trusted[0].len, 95, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_TRUSTED);
    CHECK_EQ(fault_with(data, len, &v.trusted[0].len, 119, &section), IMAGE_FAULT_OK);
    CHECK_EQ(fault_with(data, len, &v.trusted[1].len, 129, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &v.trusted[1].addr.bytes[15], 1, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &v.trusted[1].reserved[2], 1, &section), IMAGE_FAULT_RESERVED);
    CHECK_EQ(fault_with(data, len, &v.binds[0].is_proxied, 2, &section), IMAGE_FAULT_VALUE);
    uint8_t ends_tls = v.binds[0].ends_tls;
    CHECK_EQ(ends_tls, v.binds[0].kind == IMAGE_BIND_HTTPS);
    CHECK_EQ(fault_with(data, len, &v.binds[0].ends_tls, !ends_tls, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_BINDS);
    const struct image_backend *with = &v.backends[0], *without = &v.backends[1];
    REQUIRE(with->group == 3 && without->group == IMAGE_NONE);
    CHECK_EQ(with->proxy_header, IMAGE_PROXY_HEADER_V2);
    CHECK_EQ(v.mirrors[0].proxy_header, IMAGE_PROXY_HEADER_V2);
    CHECK_EQ(fault_with(data, len, &with->proxy_header, IMAGE_PROXY_HEADER_V1, &section),
             IMAGE_FAULT_VALUE); /* its group's other backends have another */
    CHECK_EQ(section, IMAGE_SECTION_BACKENDS);
    CHECK_EQ(fault_with(data, len, &with->proxy_header, IMAGE_PROXY_HEADERS, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &without->proxy_header, IMAGE_PROXY_HEADER_V1, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &v.mirrors[0].proxy_header, IMAGE_PROXY_HEADERS, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_MIRRORS);
    CHECK_EQ(image_proxy_header_named("V1"), IMAGE_PROXY_HEADER_V1);
    CHECK_EQ(image_proxy_header_named(""), IMAGE_PROXY_HEADER_NONE);
    CHECK_STR(image_proxy_header_name(IMAGE_PROXY_HEADER_V2), "V2");
    free(data);
}

TEST(what_is_spoken_is_the_same_to_all_of_a_group)
{
    size_t len;
    uint32_t section;
    void *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    const struct image_backend *with = &v.backends[0], *without = &v.backends[1];
    REQUIRE(with->group == 3 && without->group == IMAGE_NONE && v.mirrors[0].group == 3);
    CHECK_EQ(with->protocol, IMAGE_BACKEND_HTTP2);
    CHECK_EQ(without->protocol, IMAGE_BACKEND_HTTP1);
    CHECK_EQ(v.mirrors[0].protocol, IMAGE_BACKEND_HTTP2);
    CHECK_EQ(fault_with(data, len, &with->protocol, IMAGE_BACKEND_HTTP1, &section),
             IMAGE_FAULT_VALUE); /* its group's other backends have another */
    CHECK_EQ(section, IMAGE_SECTION_BACKENDS);
    CHECK_EQ(fault_with(data, len, &with->protocol, IMAGE_BACKEND_PROTOCOLS, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &without->protocol, IMAGE_BACKEND_HTTP2, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &v.mirrors[0].protocol, IMAGE_BACKEND_HTTP1, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &v.mirrors[0].protocol, IMAGE_BACKEND_PROTOCOLS, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_MIRRORS);
    CHECK_STR(image_backend_protocol_name(IMAGE_BACKEND_HTTP2), "HTTP/2");
    free(data);
}

TEST(a_prefix_has_addresses_of_its_family_only)
{
    struct ip_addr v4 = ip_addr_from_v4((uint8_t[]){198, 51, 100, 7});
    struct ip_addr v6 = ip_addr_from_v6((uint8_t[16]){0x20, 1, 0xd, 0xb8});
    struct image_prefix net = {.addr = v4, .len = 120}, all4 = {.len = 96}, all6 = {.len = 0};
    net.addr.bytes[15] = 0;
    all4.addr = ip_addr_from_v4((uint8_t[]){0, 0, 0, 0});
    CHECK(image_prefix_has(&net, &v4) && !image_prefix_has(&net, &v6));
    CHECK(image_prefix_has(&all4, &v4) && !image_prefix_has(&all4, &v6));
    CHECK(image_prefix_has(&all6, &v6) && !image_prefix_has(&all6, &v4));
    v4.bytes[14]++;
    CHECK(!image_prefix_has(&net, &v4));
}

TEST(filters_of_a_backend_change_headers_only)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    const struct image_backend *e = &v.backends[0];
    REQUIRE(e->n_filters == 1 && v.rules[0].n_filters > 1);
    CHECK_EQ(fault_with(data, len, &e->n_filters, IMAGE_FILTERS_PER_BACKEND_MAX + 1, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_BACKENDS);
    for (uint32_t i = 0; i < v.n_filters; i++) {
        bool is_headers = v.filters[i].type <= IMAGE_FILTER_RESPONSE_HEADERS;
        REQUIRE(i < 256); /* a byte is changed */
        CHECK_EQ(fault_with(data, len, (const uint8_t *)&e->first_filter, (uint8_t)i, &section),
                 is_headers ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE);
    }
    CHECK_EQ(
        fault_with(data, len, (const uint8_t *)&e->first_filter, (uint8_t)v.n_filters, &section),
        IMAGE_FAULT_INDEX);
    free(data);
}

TEST(a_route_is_known_by_the_id_of_its_name)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    CHECK(v.routes[0].id == image_route_id(image_text(&v, v.routes[0].name)));
    CHECK(v.routes[0].id != v.routes[1].id);
    const uint8_t *byte = (const uint8_t *)&v.routes[1].id;
    CHECK_EQ(fault_with(data, len, byte, *byte ^ 1, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_ROUTES);
    free(data);
}

TEST(matches_of_a_grpc_route_and_only_those_are_for_calls)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    const struct image_route *calls = &v.routes[v.n_routes - 1];
    REQUIRE(calls->kind == IMAGE_ROUTE_GRPC && v.routes[0].kind == IMAGE_ROUTE_HTTP);
    CHECK_STR(image_route_kind_name(IMAGE_ROUTE_GRPC), "GRPCRoute");
    CHECK_EQ(fault_with(data, len, &calls->kind, IMAGE_ROUTE_KINDS, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_ROUTES);
    CHECK_EQ(fault_with(data, len, &calls->kind, IMAGE_ROUTE_HTTP, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_MATCHES);
    CHECK_EQ(fault_with(data, len, &calls->reserved[6], 1, &section), IMAGE_FAULT_RESERVED);
    for (uint32_t i = 0; i < v.n_matches; i++) {
        const struct image_match *match = &v.matches[i];
        bool is_call = v.rules[match->rule].route == v.n_routes - 1;
        CHECK_EQ(match->is_grpc, is_call);
        CHECK_EQ(fault_with(data, len, &match->is_grpc, !is_call, &section), IMAGE_FAULT_VALUE);
        CHECK_EQ(fault_with(data, len, &match->is_grpc, 2, &section), IMAGE_FAULT_VALUE);
        CHECK_EQ(section, IMAGE_SECTION_MATCHES);
        CHECK_EQ(fault_with(data, len, &match->reserved, 1, &section), IMAGE_FAULT_RESERVED);
    }
    unsigned n_guards = 0;
    for (uint32_t i = 0; i < v.n_guards; i++) {
        const struct image_guard *guard = &v.guards[i];
        if (guard->kind != IMAGE_GUARD_METHOD && guard->kind != IMAGE_GUARD_CALL)
            continue;
        bool is_call = guard->kind == IMAGE_GUARD_CALL;
        n_guards += is_call;
        CHECK(fault_with(data, len, (const uint8_t *)&guard->kind,
                         is_call ? IMAGE_GUARD_METHOD : IMAGE_GUARD_CALL,
                         &section) != IMAGE_FAULT_OK);
    }
    CHECK_EQ(n_guards, 1);
    free(data);
}

TEST(a_retry_policy_has_attempts_and_names_statuses_of_faults)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    REQUIRE(v.n_retries == 1 && v.rules[0].retry == 0 && v.rules[1].retry == IMAGE_NONE);
    const struct image_retry *e = &v.retries[0];
    unsigned named = 0;
    for (uint16_t status = 0; status < 1000; status++)
        named += image_retry_has(e, status);
    CHECK_EQ(named, 3);
    CHECK(image_retry_has(e, 400) && image_retry_has(e, 503) && image_retry_has(e, 599));
    CHECK_EQ(fault_with(data, len, &e->attempts, 0, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_RETRIES);
    CHECK_EQ(fault_with(data, len, &e->attempts, IMAGE_RETRY_ATTEMPTS_MAX, &section),
             IMAGE_FAULT_OK);
    CHECK_EQ(fault_with(data, len, &e->attempts, IMAGE_RETRY_ATTEMPTS_MAX + 1, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, (const uint8_t *)&v.rules[0].retry, 1, &section),
             IMAGE_FAULT_INDEX);
    CHECK_EQ(section, IMAGE_SECTION_RULES);
    free(data);
}

TEST(only_balancing_by_hash_has_a_key_and_only_some_keys_have_a_name)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    const struct image_balance *plain = &v.backends[0].balancing, *none = &v.backends[1].balancing,
                               *hashed = &v.mirrors[1].balancing;
    REQUIRE(plain->way == IMAGE_BALANCING_LEAST && none->way == IMAGE_BALANCING_NONE);
    REQUIRE(hashed->way == IMAGE_BALANCING_MAGLEV && hashed->hash_key == IMAGE_HASH_KEY_COOKIE);
    CHECK(slice_eq(image_text(&v, hashed->name), SLICE_LIT("Tenant")));
    CHECK_EQ(fault_with(data, len, &plain->hash_key, IMAGE_HASH_KEY_CLIENT, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &plain->way, IMAGE_BALANCING_MAGLEV, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, (const uint8_t *)&plain->name.length, 1, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &none->hash_key, IMAGE_HASH_KEY_CLIENT, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, (const uint8_t *)&none->name.length, 1, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_BACKENDS);
    CHECK_EQ(fault_with(data, len, &hashed->way, IMAGE_BALANCING_LEAST, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &hashed->hash_key, IMAGE_HASH_KEYS, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &hashed->hash_key, IMAGE_HASH_KEY_CLIENT, &section),
             IMAGE_FAULT_VALUE); /* which has no name */
    CHECK_EQ(fault_with(data, len, &hashed->hash_key, IMAGE_HASH_KEY_CONNECTION, &section),
             IMAGE_FAULT_VALUE); /* nor has that */
    CHECK_EQ(fault_with(data, len, &hashed->hash_key, IMAGE_HASH_KEY_HEADER, &section),
             IMAGE_FAULT_TEXT); /* whose name is in lower case */
    CHECK_EQ(fault_with(data, len, (const uint8_t *)&hashed->name.length, 0, &section),
             IMAGE_FAULT_VALUE); /* a cookie without a name */
    CHECK_EQ(section, IMAGE_SECTION_MIRRORS);
    CHECK_EQ(image_hash_key_named("Cookie"), IMAGE_HASH_KEY_COOKIE);
    CHECK_STR(image_hash_key_name(IMAGE_HASH_KEY_CLIENT), "ClientAddress");
    free(data);
}

TEST(balancing_is_one_that_is_known_where_there_is_a_group)
{
    static const uint8_t bad[] = {IMAGE_BALANCING_NONE, IMAGE_BALANCINGS, 255};
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    const struct image_backend *with = &v.backends[0], *without = &v.backends[1];
    REQUIRE(with->group != IMAGE_NONE && without->group == IMAGE_NONE);
    for (size_t i = 0; i < array_len(bad); i++) {
        CHECK_EQ(fault_with(data, len, &with->balancing.way, bad[i], &section), IMAGE_FAULT_VALUE);
        CHECK_EQ(section, IMAGE_SECTION_BACKENDS);
        CHECK_EQ(fault_with(data, len, &v.mirrors[0].balancing.way, bad[i], &section),
                 IMAGE_FAULT_VALUE);
        CHECK_EQ(section, IMAGE_SECTION_MIRRORS);
    }
    CHECK_EQ(fault_with(data, len, &with->balancing.way, IMAGE_BALANCING_TURNS, &section),
             IMAGE_FAULT_OK);
    CHECK_EQ(fault_with(data, len, &without->balancing.way, IMAGE_BALANCING_TURNS, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &with->balancing.reserved[1], 1, &section),
             IMAGE_FAULT_RESERVED);
    CHECK_EQ(fault_with(data, len, &with->reserved, 1, &section), IMAGE_FAULT_RESERVED);
    CHECK_EQ(fault_with(data, len, &v.mirrors[0].reserved, 1, &section), IMAGE_FAULT_RESERVED);
    CHECK_EQ(image_balancing_named("RoundRobin"), IMAGE_BALANCING_TURNS);
    CHECK_EQ(image_balancing_named(""), IMAGE_BALANCING_NONE);
    CHECK_STR(image_balancing_name(IMAGE_BALANCING_LEAST), "LeastOutstanding");
    free(data);
}

TEST(packets_are_forwarded_only_where_no_connection_of_ours_is_needed)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section, plain = IMAGE_NONE, headed = IMAGE_NONE;
    image_view_init(&v, data);
    const struct image_backend *without = &v.backends[1];
    REQUIRE(without->group == IMAGE_NONE);
    for (uint32_t i = 0; i < v.n_backends; i++) {
        const struct image_backend *e = &v.backends[i];
        bool has_header = e->proxy_header != IMAGE_PROXY_HEADER_NONE;
        if (e->group != IMAGE_NONE && has_header)
            headed = i;
        else if (e->group != IMAGE_NONE && e->tls == IMAGE_NONE)
            plain = i;
    }
    REQUIRE(plain != IMAGE_NONE && headed != IMAGE_NONE);
    CHECK_EQ(v.backends[plain].forwarding, IMAGE_FORWARDING_NAT);
    CHECK_EQ(v.backends[headed].forwarding, IMAGE_FORWARDING_PROXY);
    CHECK_EQ(fault_with(data, len, &v.backends[plain].forwarding, IMAGE_FORWARDING_GUE, &section),
             IMAGE_FAULT_OK);
    CHECK_EQ(fault_with(data, len, &v.backends[plain].forwarding, IMAGE_FORWARDINGS, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &v.backends[headed].forwarding, IMAGE_FORWARDING_NAT, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &without->forwarding, IMAGE_FORWARDING_NAT, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_BACKENDS);
    const uint8_t *idle = (const uint8_t *)&v.backends[plain].idle_ms;
    CHECK_EQ(fault_with(data, len, idle, 1, &section), IMAGE_FAULT_VALUE);        /* 1 ms */
    CHECK_EQ(fault_with(data, len, idle + 1, 0x10, &section), IMAGE_FAULT_OK);    /* 4 s */
    CHECK_EQ(fault_with(data, len, idle + 3, 0x10, &section), IMAGE_FAULT_VALUE); /* 3 days */
    idle = (const uint8_t *)&without->idle_ms;
    CHECK_EQ(fault_with(data, len, idle + 1, 0x10, &section), IMAGE_FAULT_VALUE); /* nobody's */
    CHECK_EQ(image_forwarding_named("IPIP"), IMAGE_FORWARDING_IPIP);
    CHECK_STR(image_forwarding_name(IMAGE_FORWARDING_GUE), "GUE");
    free(data);
}

TEST(a_session_has_keys_and_what_can_be_a_cookie)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    REQUIRE(v.n_persistence == 1 && v.rules[0].persistence == 0);
    CHECK_EQ(v.rules[1].persistence, IMAGE_NONE);
    const struct image_persistence *e = &v.persistence[0];
    struct image_string none = {0};
    const struct {
        const void *at;
        uint8_t byte;
        enum image_fault fault;
    } rows[] = {
        {&e->kind, 0, IMAGE_FAULT_VALUE},
        {&e->kind, IMAGE_SESSION_HEADER, IMAGE_FAULT_VALUE}, /* which is never permanent */
        {&e->kind, 3, IMAGE_FAULT_VALUE},
        {&e->is_permanent, 0, IMAGE_FAULT_OK},
        {&e->is_permanent, 2, IMAGE_FAULT_VALUE},
        {&e->lifetime_s, 0, IMAGE_FAULT_VALUE}, /* permanent, and for no time */
        {&e->token_key[0], 0, IMAGE_FAULT_VALUE},
        {&e->seal_key[0], 0, IMAGE_FAULT_VALUE},
        {&e->seal_key[0], 3, IMAGE_FAULT_OK},
        {&e->reserved[1], 1, IMAGE_FAULT_RESERVED},
        {v.strings + e->name.offset, ';', IMAGE_FAULT_TEXT},
        {v.strings + e->path.offset + 1, ';', IMAGE_FAULT_TEXT},
        {(const uint8_t *)&e->name.offset + 3, 1, IMAGE_FAULT_STRING},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        CHECK_EQ(fault_with(data, len, rows[i].at, rows[i].byte, &section), rows[i].fault);
        CHECK_EQ(section, rows[i].fault == IMAGE_FAULT_OK ? 0 : IMAGE_SECTION_PERSISTENCE);
    }
    CHECK_EQ(fault_with(data, len, (const uint8_t *)&v.rules[0].persistence, 1, &section),
             IMAGE_FAULT_INDEX);
    CHECK_EQ(section, IMAGE_SECTION_RULES);
    struct image_persistence *w =
        (struct image_persistence *)((uint8_t *)data +
                                     ((const uint8_t *)e - (const uint8_t *)data));
    w->path = none; /* a cookie without one */
    image_seal(data, len);
    CHECK_EQ(image_check(data, len, NULL), IMAGE_FAULT_TEXT);
    w->kind = IMAGE_SESSION_HEADER;
    w->is_permanent = 0;
    image_seal(data, len);
    CHECK_EQ(image_check(data, len, NULL), IMAGE_FAULT_OK);
    w->name = none;
    image_seal(data, len);
    CHECK_EQ(image_check(data, len, NULL), IMAGE_FAULT_TEXT);
    free(data);
}

TEST(a_mirror_takes_no_more_than_all_requests)
{
    size_t len;
    void *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    const struct image_mirror *e = &v.mirrors[0];
    REQUIRE(v.n_mirrors == 2 && e->denominator == 3);
    CHECK_EQ(fault_with(data, len, (const uint8_t *)&e->numerator, 3, &section), IMAGE_FAULT_OK);
    CHECK_EQ(fault_with(data, len, (const uint8_t *)&e->numerator, 4, &section), IMAGE_FAULT_VALUE);
    CHECK_EQ(section, IMAGE_SECTION_MIRRORS);
    CHECK_EQ(fault_with(data, len, (const uint8_t *)&e->denominator, 0, &section),
             IMAGE_FAULT_VALUE);
    CHECK_EQ(fault_with(data, len, &e->reserved, 1, &section), IMAGE_FAULT_RESERVED);
    free(data);
}

TEST(an_access_has_lists_of_its_own_that_can_be_searched)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    REQUIRE(v.n_accesses == 5 && v.n_access_uses == 4 && v.n_ranges == 5);
    const struct image_access *some = &v.accesses[0], *all = &v.accesses[1];
    REQUIRE(some->n_allowed == 3 && some->n_denied == 1 && all->n_allowed + all->n_denied == 0);
    const struct {
        const uint8_t *byte;
        uint8_t value;
        enum image_fault fault;
    } rows[] = {
        {(const uint8_t *)&v.access_uses[1], 5, IMAGE_FAULT_INDEX},
        {(const uint8_t *)&v.access_uses[1], 0, IMAGE_FAULT_OK},
        {(const uint8_t *)&some->first_range, 2, IMAGE_FAULT_INDEX},
        {(const uint8_t *)&some->n_allowed, 5, IMAGE_FAULT_INDEX},
        {(const uint8_t *)&some->n_allowed, 2, IMAGE_FAULT_OWNER},
        {(const uint8_t *)&some->n_allowed + 1, 255, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&some->n_denied + 3, 1, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&all->first_range, 3, IMAGE_FAULT_OWNER},
        {(const uint8_t *)&all->n_denied, 2, IMAGE_FAULT_INDEX},
        {(const uint8_t *)&all->n_denied, 1, IMAGE_FAULT_OWNER},
        {(const uint8_t *)&some->name.offset + 3, 1, IMAGE_FAULT_STRING},
        {&v.ranges[0].first.bytes[0], 1, IMAGE_FAULT_VALUE},     /* behind its last */
        {&v.ranges[0].last.bytes[9], 1, IMAGE_FAULT_VALUE},      /* as far as IPv4 */
        {&v.ranges[1].first.bytes[11], 0xfe, IMAGE_FAULT_VALUE}, /* two families */
        {&v.ranges[2].first.bytes[9], 0, IMAGE_FAULT_VALUE},     /* has IPv4 within */
        {&v.ranges[3].last.bytes[15], 254, IMAGE_FAULT_OK},
    };
    for (unsigned i = 0; i < array_len(rows); i++)
        CHECK_EQ(fault_with(data, len, rows[i].byte, rows[i].value, &section), rows[i].fault);
    struct image_range *ranges = (struct image_range *)(uintptr_t)v.ranges, kept = ranges[0];
    ranges[0] = ranges[1];
    ranges[1] = kept;
    image_seal(data, len);
    struct image_fault_info info;
    CHECK_EQ(image_check(data, len, &info), IMAGE_FAULT_ORDER);
    CHECK_EQ(info.section, IMAGE_SECTION_ACCESSES);
    free(data);
}

TEST(gates_lead_to_lists_and_stand_in_the_order_of_their_addresses)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    REQUIRE(v.n_gates == 2 && v.n_gate_uses == 4);
    const struct image_bind *bind = &v.binds[0];
    const struct image_gate *first = &v.gates[0], *second = &v.gates[1];
    REQUIRE(bind->n_gates == 1 && v.binds[1].n_gates == 0);
    REQUIRE(first->n_uses == 2 && second->n_uses == 1);
    const struct {
        const uint8_t *byte;
        uint8_t value;
        enum image_fault fault;
        uint32_t section;
    } rows[] = {
        {(const uint8_t *)&v.gate_uses[0], 5, IMAGE_FAULT_INDEX, IMAGE_SECTION_GATE_USES},
        {(const uint8_t *)&v.gate_uses[0], 1, IMAGE_FAULT_VALUE, IMAGE_SECTION_GATE_USES},
        {(const uint8_t *)&v.gate_uses[0], 2, IMAGE_FAULT_VALUE, IMAGE_SECTION_GATE_USES},
        {(const uint8_t *)&v.gate_uses[0], 0, IMAGE_FAULT_OK, 0},
        {(const uint8_t *)&bind->n_gates, 5, IMAGE_FAULT_INDEX, IMAGE_SECTION_BINDS},
        {(const uint8_t *)&bind->first_gate, 5, IMAGE_FAULT_INDEX, IMAGE_SECTION_BINDS},
        {(const uint8_t *)&bind->first_gate + 3, 255, IMAGE_FAULT_INDEX, IMAGE_SECTION_BINDS},
        {(const uint8_t *)&first->n_uses, 0, IMAGE_FAULT_VALUE, IMAGE_SECTION_GATES},
        {(const uint8_t *)&first->n_uses, 5, IMAGE_FAULT_INDEX, IMAGE_SECTION_GATES},
        {(const uint8_t *)&first->first_use + 3, 255, IMAGE_FAULT_INDEX, IMAGE_SECTION_GATES},
        {&first->addr.bytes[0], 255, IMAGE_FAULT_ORDER, IMAGE_SECTION_GATES},
    };
    for (unsigned i = 0; i < array_len(rows); i++) {
        section = 0;
        CHECK_EQ(fault_with(data, len, rows[i].byte, rows[i].value, &section), rows[i].fault);
        CHECK_EQ(section, rows[i].section);
    }
    struct image_gate *gates = (struct image_gate *)(uintptr_t)v.gates;
    gates[1].addr = gates[0].addr;
    image_seal(data, len);
    CHECK_EQ(image_check(data, len, NULL), IMAGE_FAULT_ORDER);
    free(data);
}

TEST(who_has_a_bind_of_his_own_finds_it_and_all_others_that_of_everybody)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    REQUIRE(v.n_binds == 5 && v.n_choices == 2 && v.n_clients == 3);
    const struct image_bind *all = &v.binds[0];
    struct ip_addr web = v.clients[0].addr, shop = v.clients[1].addr, other = all->addr;
    uint32_t found = image_bind_find(&v, &all->addr, 80, false);
    CHECK_EQ(found, 0);
    CHECK_EQ(image_bind_for(&v, 0, &web), 3);
    CHECK_EQ(image_bind_for(&v, 0, &shop), 4);
    CHECK_EQ(image_bind_for(&v, 0, &other), 0);
    CHECK_EQ(image_bind_for(&v, 1, &web), 1); /* where nobody has his own */
    CHECK(slice_eq(image_text(&v, v.client_sets[v.binds[3].set].name), SLICE_LIT("web")));
    free(data);
}

TEST(binds_of_some_clients_hang_on_that_of_everybody_in_order)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    const struct image_bind *all = &v.binds[0], *web = &v.binds[3], *shop = &v.binds[4];
    REQUIRE(v.n_choices == 2 && web->set == 1 && shop->set == 0 && v.choices[0] == 4);
    const struct {
        const uint8_t *byte;
        uint8_t value;
        enum image_fault fault;
        uint32_t section;
    } rows[] = {
        {(const uint8_t *)&v.choices[0], 5, IMAGE_FAULT_INDEX, IMAGE_SECTION_CHOICES},
        {(const uint8_t *)&v.choices[0], 3, IMAGE_FAULT_ORDER, IMAGE_SECTION_BINDS},
        {(const uint8_t *)&v.choices[0], 2, IMAGE_FAULT_VALUE, IMAGE_SECTION_BINDS},
        {(const uint8_t *)&web->set, 2, IMAGE_FAULT_INDEX, IMAGE_SECTION_BINDS},
        {(const uint8_t *)&web->set, 0, IMAGE_FAULT_ORDER, IMAGE_SECTION_BINDS},
        {(const uint8_t *)&web->port, 81, IMAGE_FAULT_VALUE, IMAGE_SECTION_BINDS},
        {(const uint8_t *)&web->n_choices, 1, IMAGE_FAULT_VALUE, IMAGE_SECTION_BINDS},
        {&web->is_proxied, 1, IMAGE_FAULT_VALUE, IMAGE_SECTION_BINDS},
        {&web->is_service, 2, IMAGE_FAULT_VALUE, IMAGE_SECTION_BINDS},
        {&web->is_service, 0, IMAGE_FAULT_OK, 0},
        {(const uint8_t *)&all->n_choices, 3, IMAGE_FAULT_INDEX, IMAGE_SECTION_BINDS},
        {(const uint8_t *)&all->n_choices, 1, IMAGE_FAULT_ORDER, IMAGE_SECTION_CHOICES},
        {(const uint8_t *)&v.binds[1].first_choice, 1, IMAGE_FAULT_ORDER, IMAGE_SECTION_CHOICES},
        {(const uint8_t *)&v.clients[0].set, 2, IMAGE_FAULT_INDEX, IMAGE_SECTION_CLIENTS},
        {&v.clients[0].addr.bytes[15], 3, IMAGE_FAULT_ORDER, IMAGE_SECTION_CLIENTS},
        {&v.clients[0].addr.bytes[15], 2, IMAGE_FAULT_DUPLICATE, IMAGE_SECTION_CLIENTS},
        {(const uint8_t *)&v.client_sets[0].name.length, 0, IMAGE_FAULT_TEXT,
         IMAGE_SECTION_CLIENT_SETS},
    };
    for (unsigned i = 0; i < array_len(rows); i++) {
        section = 0;
        CHECK_EQ(fault_with(data, len, rows[i].byte, rows[i].value, &section), rows[i].fault);
        CHECK_EQ(section, rows[i].section);
    }
    free(data);
}

TEST(a_limit_of_connections_limits_something_and_can_be_counted_to)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    REQUIRE(v.n_conn_limits == 1 && v.binds[0].limit == IMAGE_NONE && v.binds[1].limit == 0);
    const struct image_conn_limit *e = &v.conn_limits[0];
    const struct {
        const uint8_t *byte;
        uint8_t value;
        enum image_fault fault;
    } rows[] = {
        {(const uint8_t *)&v.binds[1].limit, 1, IMAGE_FAULT_INDEX},
        {(const uint8_t *)&v.binds[0].limit + 3, 0, IMAGE_FAULT_INDEX},
        {(const uint8_t *)&e->conns_max, 0, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&e->conns_max + 3, 1, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&e->client_conns_max, 1, IMAGE_FAULT_OK},
        {(const uint8_t *)&e->client_conns_max + 3, 1, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&e->name.offset + 3, 1, IMAGE_FAULT_STRING},
    };
    for (unsigned i = 0; i < array_len(rows); i++)
        CHECK_EQ(fault_with(data, len, rows[i].byte, rows[i].value, &section), rows[i].fault);
    free(data);
}

TEST(passwords_have_a_realm_and_users_in_order)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    REQUIRE(v.n_basics == 1 && v.n_users == 2 && v.accesses[1].basic == 0);
    const struct image_basic *e = &v.basics[0];
    const struct image_user *ada = &v.users[0], *bob = &v.users[1];
    const uint8_t *hash = v.strings + ada->hash.offset;
    const struct {
        const void *byte;
        uint8_t value;
        enum image_fault fault;
    } rows[] = {
        {&v.accesses[1].basic, 1, IMAGE_FAULT_INDEX},
        {&e->reserved[6], 1, IMAGE_FAULT_RESERVED},
        {&e->hides_authorization, 1, IMAGE_FAULT_OK},
        {&e->hides_authorization, 2, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&e->n_users + 1, 0x11, IMAGE_FAULT_VALUE},
        {&e->n_users, 3, IMAGE_FAULT_INDEX},
        {&e->n_users, 1, IMAGE_FAULT_OWNER},
        {&e->first_user, 1, IMAGE_FAULT_INDEX},
        {&e->realm.length, 0, IMAGE_FAULT_STRING},
        {v.strings + e->realm.offset, '"', IMAGE_FAULT_TEXT},
        {v.strings + ada->name.offset, 'c', IMAGE_FAULT_ORDER},
        {v.strings + ada->name.offset, ':', IMAGE_FAULT_TEXT},
        {&ada->name.length, 0, IMAGE_FAULT_STRING},
        {&ada->hash.length, 59, IMAGE_FAULT_TEXT},
        {hash + 4, '3', IMAGE_FAULT_TEXT}, /* cost 30 */
        {(const uint8_t *)&bob->hash.offset + 3, 1, IMAGE_FAULT_STRING},
    };
    for (unsigned i = 0; i < array_len(rows); i++)
        CHECK_EQ(fault_with(data, len, rows[i].byte, rows[i].value, &section), rows[i].fault);
    free(data);
}

TEST(tokens_have_an_issuer_and_keys_of_which_each_says_how_it_signs)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    REQUIRE(v.n_jwts == 1 && v.n_jwt_keys == 2 && v.n_jwt_audiences == 2);
    REQUIRE(v.accesses[2].jwt == 0 && v.accesses[2].basic == IMAGE_NONE);
    const struct image_jwt *e = &v.jwts[0];
    const struct image_jwt_key *key = &v.jwt_keys[0];
    const struct image_string *audience = &v.jwt_audiences[0];
    const struct {
        const void *byte;
        uint8_t value;
        enum image_fault fault;
    } rows[] = {
        {&v.accesses[2].jwt, 1, IMAGE_FAULT_INDEX},
        {&e->reserved[6], 1, IMAGE_FAULT_RESERVED},
        {&e->hides_authorization, 1, IMAGE_FAULT_OK},
        {&e->hides_authorization, 2, IMAGE_FAULT_VALUE},
        {&e->n_keys, IMAGE_JWT_KEYS_MAX + 1, IMAGE_FAULT_VALUE},
        {&e->n_keys, 3, IMAGE_FAULT_INDEX},
        {&e->n_keys, 1, IMAGE_FAULT_OWNER},
        {&e->first_key, 1, IMAGE_FAULT_INDEX},
        {&e->n_audiences, IMAGE_JWT_AUDIENCES_MAX + 1, IMAGE_FAULT_VALUE},
        {&e->n_audiences, 3, IMAGE_FAULT_INDEX},
        {&e->n_audiences, 1, IMAGE_FAULT_OWNER},
        {&e->first_audience, 1, IMAGE_FAULT_INDEX},
        {&e->realm.length, 0, IMAGE_FAULT_STRING},
        {v.strings + e->realm.offset, '"', IMAGE_FAULT_TEXT},
        {v.strings + e->issuer.offset, '\n', IMAGE_FAULT_TEXT},
        {(const uint8_t *)&e->issuer.offset + 3, 1, IMAGE_FAULT_STRING},
        {&key->algs, 0, IMAGE_FAULT_VALUE},
        {&key->algs, IMAGE_JWT_RS256 | IMAGE_JWT_ES256, IMAGE_FAULT_VALUE},
        {&key->algs, 0x80, IMAGE_FAULT_VALUE},
        {&key->algs, IMAGE_JWT_ALGS_RSA, IMAGE_FAULT_OK},
        {v.strings + key->kid.offset, 0x7f, IMAGE_FAULT_TEXT},
        {(const uint8_t *)&key->spki.offset + 3, 1, IMAGE_FAULT_STRING},
        {v.strings + audience->offset, 0, IMAGE_FAULT_TEXT},
        {(const uint8_t *)&audience->offset + 3, 1, IMAGE_FAULT_STRING},
    };
    for (unsigned i = 0; i < array_len(rows); i++)
        CHECK_EQ(fault_with(data, len, rows[i].byte, rows[i].value, &section), rows[i].fault);
    memset(data + ((const uint8_t *)&v.accesses[2].basic - data), 0, sizeof(uint32_t));
    CHECK_EQ(fault_with(data, len, &e->reserved[0], 0, &section), IMAGE_FAULT_VALUE); /* both */
    free(data);
}

TEST(a_limit_has_numbers_that_can_be_counted_and_what_its_key_needs)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    uint32_t section;
    image_view_init(&v, data);
    REQUIRE(v.n_limits == 3);
    const struct image_limit *all = &v.limits[0], *client = &v.limits[1], *header = &v.limits[2];
    const struct {
        const uint8_t *byte;
        uint8_t value;
        enum image_fault fault;
    } rows[] = {
        {&all->key, 0, IMAGE_FAULT_VALUE},
        {&all->key, IMAGE_LIMIT_CLIENT, IMAGE_FAULT_VALUE},
        {&all->key, IMAGE_LIMIT_HEADER, IMAGE_FAULT_VALUE},
        {&all->key, IMAGE_LIMIT_HEADER + 1, IMAGE_FAULT_VALUE},
        {&all->prefix4_len, 1, IMAGE_FAULT_VALUE},
        {&all->reserved, 1, IMAGE_FAULT_RESERVED},
        {(const uint8_t *)&header->burst, 0, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&header->requests, 0, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&header->header.length, 0, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&all->requests + 3, 1, IMAGE_FAULT_VALUE}, /* 2^24 more */
        {(const uint8_t *)&all->burst + 3, 1, IMAGE_FAULT_VALUE},
        {(const uint8_t *)&all->period_ms + 1, 0, IMAGE_FAULT_VALUE}, /* 96 ms */
        {(const uint8_t *)&all->period_ms + 3, 6, IMAGE_FAULT_VALUE}, /* 28 h */
        {(const uint8_t *)&header->burst + 2, 15, IMAGE_FAULT_VALUE}, /* 983,041 minutes */
        {(const uint8_t *)&header->burst + 2, 8, IMAGE_FAULT_OK},     /* 524,289 minutes */
        {&client->prefix4_len, 0, IMAGE_FAULT_VALUE},
        {&client->prefix4_len, 33, IMAGE_FAULT_VALUE},
        {&client->prefix6_len, 0, IMAGE_FAULT_VALUE},
        {&client->prefix6_len, 128, IMAGE_FAULT_OK},
        {&client->prefix6_len, 129, IMAGE_FAULT_VALUE},
        {data + ((const uint8_t *)image_text(&v, header->header).ptr - data), 'X',
         IMAGE_FAULT_TEXT},
    };
    for (size_t i = 0; i < array_len(rows); i++) {
        CHECK_EQ(fault_with(data, len, rows[i].byte, rows[i].value, &section), rows[i].fault);
        CHECK_EQ(section, rows[i].fault == IMAGE_FAULT_OK ? 0 : IMAGE_SECTION_LIMITS);
    }
    free(data);
}

/* Another value of a word of the image, and what is said against it. */
struct word {
    const void *field;
    uint32_t value;
    enum image_fault fault;
};

/* Each in a copy of its own, with the checksum made right. */
static void check_words(const uint8_t *data, size_t len, const struct word *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t *copy = copy_of(data, len);
        memcpy(copy + ((const uint8_t *)words[i].field - data), &words[i].value, sizeof(uint32_t));
        image_seal(copy, len);
        CHECK_STR(image_fault_name(image_check(copy, len, NULL)), image_fault_name(words[i].fault));
        free(copy);
    }
}

TEST(patterns_belong_to_one_set_and_sets_to_one_owner)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    const struct image_pattern_set *of_host = &v.pattern_sets[2];
    REQUIRE(of_host->n_patterns == 2 &&
            v.patterns[of_host->first_pattern].value.index != IMAGE_NONE);
    const struct image_predicate *predicate = v.predicates;
    while (!image_has_pattern(predicate->kind))
        predicate++;
    const struct word rows[] = {
        {&of_host->n_patterns, 0, IMAGE_FAULT_VALUE},
        {&of_host->n_patterns, IMAGE_PATTERNS_PER_SET_MAX + 1, IMAGE_FAULT_VALUE},
        {&of_host->n_patterns, 1, IMAGE_FAULT_OWNER},
        {&of_host->first_pattern, 1, IMAGE_FAULT_OWNER},
        {&of_host->database, v.n_databases, IMAGE_FAULT_INDEX},
        {&of_host->node, v.n_nodes, IMAGE_FAULT_INDEX},
        {&of_host->node, IMAGE_NONE, IMAGE_FAULT_OWNER},
        {&of_host->node, 0, IMAGE_FAULT_OWNER},
        {&v.node_rests[of_host->node].first_set, IMAGE_NONE, IMAGE_FAULT_INDEX},
        {&v.node_rests[of_host->node].first_set, 0, IMAGE_FAULT_OWNER},
        {&v.node_rests[of_host->node].first_set, v.n_pattern_sets, IMAGE_FAULT_INDEX},
        {&v.patterns[of_host->first_pattern].way, 1, IMAGE_FAULT_VALUE},
        {&v.patterns[of_host->first_pattern].way, 4096, IMAGE_FAULT_VALUE},
        {&v.patterns[0].way, 1, IMAGE_FAULT_VALUE},
        {&v.patterns[of_host->first_pattern].value.index, v.n_paths, IMAGE_FAULT_INDEX},
        {&v.patterns[of_host->first_pattern].value.index, 0, IMAGE_FAULT_VALUE_KIND},
        {&v.patterns[of_host->first_pattern].value.to, 1, IMAGE_FAULT_VALUE},
        {&v.patterns[of_host->first_pattern].value.more, 1, IMAGE_FAULT_VALUE},
        {&v.patterns[0].value.to, 0, IMAGE_FAULT_INDEX},
        {&v.patterns[of_host->first_pattern].text.length, 0, IMAGE_FAULT_STRING},
        {&predicate->set, IMAGE_NONE, IMAGE_FAULT_INDEX},
        {&predicate->set, v.n_pattern_sets, IMAGE_FAULT_INDEX},
        {&predicate->set, 2, IMAGE_FAULT_OWNER},
        {&v.databases[1].offset, 0, IMAGE_FAULT_OWNER},
        {&v.databases[1].length, 0, IMAGE_FAULT_INDEX},
    };
    check_words(data, len, rows, array_len(rows));
    free(data);
}

/* The first node of that kind with these of the flags in `mask`, whose value tells where to go. */
static uint32_t node_with(const struct image_view *v, enum image_node_kind kind, unsigned mask,
                          unsigned flags)
{
    uint32_t i = 0;
    while (v->nodes[i].kind != kind || (v->nodes[i].flags & mask) != flags ||
           v->nodes[i].value.to == IMAGE_NONE) {
        i++;
        REQUIRE(i < v->n_nodes);
    }
    return i;
}

static uint32_t free_node(const struct image_view *v)
{
    uint32_t i = 0;
    while (v->nodes[i].kind != 0)
        i++;
    return i;
}

/* The same for a byte. */
static void check_byte(const uint8_t *data, size_t len, const uint8_t *field, unsigned value,
                       enum image_fault fault)
{
    uint8_t *copy = copy_of(data, len);
    copy[field - data] = (uint8_t)value;
    image_seal(copy, len);
    CHECK_STR(image_fault_name(image_check(copy, len, NULL)), image_fault_name(fault));
    free(copy);
}

TEST(a_node_with_one_pattern_says_what_its_set_says)
{
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    uint32_t i = node_with(&v, IMAGE_NODE_PATHS, IMAGE_NODE_IS_LONE, IMAGE_NODE_IS_LONE);
    const struct image_node *e = &v.nodes[i];
    const struct image_node_rest *rest = &v.node_rests[i];
    const struct image_pattern_set *set = &v.pattern_sets[rest->first_set];
    struct image_lone lone = image_node_lone(e);
    CHECK(image_node_exact(&v, i) == NULL && image_node_subtree(&v, i) == NULL);
    CHECK_EQ(lone.database, set->database);
    CHECK_EQ(lone.value.index, v.patterns[set->first_pattern].value.index);
    CHECK_EQ(v.paths[lone.value.index].kind, IMAGE_PATH_REGEX);
    const struct word rows[] = {
        {&rest->first_set, IMAGE_NONE, IMAGE_FAULT_INDEX},
        {&rest->subtree.index, 0, IMAGE_FAULT_INDEX},
        {e->head + IMAGE_LONE_HEAD_BYTES, lone.database - 1, IMAGE_FAULT_VALUE},
        {&e->value.index, lone.value.index - 1, IMAGE_FAULT_VALUE},
        {&e->value.to, lone.value.to - 1, IMAGE_FAULT_VALUE},
        {&e->value.more, lone.value.more - 1, IMAGE_FAULT_VALUE},
    };
    check_words(data, len, rows, array_len(rows));
    check_byte(data, len, &e->flags, e->flags | IMAGE_NODE_HAS_EXACT, IMAGE_FAULT_INDEX);
    check_byte(data, len, &e->flags, e->flags & ~IMAGE_NODE_HAS_SETS, IMAGE_FAULT_INDEX);
    check_byte(data, len, &e->flags, e->flags & ~IMAGE_NODE_IS_LONE, IMAGE_FAULT_INDEX);
    free(data);
}

/* A worker reads no more of most requests than halves of two nodes, so these say what the rest
 * says. */
TEST(a_node_says_what_it_leads_to)
{
    const unsigned both = IMAGE_NODE_HAS_EXACT | IMAGE_NODE_HAS_SUBTREE;
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    uint32_t at = node_with(&v, IMAGE_NODE_PATHS, both, IMAGE_NODE_HAS_EXACT);
    const struct image_node *path = &v.nodes[at], *none = &v.nodes[free_node(&v)];
    const struct image_node *host =
        &v.nodes[node_with(&v, IMAGE_NODE_HOSTS, both, IMAGE_NODE_HAS_EXACT)];
    const struct image_node *root = &v.nodes[host->value.to];
    CHECK(image_node_exact(&v, at) == &path->value && image_node_subtree(&v, at) == NULL);
    const struct word rows[] = {
        {&host->value.to, host->value.to + 1, IMAGE_FAULT_VALUE},
        {&host->value.more, host->value.more + 1, IMAGE_FAULT_VALUE},
        {&path->value.to, path->value.to + 1, IMAGE_FAULT_VALUE},
        {&path->value.to, IMAGE_NONE, IMAGE_FAULT_VALUE},
        {&path->value.more, path->value.more + 1, IMAGE_FAULT_VALUE},
        {&path->value.index, IMAGE_NONE, IMAGE_FAULT_INDEX},
        {&path->value.index, v.n_paths, IMAGE_FAULT_INDEX},
        {&path->parent, v.n_nodes, IMAGE_FAULT_TRIE},
        {&path->parent, (uint32_t)(none - v.nodes), IMAGE_FAULT_TRIE},
        {&path->parent, IMAGE_NONE, IMAGE_FAULT_TRIE},
        {host->head, 0, IMAGE_FAULT_VALUE},
        {host->head + IMAGE_HEAD_BYTES - 4, 1, IMAGE_FAULT_VALUE}, /* behind a short label */
        {&v.node_rests[at].hash, 0, IMAGE_FAULT_HASH},
        {&v.node_rests[at].subtree.index, 0, IMAGE_FAULT_INDEX},
        {&v.node_rests[host->value.to].hash, 0, IMAGE_FAULT_HASH},
        {&none->parent, 1, IMAGE_FAULT_RESERVED},
        {none->head + IMAGE_HEAD_BYTES - 4, 1, IMAGE_FAULT_RESERVED},
        {&v.node_rests[none - v.nodes].hash, 1, IMAGE_FAULT_RESERVED},
    };
    check_words(data, len, rows, array_len(rows));
    check_byte(data, len, &root->flags, root->flags & ~IMAGE_NODE_HAS_CHILDREN, IMAGE_FAULT_TRIE);
    check_byte(data, len, &path->flags, IMAGE_NODE_FLAGS + 1, IMAGE_FAULT_VALUE);
    check_byte(data, len, &path->flags, path->flags & ~IMAGE_NODE_HAS_EXACT, IMAGE_FAULT_INDEX);
    check_byte(data, len, &path->flags, path->flags | IMAGE_NODE_HAS_SUBTREE, IMAGE_FAULT_INDEX);
    free(data);
}

TEST(a_node_with_both_values_has_one_in_each_half)
{
    const unsigned both = IMAGE_NODE_HAS_EXACT | IMAGE_NODE_HAS_SUBTREE;
    size_t len;
    uint8_t *data = sample_image(&len);
    struct image_view v;
    image_view_init(&v, data);
    uint32_t at = node_with(&v, IMAGE_NODE_PATHS, both, both);
    const struct image_node *e = &v.nodes[at];
    const struct image_value *subtree = image_node_subtree(&v, at);
    CHECK(image_node_exact(&v, at) == &e->value && subtree == &v.node_rests[at].subtree);
    CHECK_EQ(v.paths[e->value.index].kind, IMAGE_PATH_EXACT);
    CHECK_EQ(v.paths[subtree->index].kind, IMAGE_PATH_PREFIX);
    const struct word rows[] = {
        {&subtree->index, IMAGE_NONE, IMAGE_FAULT_INDEX},
        {&subtree->index, v.n_paths, IMAGE_FAULT_INDEX},
        {&subtree->index, e->value.index, IMAGE_FAULT_VALUE_KIND},
        {&e->value.index, subtree->index, IMAGE_FAULT_VALUE_KIND},
        {&subtree->to, subtree->to + 1, IMAGE_FAULT_VALUE},
    };
    check_words(data, len, rows, array_len(rows));
    free(data);
}

TEST(congestion_controls_are_found_by_their_names)
{
    CHECK_EQ(image_congestion_named("Cubic"), IMAGE_CONGESTION_CUBIC);
    CHECK_EQ(image_congestion_named("BBR"), IMAGE_CONGESTION_BBR);
    CHECK_EQ(image_congestion_named("bbr"), IMAGE_CONGESTION_NONE);
    CHECK_EQ(image_congestion_named(""), IMAGE_CONGESTION_NONE);
    CHECK_STR(image_congestion_name(IMAGE_CONGESTION_BBR), "BBR");
}

UNIT_MAIN("abi/image", T(a_built_image_is_accepted_and_names_its_content),
          T(a_virtual_router_has_a_number_that_vrrp_knows),
          T(the_box_that_is_drained_is_an_ipv4_host_and_may_be_this_one),
          T(the_content_checksum_leaves_the_generation_out), T(every_flipped_byte_is_refused),
          T(an_image_cut_anywhere_is_refused),
          T(every_flipped_byte_with_a_right_checksum_is_refused_or_harmless),
          T(every_word_with_an_extreme_value_is_refused_or_harmless),
          T(every_field_of_the_section_table_is_checked),
          T(many_damages_at_once_are_refused_or_harmless),
          T(vips_stand_behind_own_addresses_in_order_and_each_once),
          T(only_a_listener_that_terminates_tls_has_identities),
          T(who_asks_clients_for_certificates_knows_whose),
          T(connections_to_backends_are_secured_as_somebody_can_be),
          T(a_backend_that_is_secured_has_a_group),
          T(congestion_control_is_one_that_is_known_and_the_same_for_a_group),
          T(a_proxy_header_is_required_or_not_and_the_same_for_a_group),
          T(what_is_spoken_is_the_same_to_all_of_a_group),
          T(a_prefix_has_addresses_of_its_family_only), T(filters_of_a_backend_change_headers_only),
          T(a_mirror_takes_no_more_than_all_requests), T(a_route_is_known_by_the_id_of_its_name),
          T(matches_of_a_grpc_route_and_only_those_are_for_calls),
          T(a_retry_policy_has_attempts_and_names_statuses_of_faults),
          T(an_access_has_lists_of_its_own_that_can_be_searched),
          T(gates_lead_to_lists_and_stand_in_the_order_of_their_addresses),
          T(who_has_a_bind_of_his_own_finds_it_and_all_others_that_of_everybody),
          T(binds_of_some_clients_hang_on_that_of_everybody_in_order),
          T(a_limit_of_connections_limits_something_and_can_be_counted_to),
          T(passwords_have_a_realm_and_users_in_order),
          T(tokens_have_an_issuer_and_keys_of_which_each_says_how_it_signs),
          T(a_limit_has_numbers_that_can_be_counted_and_what_its_key_needs),
          T(balancing_is_one_that_is_known_where_there_is_a_group),
          T(packets_are_forwarded_only_where_no_connection_of_ours_is_needed),
          T(only_balancing_by_hash_has_a_key_and_only_some_keys_have_a_name),
          T(a_session_has_keys_and_what_can_be_a_cookie),
          T(patterns_belong_to_one_set_and_sets_to_one_owner),
          T(a_node_with_one_pattern_says_what_its_set_says), T(a_node_says_what_it_leads_to),
          T(a_node_with_both_values_has_one_in_each_half),
          T(congestion_controls_are_found_by_their_names))
