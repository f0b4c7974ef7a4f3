/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and small algorithms of dataplane/base. */
#include "base/ip_addr.h"
#include "base/list.h"
#include "base/siphash.h"
#include "unit.h"

TEST(siphash_gives_the_papers_vector)
{
    struct siphash_key key = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    uint8_t input[15];
    for (unsigned i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    CHECK(siphash(&key, input, sizeof(input)) == 0xa129ca6149be45e5ULL);
}

TEST(addresses_survive_text_and_back)
{
    static const char *const texts[] = {"198.18.0.1", "2001:db8::1", "::", "0.0.0.0"};
    for (unsigned i = 0; i < array_len(texts); i++) {
        struct ip_addr a;
        char buf[IP_ADDR_TEXT_MAX];
        REQUIRE(ip_addr_parse(texts[i], &a));
        CHECK_STR(ip_addr_format(&a, buf), texts[i]);
    }
    struct ip_addr a;
    CHECK(!ip_addr_parse("198.18.0.256", &a));
    CHECK(!ip_addr_parse("198.18.0.1 ", &a));
}

TEST(a_removed_node_is_on_no_list)
{
    struct list_node head;
    struct list_node a = {0};
    list_init(&head);
    CHECK(list_take_front(&head) == NULL);
    list_push_back(&head, &a);
    CHECK(list_is_linked(&a));
    CHECK(list_take_front(&head) == &a);
    CHECK(!list_is_linked(&a));
    CHECK(list_is_empty(&head));
}

UNIT_MAIN("base", T(siphash_gives_the_papers_vector), T(addresses_survive_text_and_back),
          T(a_removed_node_is_on_no_list))
