/* SPDX-License-Identifier: Apache-2.0 */
/* Multicast listener discovery: which groups are reported, when, and to whom. */
#include "base/container.h"
#include "net/cksum.h"
#include "net_fixture.h"
#include "unit_eal.h"

#include <rte_mbuf.h>
#include <string.h>

#define MAC_ROUTERS "33:33:00:00:00:16"

static void put_router_alert(struct packet *p)
{
    static const uint8_t router_alert[] = {5, 2, 0, 0, 1, 0};
    unsigned at = packet_ext(p, 0, 8);
    memcpy(&p->bytes[at + 2], router_alert, sizeof(router_alert));
}

/* A report that leaves `iface` of the fixture: eth, VLAN, IPv6, router alert, ICMPv6. */
static struct packet report(uint16_t vlan, uint8_t type, const char *dst_mac, const char *dst)
{
    struct packet p = packet_eth(dst_mac, MAC_US);
    if (vlan != 0)
        packet_vlan(&p, vlan);
    packet_ip6(&p, LL6, dst, 1);
    put_router_alert(&p);
    packet_icmp(&p, type, 0, 0);
    return p;
}

static void record(struct packet *p, uint8_t type, const char *group)
{
    uint8_t head[4] = {type};
    struct ip_addr a = addr_of(group);
    packet_bytes(p, head, 4);
    packet_bytes(p, a.bytes, 16);
    p->bytes[p->l4_at + 7]++;
}

static bool was_sent(const struct net_fixture *f, unsigned i, struct packet *p)
{
    packet_close(p);
    return i < f->n_sent && f->sent[i].len == p->len &&
           memcmp(f->sent[i].bytes, p->bytes, p->len) == 0;
}

/* How often. */
static unsigned times_sent(const struct net_fixture *f, struct packet *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < f->n_sent; i++)
        n += was_sent(f, i, p);
    return n;
}

/* The report that names all groups of interface 0. */
static struct packet report_of_0(uint8_t type)
{
    struct packet p = report(0, 143, MAC_ROUTERS, "ff02::16");
    record(&p, type, "ff02::1:ff00:1"); /* of the link-local address */
    record(&p, type, "ff02::1:ff00:1");
    record(&p, type, "ff02::1:ff00:80");
    return p;
}

/* No interface is left, nor anybody to tell. */
static void configure_nothing(struct net_fixture *f)
{
    static const struct net_config nothing;
    net_configure(f->net, &nothing);
}

static struct net_fixture *quiet(uint8_t worker)
{
    struct net_fixture *f = net_up(worker);
    net_wait_ms(f, 3000);
    net_forget_sent(f);
    f->records_reports = true;
    return f;
}

TEST(new_addresses_have_their_groups_reported_twice)
{
    struct net_fixture *f = quiet(0);
    configure_nothing(f);
    uint64_t before = net_stat(f, STAT_net_mld_reports);
    net_configure(f->net, net_fixture_config());
    net_wait_ms(f, 20);
    /* The link-local groups of the interfaces, then the addresses of the first. */
    struct packet p[3] = {report(0, 143, MAC_ROUTERS, "ff02::16"),
                          report(7, 143, MAC_ROUTERS, "ff02::16"),
                          report(0, 143, MAC_ROUTERS, "ff02::16")};
    record(&p[0], 4, "ff02::1:ff00:1");
    record(&p[1], 4, "ff02::1:ff00:1");
    record(&p[2], 4, "ff02::1:ff00:1");
    record(&p[2], 4, "ff02::1:ff00:80");
    for (unsigned i = 0; i < array_len(p); i++)
        CHECK_EQ(times_sent(f, &p[i]), 1);
    CHECK_EQ(net_stat(f, STAT_net_mld_reports), before + 4); /* and one by the other port */
    net_wait_ms(f, 5000);
    for (unsigned i = 0; i < array_len(p); i++)
        CHECK_EQ(times_sent(f, &p[i]), NET_MLD_TIMES);
    CHECK_EQ(net_stat(f, STAT_net_mld_reports), before + 4 * NET_MLD_TIMES);
    CHECK_EQ(f->core.wheel.armed, 0);
    net_down(f);
}

