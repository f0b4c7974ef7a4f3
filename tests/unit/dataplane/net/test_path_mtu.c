/* SPDX-License-Identifier: Apache-2.0 */
/* What is remembered of paths that are narrower than their interface. */
#include "net/path_mtu.h"

#include "base/container.h"
#include "net/net.h"
#include "net_fixture.h"

#define FAR "203.0.113.9"

static void learn(struct net_fixture *f, const char *dst, uint16_t mtu)
{
    struct ip_addr a = addr_of(dst);
    net_path_mtu_learn(f->net, &a, mtu, true);
}

/* What a new connection to `dst` begins with; 0: the interface's. */
static uint16_t known(struct net_fixture *f, const char *dst)
{
    struct ip_addr a = addr_of(dst);
    struct net_path_mtu got;
    return net_path_mtu_find(f->net, &a, &got) ? got.mtu : 0;
}

/* A packet of `bytes` has arrived; the interface takes 1,500. */
static void passed(struct net_fixture *f, const char *dst, uint16_t bytes)
{
    struct ip_addr a = addr_of(dst);
    net_path_mtu_passed(f->net, &a, bytes, 1500);
}

TEST(a_narrow_path_is_remembered_by_destination_for_ten_minutes)
{
    struct net_fixture *f = net_up(0);
    learn(f, FAR, 1400);
    CHECK_EQ(known(f, FAR), 1400);
    CHECK_EQ(known(f, "203.0.113.8"), 0);
    f->core.now_us += NET_PATH_MTU_US / 2;
    struct ip_addr a = addr_of(FAR);
    struct net_path_mtu got;
    REQUIRE(net_path_mtu_find(f->net, &a, &got));
    CHECK(got.is_told);
    CHECK_EQ(got.left_ms, NET_PATH_MTU_US / 2000);
    net_path_mtu_learn(f->net, &a, 1300, false); /* the last word counts, and its time */
    f->core.now_us += NET_PATH_MTU_US - 1;
    REQUIRE(net_path_mtu_find(f->net, &a, &got));
    CHECK(!got.is_told);
    CHECK_EQ(got.mtu, 1300);
    f->core.now_us += 1;
    CHECK_EQ(known(f, FAR), 0);
    CHECK_EQ(net_stat(f, STAT_net_path_mtu_learned), 2);
    CHECK_EQ(net_stat(f, STAT_net_path_mtu_used), 3);
    CHECK_EQ(net_stat(f, STAT_net_path_mtu_pushed), 0);
    net_down(f);
}

TEST(nobody_makes_others_of_his_address_send_crumbs)
{
    struct net_fixture *f = net_up(0);
    learn(f, FAR, 552);
    CHECK_EQ(known(f, FAR), NET_PATH_MTU_MIN);
    learn(f, "2001:db8:9::9", 1280);
    CHECK_EQ(known(f, "2001:db8:9::9"), 1280);
    net_down(f);
}

TEST(what_arrives_raises_what_is_remembered_and_nothing_else_does)
{
    struct net_fixture *f = net_up(0);
    passed(f, FAR, 1400); /* of a path that nothing is known of there is nothing to say */
    CHECK_EQ(known(f, FAR), 0);
    learn(f, FAR, 1300);
    passed(f, FAR, 1299);
    CHECK_EQ(known(f, FAR), 1300);
    passed(f, FAR, 1400);
    CHECK_EQ(known(f, FAR), 1400);
    passed(f, FAR, 1500);
    CHECK_EQ(known(f, FAR), 0);
    CHECK_EQ(net_stat(f, STAT_net_path_mtu_raised), 2);
    net_down(f);
}

TEST(who_has_a_prefix_has_no_more_places_than_who_has_one_address)
{
    struct net_fixture *f = net_up(0);
    learn(f, FAR, 1400);
    enum { ADDRESSES = 10000 };
    for (unsigned i = 0; i < ADDRESSES; i++) {
        struct ip_addr a = addr_of("2001:db8:9::");
        a.bytes[14] = (uint8_t)(i >> 8);
        a.bytes[15] = (uint8_t)i;
        f->core.now_us += 10;
        net_path_mtu_learn(f->net, &a, 1280, true);
    }
    unsigned places = 0;
    for (unsigned set = 0; set < NET_PATH_MTU_SETS_MAX; set++) {
        for (unsigned way = 0; way < NET_PATH_MTU_WAYS; way++)
            places += f->net->path_mtus->sets[set][way].until_us != 0;
    }
    CHECK(places <= NET_PATH_MTU_WAYS + 1);
    CHECK(net_stat(f, STAT_net_path_mtu_pushed) >= ADDRESSES - NET_PATH_MTU_WAYS);
    CHECK_EQ(known(f, "2001:db8:9::270f"), 1280); /* the newest is kept */
    CHECK_EQ(known(f, "2001:db8:9::1"), 0);
    net_down(f);
}

TEST(the_table_holds_as_many_as_were_promised_and_the_oldest_gives_way)
{
    struct net_fixture *f = net_up(0);
    const unsigned most = NET_PATH_MTU_SETS_MAX * NET_PATH_MTU_WAYS;
    struct ip_addr a = addr_of("10.0.0.0");
    for (unsigned i = 0; i < most; i++) {
        a.bytes[14] = (uint8_t)(i >> 8);
        a.bytes[15] = (uint8_t)i;
        f->core.now_us += 10;
        net_path_mtu_learn(f->net, &a, 1400, true);
    }
    uint64_t pushed = net_stat(f, STAT_net_path_mtu_pushed);
    CHECK(pushed > 0 && pushed < most / 4); /* a fifth where sets have four places */
    struct net_path_mtu got;
    unsigned n_known = 0;
    for (unsigned i = 0; i < most; i++) {
        a.bytes[14] = (uint8_t)(i >> 8);
        a.bytes[15] = (uint8_t)i;
        n_known += net_path_mtu_find(f->net, &a, &got);
    }
    CHECK_EQ(n_known, most - pushed);
    f->core.now_us += NET_PATH_MTU_US; /* all are too old: nobody has to go for a new one */
    learn(f, FAR, 1400);
    CHECK_EQ(net_stat(f, STAT_net_path_mtu_pushed), pushed);
    CHECK_EQ(known(f, FAR), 1400);
    net_down(f);
}

UNIT_MAIN("net/path_mtu", T(a_narrow_path_is_remembered_by_destination_for_ten_minutes),
          T(nobody_makes_others_of_his_address_send_crumbs),
          T(what_arrives_raises_what_is_remembered_and_nothing_else_does),
          T(who_has_a_prefix_has_no_more_places_than_who_has_one_address),
          T(the_table_holds_as_many_as_were_promised_and_the_oldest_gives_way))
