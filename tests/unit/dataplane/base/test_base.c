/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and small algorithms of dataplane/base. */
#include "base/ip_addr.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/siphash.h"
#include "unit.h"

#include <stdlib.h>

TEST(siphash_gives_the_papers_vector)
{
    struct siphash_key key = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    uint8_t input[15];
    for (unsigned i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    CHECK(siphash(&key, input, sizeof(input)) == 0xa129ca6149be45e5ULL);
}

/* As CPython 3.11 has them, whose hash of bytes it is: PYTHONHASHSEED=0, hash(bytes(range(40))). */
TEST(siphash_of_fewer_rounds_is_the_one_that_others_have)
{
    static const struct siphash_key zero;
    uint8_t input[40];
    uint64_t words[5];
    for (size_t i = 0; i < sizeof(input); i++)
        input[i] = (uint8_t)i;
    memcpy(words, input, sizeof(words));
    CHECK(siphash13(&zero, words, 2) == 0x8972188433a5c5b7ULL);
    CHECK(siphash13(&zero, words, 5) == 0x95bc321ab41d8206ULL);
}

/* Whole vectors and what is left over, whatever this processor has. */
TEST(siphash_of_a_burst_is_that_of_each_key)
{
    enum { BURST = 37 };
    struct siphash_key key = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    struct rng rng = {7};
    uint64_t first[BURST], second[BURST], got[BURST + 1];
    for (unsigned i = 0; i < BURST; i++) {
        first[i] = rng_next(&rng);
        second[i] = rng_next(&rng);
    }
    for (unsigned n = 0; n <= BURST; n++) {
        got[n] = 0x5eed;
        siphash13_pairs(&key, first, second, got, n);
        for (unsigned i = 0; i < n; i++)
            CHECK(got[i] == siphash13(&key, (const uint64_t[]){first[i], second[i]}, 2));
        CHECK(got[n] == 0x5eed); /* nothing behind them */
    }
}

TEST(siphash_takes_every_length)
{
    /* The first of the reference implementation's vectors: the bytes 0, 1, 2, ... */
    static const uint64_t first[] = {0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
                                     0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
                                     0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462,
                                     0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7};
    struct siphash_key key = {0x0706050403020100ULL, 0x0f0e0d0c0b0a0908ULL};
    uint8_t input[array_len(first)];
    for (unsigned len = 0; len < array_len(first); len++) {
        input[len] = (uint8_t)len;
        CHECK(siphash(&key, input, len) == first[len]);
    }
}

TEST(addresses_survive_text_and_back)
{
    static const char *const texts[] = {
        "198.18.0.1", "2001:db8::1", "::", "0.0.0.0", "255.255.255.255", "9.10.99.100"};
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

TEST(addresses_of_the_box_itself_of_a_link_and_of_groups_are_not_reachable_ones)
{
    static const char *const unfit[] = {
        "0.0.0.0",   "0.1.2.3",   "127.0.0.1", "127.9.9.9",       "169.254.169.254",
        "224.0.0.1", "240.0.0.1", "::",        "255.255.255.255", "::1",
        "fe80::1",   "febf::1",   "ff02::1",   "ffff::1"};
    static const char *const fit[] = {
        "1.0.0.1",         "10.0.0.1", "126.255.255.255", "128.0.0.1", "169.253.255.255",
        "223.255.255.255", "::2",      "2001:db8::1",     "fd00::1",   "fec0::1"};
    struct ip_addr a;
    for (unsigned i = 0; i < array_len(unfit); i++) {
        REQUIRE(ip_addr_parse(unfit[i], &a));
        CHECK(!ip_addr_is_reachable(&a));
    }
    for (unsigned i = 0; i < array_len(fit); i++) {
        REQUIRE(ip_addr_parse(fit[i], &a));
        CHECK(ip_addr_is_reachable(&a));
    }
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

TEST(shares_come_out_even_wherever_the_sequence_begins)
{
    struct rng seeds = {.state = 1};
    for (unsigned i = 0; i < 1000; i++) {
        struct even e = {.state = rng_next(&seeds)};
        int n = 0;
        for (unsigned k = 0; k < 500; k++)
            n += ((uint64_t)even_next(&e) * 100) >> 32 < 70;
        CHECK(abs(n - 350) <= 3); /* the Gateway API's own suite allows 25 */
    }
}

UNIT_MAIN("base", T(shares_come_out_even_wherever_the_sequence_begins),
          T(siphash_gives_the_papers_vector), T(siphash_of_a_burst_is_that_of_each_key),
          T(siphash_of_fewer_rounds_is_the_one_that_others_have), T(siphash_takes_every_length),
          T(addresses_survive_text_and_back),
          T(addresses_of_the_box_itself_of_a_link_and_of_groups_are_not_reachable_ones),
          T(a_removed_node_is_on_no_list))