TEST(groups_are_reported_again_when_the_interface_has_an_address_to_do_it_from)
{
    static const struct net_interface interfaces[] = {{.port = 0, .vlan = 9}};
    struct net_config config = {.interfaces = interfaces, .n_interfaces = 1};
    struct net_fixture *f = quiet(0);
    net_set_probe(f->net, NET_PROBE_ALL);
    net_configure(f->net, &config);
    unsigned reports[2] = {0};
    net_wait_ms(f, 5000);
    for (unsigned from_own = 0; from_own < 2; from_own++) {
        struct packet p = packet_eth(MAC_ROUTERS, MAC_US);
        packet_vlan(&p, 9);
        packet_ip6(&p, from_own ? LL6 : "::", "ff02::16", 1);
        put_router_alert(&p);
        packet_icmp(&p, 143, 0, 0);
        record(&p, 4, "ff02::1:ff00:1");
        reports[from_own] = times_sent(f, &p);
    }
    CHECK_EQ(reports[0], 1); /* for switches, before it is asked whether it is free */
    CHECK_EQ(reports[1], NET_MLD_TIMES);
    CHECK_EQ(f->core.wheel.armed, 0);
    net_down(f);
}

TEST(a_configuration_with_the_same_addresses_is_no_news)
{
    struct net_fixture *f = quiet(0);
    net_configure(f->net, net_fixture_config());
    net_wait_ms(f, 3000);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

/* The configuration of the fixture without the `n` last of its IPv6 addresses (it has two). */
static void configure_without(struct net_fixture *f, unsigned n)
{
    static struct net_address kept[8];
    struct net_config config = *net_fixture_config();
    config.n_addresses = 0;
    for (unsigned i = 0, v6 = 0; i < net_fixture_config()->n_addresses; i++) {
        const struct net_address *a = &net_fixture_config()->addresses[i];
        v6 += !ip_addr_is_v4(&a->addr);
        if (ip_addr_is_v4(&a->addr) || v6 + n <= 2)
            kept[config.n_addresses++] = *a;
    }
    config.addresses = kept;
    config.n_routes = 0;
    net_configure(f->net, &config);
}

/* Reports that we are in no source's group `group` any more. */
static unsigned n_leaves(const struct net_fixture *f, const char *group)
{
    struct packet p = report(0, 143, MAC_ROUTERS, "ff02::16");
    record(&p, 3, group);
    return times_sent(f, &p);
}

TEST(a_group_that_was_left_is_told_twice)
{
    struct net_fixture *f = quiet(0);
    configure_without(f, 1);
    net_wait_ms(f, 500);
    CHECK_EQ(n_leaves(f, "ff02::1:ff00:80"), 1);
    net_wait_ms(f, 5000);
    CHECK_EQ(n_leaves(f, "ff02::1:ff00:80"), NET_MLD_TIMES);
    CHECK_EQ(net_stat(f, STAT_net_mld_leaves_untold), 0);
    CHECK_EQ(f->core.wheel.armed, 0);
    net_forget_sent(f);
    configure_without(f, 2); /* its group is that of the interface's own address, too */
    net_wait_ms(f, 5000);
    CHECK_EQ(n_leaves(f, "ff02::1:ff00:1"), 0);
    net_down(f);
}

TEST(a_group_that_is_joined_again_is_not_told_any_more)
{
    struct net_fixture *f = quiet(0);
    configure_without(f, 1);
    net_wait_ms(f, 500);
    net_configure(f->net, net_fixture_config());
    net_wait_ms(f, 5000);
    CHECK_EQ(n_leaves(f, "ff02::1:ff00:80"), 1);
    CHECK_EQ(f->core.wheel.armed, 0);
    configure_without(f, 1); /* nor if its interface is gone */
    configure_nothing(f);
    net_forget_sent(f);
    net_wait_ms(f, 5000);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

TEST(other_workers_tell_of_no_group_that_was_left)
{
    struct net_fixture *f = quiet(1);
    configure_without(f, 1);
    net_wait_ms(f, 5000);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

/* As many addresses as there can be, `part` in them, on one interface. */
static void configure_many(struct net_fixture *f, uint8_t part)
{
    static const struct net_interface one = {.port = 0};
    static struct net_address addresses[NET_ADDRESSES_MAX];
    for (unsigned i = 0; i < array_len(addresses); i++) {
        addresses[i] = (struct net_address){addr_of("2001:db8:5::"), 128, 1, 0};
        addresses[i].addr.bytes[13] = part;
        addresses[i].addr.bytes[14] = (uint8_t)(i >> 8);
        addresses[i].addr.bytes[15] = (uint8_t)i;
    }
    net_configure(f->net, &(struct net_config){&one, 1, addresses, array_len(addresses)});
}

/* Time passes; how many groups are told as left meanwhile. */
static unsigned n_left_within(struct net_fixture *f, unsigned ms)
{
    unsigned n = 0;
    for (unsigned at = 0; at < ms; at += 10) {
        net_wait_ms(f, 10);
        for (unsigned i = 0; i < f->n_sent; i++) {
            const uint8_t *icmp = f->sent[i].bytes + 14 + 40 + 8;
            if (icmp[0] == 143 && icmp[8] == 3)
                n += (unsigned)icmp[6] << 8 | icmp[7];
        }
        net_forget_sent(f);
    }
    return n;
}

TEST(very_many_groups_can_be_left_at_once_but_not_twice_that)
{
    struct net_fixture *f = quiet(0);
    configure_nothing(f);
    configure_many(f, 1);
    CHECK_EQ(n_left_within(f, 5000), 0);
    configure_many(f, 2);
    CHECK_EQ(n_left_within(f, 500), NET_ADDRESSES_MAX);
    CHECK_EQ(net_stat(f, STAT_net_mld_leaves_untold), 0);
    configure_many(f, 3);
    CHECK_EQ(net_stat(f, STAT_net_mld_leaves_untold), 2 * NET_ADDRESSES_MAX - NET_MLD_LEFT_MAX);
    CHECK_EQ(n_left_within(f, 500), NET_MLD_LEFT_MAX);
    CHECK_EQ(n_left_within(f, 5000), 0);
    net_down(f);
}

TEST(other_workers_report_nothing_unasked)
{
    struct net_fixture *f = quiet(1);
    configure_nothing(f);
    net_configure(f->net, net_fixture_config());
    net_wait_ms(f, 3000);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

/* A query; `bytes` 24 is RFC 2710's, 28 RFC 3810's. */
static struct packet query(const char *src, uint8_t hop_limit, unsigned bytes)
{
    static const uint8_t zero[28];
    struct packet p = packet_eth("33:33:00:00:00:01", MAC_PEER);
    packet_ip6(&p, src, "ff02::1", hop_limit);
    packet_icmp(&p, 130, 0, 1000u << 16);
    packet_bytes(&p, zero, bytes - 8);
    packet_close(&p);
    return p;
}

TEST(a_query_is_answered_on_its_interface_within_its_time)
{
    struct net_fixture *f = quiet(1); /* whoever hears it */
    struct packet p = query("fe80::9", 1, 28);
    net_receive(f, &p, 0);
    net_receive(f, &p, 0); /* once more does not mean another answer */
    net_wait_ms(f, 1020);
    REQUIRE(f->n_sent == 1);
    struct packet want = report_of_0(2);
    CHECK(was_sent(f, 0, &want));
    CHECK_EQ(net_stat(f, STAT_net_mld_queries), 2);
    net_wait_ms(f, 5000);
    CHECK_EQ(f->n_sent, 1);
    net_down(f);
}

TEST(an_answer_that_waits_goes_out_though_an_interface_s_address_comes_into_use)
{
    static const struct net_interface interfaces[] = {{.port = 0, .vlan = 9}};
    struct net_config config = {.interfaces = interfaces, .n_interfaces = 1};
    struct net_fixture *f = quiet(1);
    net_set_probe(f->net, NET_PROBE_ALL);
    net_configure(f->net, &config);
    struct packet p = packet_eth("33:33:00:00:00:01", MAC_PEER);
    packet_vlan(&p, 9);
    packet_ip6(&p, "fe80::9", "ff02::1", 1);
    static const uint8_t zero[20];
    packet_icmp(&p, 130, 0, 9000u << 16);
    packet_bytes(&p, zero, sizeof(zero));
    packet_close(&p);
    net_receive(f, &p, 0);
    net_wait_ms(f, 700);
    CHECK(net_is_settled(f->net));
    CHECK_EQ(f->n_sent, 0);
    net_wait_ms(f, 8320);
    CHECK_EQ(f->n_sent, 1);
    net_down(f);
}

TEST(an_old_router_gets_a_report_a_group)
{
    struct net_fixture *f = quiet(0);
    struct packet p = query("fe80::9", 1, 24);
    net_receive(f, &p, 0);
    net_wait_ms(f, 1020);
    CHECK_EQ(f->n_sent, 3);
    struct packet want = report(0, 131, "33:33:ff:00:00:80", "ff02::1:ff00:80");
    struct ip_addr group = addr_of("ff02::1:ff00:80");
    packet_bytes(&want, group.bytes, 16);
    CHECK(was_sent(f, 2, &want));
    net_down(f);
}

/* What a router of old is told: `type` 131 that we are in the group, 132 that we are not. */
static struct packet message_v1(uint8_t type, const char *mac, const char *dst, const char *group)
{
    struct packet p = report(0, type, mac, dst);
    struct ip_addr a = addr_of(group);
    packet_bytes(&p, a.bytes, 16);
    return p;
}

TEST(where_an_old_router_was_heard_changes_are_told_as_it_has_them)
{
    struct net_fixture *f = quiet(0);
    struct packet p = query("fe80::9", 1, 24);
    net_receive_copy(f, &p); /* another worker answers */
    net_wait_ms(f, 2000);
    CHECK_EQ(f->n_sent, 0);
    configure_without(f, 1);
    net_wait_ms(f, 5000);
    struct packet done = message_v1(132, "33:33:00:00:00:02", "ff02::2", "ff02::1:ff00:80");
    struct packet report1 = message_v1(131, MAC_GROUP6, GROUP6, GROUP6);
    CHECK_EQ(times_sent(f, &done), 1);
    CHECK(times_sent(f, &report1) >= NET_MLD_TIMES);
    CHECK_EQ(n_leaves(f, "ff02::1:ff00:80"), 0);
    net_forget_sent(f);
    p = query("fe80::9", 1, 28); /* a newer one does not change that (RFC 3810, 8.2.1) */
    net_receive(f, &p, 0);
    net_wait_ms(f, 1020);
    CHECK(times_sent(f, &report1) >= 1);
    net_wait_ms(f, NET_MLD_V1_US / 1000);
    net_forget_sent(f);
    net_configure(f->net, net_fixture_config());
    net_wait_ms(f, 5000);
    CHECK_EQ(times_sent(f, &report1), 0);
    configure_without(f, 1);
    net_wait_ms(f, 5000);
    CHECK_EQ(n_leaves(f, "ff02::1:ff00:80"), NET_MLD_TIMES);
    net_down(f);
}

TEST(a_query_that_did_not_come_from_the_link_is_ignored)
{
    struct net_fixture *f = quiet(0);
    struct packet p = query(PEER6, 1, 28);
    net_receive(f, &p, 0);
    p = query("fe80::9", 2, 28);
    net_receive(f, &p, 0);
    p = query("fe80::9", 1, 20);
    net_receive(f, &p, 0);
    p = query("fe80::9", 1, 27); /* neither of the two */
    net_receive(f, &p, 0);
    net_wait_ms(f, 11000);
    CHECK_EQ(net_stat(f, STAT_net_mld_ignored), 4);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

TEST(many_groups_take_several_reports_and_several_rounds)
{
    static const struct net_interface one = {.port = 0};
    static struct net_address addresses[2000];
    for (unsigned i = 0; i < array_len(addresses); i++) {
        addresses[i] = (struct net_address){addr_of("2001:db8:5::"), 128, 1, 0};
        addresses[i].addr.bytes[14] = (uint8_t)(i >> 8);
        addresses[i].addr.bytes[15] = (uint8_t)i;
    }
    struct net_config config = {&one, 1, addresses, array_len(addresses), NULL, 0, false};
    struct net_fixture *f = quiet(1);
    net_configure(f->net, &config);
    struct packet p = query("fe80::9", 1, 28);
    p.bytes[p.l4_at + 4] = p.bytes[p.l4_at + 5] = 0; /* at once */
    packet_close(&p);
    net_receive(f, &p, 0);
    f->core.now_us += 10000;
    wheel_run(&f->core.wheel, f->core.now_us, 1000);
    unsigned sent = 0;
    for (unsigned n; (n = net_poll(f->net)) > 0; sent += n) {
        CHECK(n <= NET_MLD_REPORTS_MAX);
        CHECK(f->sent[0].len <= 14 + 1280);
        net_forget_sent(f);
        f->core.now_us += 2 * NET_ANNOUNCE_PAUSE_US;
        wheel_run(&f->core.wheel, f->core.now_us, 1000);
    }
    CHECK_EQ(sent, (array_len(addresses) + 1 + NET_MLD_RECORDS_MAX - 1) / NET_MLD_RECORDS_MAX);
    net_down(f);
}

TEST(without_mbufs_it_is_reported_later)
{
    struct net_fixture *f = quiet(0);
    struct rte_mempool *enough = f->core.mbufs;
    struct rte_mempool *none = unit_mbufs_new(1);
    struct rte_mbuf *taken = rte_pktmbuf_alloc(none);
    struct packet p = query("fe80::9", 1, 28);
    net_receive(f, &p, 0);
    f->core.mbufs = none;
    net_wait_ms(f, 2000);
    CHECK_EQ(f->n_sent, 0);
    f->core.mbufs = enough;
    CHECK(wheel_timer_is_armed(&f->net->mld.timer));
    net_wait_ms(f, 80);
    CHECK_EQ(f->n_sent, 1);
    rte_pktmbuf_free(taken);
    net_forget_sent(f);
    f->core.mbufs = none;
    rte_pktmbuf_free(taken);
    taken = rte_pktmbuf_alloc(none);
    configure_without(f, 1);
    net_wait_ms(f, 500);
    CHECK_EQ(n_leaves(f, "ff02::1:ff00:80"), 0);
    f->core.mbufs = enough;
    net_wait_ms(f, 80);
    CHECK_EQ(n_leaves(f, "ff02::1:ff00:80"), 1);
    rte_pktmbuf_free(taken);
    net_down(f);
    rte_mempool_free(none);
}

UNIT_MAIN("net/mld", T(new_addresses_have_their_groups_reported_twice),
          T(groups_are_reported_again_when_the_interface_has_an_address_to_do_it_from),
          T(a_configuration_with_the_same_addresses_is_no_news),
          T(a_group_that_was_left_is_told_twice),
          T(a_group_that_is_joined_again_is_not_told_any_more),
          T(other_workers_tell_of_no_group_that_was_left),
          T(very_many_groups_can_be_left_at_once_but_not_twice_that),
          T(other_workers_report_nothing_unasked),
          T(a_query_is_answered_on_its_interface_within_its_time),
          T(an_answer_that_waits_goes_out_though_an_interface_s_address_comes_into_use),
          T(an_old_router_gets_a_report_a_group),
          T(where_an_old_router_was_heard_changes_are_told_as_it_has_them),
          T(a_query_that_did_not_come_from_the_link_is_ignored),
          T(many_groups_take_several_reports_and_several_rounds),
          T(without_mbufs_it_is_reported_later))
