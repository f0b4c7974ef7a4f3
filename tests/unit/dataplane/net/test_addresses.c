/* SPDX-License-Identifier: Apache-2.0 */
/* The life of our addresses: asked for, used, defended, left to others. */
#include "base/container.h"
#include "core/links.h"
#include "core/masters.h"
#include "net_fixture.h"
#include "unit_eal.h"

#include <string.h>

#define NEW4 "192.0.2.7"
#define NEW6 "2001:db8::7"
#define NEW_VIP "203.0.113.7"
#define NEW_GROUP6 "ff02::1:ff00:7"
#define NEW_GROUP6_MAC "33:33:ff:00:00:07"
#define SETTLE_MS (NET_PROBE_TIMES * NET_PROBE_INTERVAL_US / 1000)

/* Two interfaces; `addr` is new beside an address of each family. */
static void configure_on(struct net_fixture *f, const char *addr, uint8_t is_vip,
                         uint16_t interface, bool is_resumed)
{
    static const struct net_interface interfaces[] = {{.port = 0}, {.port = 0, .vlan = 7}};
    struct ip_addr a = addr_of(addr);
    uint8_t len = is_vip ? 128 : (ip_addr_is_v4(&a) ? 120 : 64);
    struct net_address addresses[] = {{addr_of("192.0.2.1"), 120, 0, 0},
                                      {addr_of("2001:db8::1"), 64, 0, 0},
                                      {a, len, is_vip, interface}};
    struct net_config config = {.interfaces = interfaces,
                                .n_interfaces = 2,
                                .addresses = addresses,
                                .n_addresses = 3,
                                .is_resumed = is_resumed};
    net_configure(f->net, &config);
}

static void configure(struct net_fixture *f, const char *addr)
{
    configure_on(f, addr, false, 0, false);
}

static bool is_used(const struct net_fixture *f, const char *addr)
{
    struct ip_addr a = addr_of(addr);
    return net_is_local(f->net, &a);
}

static struct net_fixture *up(uint8_t worker)
{
    struct net_fixture *f = net_up(worker);
    net_set_probe(f->net, NET_PROBE_ALL);
    return f;
}

/* The frame that asks for NEW4 or NEW6. */
static struct packet question(bool is_v4, const char *mac)
{
    struct packet p = packet_eth(is_v4 ? MAC_ALL : NEW_GROUP6_MAC, mac);
    if (is_v4) {
        packet_arp(&p, 1, mac, "0.0.0.0", NEW4);
    } else {
        packet_ip6(&p, "::", NEW_GROUP6, 255);
        packet_nd(&p, 135, 0, NEW6, NULL);
    }
    packet_close(&p);
    return p;
}

static bool was_sent(const struct net_fixture *f, unsigned i, const struct packet *p)
{
    return i < f->n_sent && f->sent[i].len == p->len &&
           memcmp(f->sent[i].bytes, p->bytes, p->len) == 0;
}

static void check_asked_for(bool is_v4)
{
    struct net_fixture *f = up(0);
    const char *addr = is_v4 ? NEW4 : NEW6;
    struct packet want = question(is_v4, MAC_US);
    configure(f, addr);
    CHECK_EQ(net_poll(f->net), 1);
    CHECK(was_sent(f, 0, &want));
    CHECK_EQ(net_stat(f, STAT_net_addresses_tentative_now), 1);
    CHECK(!net_is_settled(f->net));
    net_wait_ms(f, SETTLE_MS - 20);
    CHECK_EQ(f->n_sent, NET_PROBE_TIMES);
    CHECK(was_sent(f, NET_PROBE_TIMES - 1, &want));
    CHECK(!is_used(f, addr));
    net_wait_ms(f, 70);
    CHECK(is_used(f, addr));
    CHECK(net_is_settled(f->net));
    CHECK_EQ(net_stat(f, STAT_net_addresses_tentative_now), 0);
    CHECK_EQ(net_stat(f, STAT_net_address_probes), NET_PROBE_TIMES);
    CHECK_EQ(f->n_sent, NET_PROBE_TIMES + 1); /* the announcement */
    net_wait_ms(f, 5000);
    CHECK_EQ(f->n_sent, NET_PROBE_TIMES + NET_ANNOUNCE_TIMES);
    CHECK_EQ(f->core.wheel.armed, 0);
    net_down(f);
}

TEST(a_new_address_is_asked_for_before_it_is_used)
{
    check_asked_for(true);
    check_asked_for(false);
}

TEST(what_is_tentative_is_neither_answered_for_nor_a_sender)
{
    struct net_fixture *f = up(0);
    configure_on(f, "198.51.100.7", false, 1, false);
    net_poll(f->net);
    net_forget_sent(f);
    struct packet p = packet_eth(MAC_ALL, MAC_PEER);
    packet_vlan(&p, 7);
    packet_arp(&p, 1, MAC_PEER, "198.51.100.9", "198.51.100.7");
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_sent, 0);
    p = packet_eth(MAC_US, MAC_PEER);
    packet_vlan(&p, 7);
    packet_ip4(&p, "198.51.100.9", "198.51.100.7", 1);
    packet_icmp(&p, 8, 0, 1);
    packet_close(&p);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_ip4_not_ours), 1);
    struct ip_addr dst = addr_of("198.51.100.9");
    struct net_path path;
    REQUIRE(net_path_find(f->net, &dst, &path));
    CHECK(ip_addr_is_zero(&path.source));
    net_wait_ms(f, SETTLE_MS + 50);
    REQUIRE(net_path_find(f->net, &dst, &path));
    CHECK(!ip_addr_is_zero(&path.source));
    net_down(f);
}

/* `p` says that somebody has the new address: it is left to him, and asked for again later. */
static void check_conflict(bool is_v4, const struct packet *p)
{
    struct net_fixture *f = up(0);
    const char *addr = is_v4 ? NEW4 : NEW6;
    configure(f, addr);
    net_wait_ms(f, 100);
    net_receive(f, p, 0);
    net_wait_ms(f, 5000);
    CHECK(!is_used(f, addr));
    CHECK(net_is_settled(f->net)); /* nothing is waited for */
    CHECK_EQ(net_stat(f, STAT_net_addresses_conflict_now), 1);
    CHECK_EQ(net_stat(f, STAT_net_addresses_tentative_now), 0);
    CHECK_EQ(net_stat(f, STAT_net_address_conflicts), 1);
    net_wait_ms(f, NET_CONFLICT_US / 1000 - 4900); /* the other is gone meanwhile */
    CHECK_EQ(net_stat(f, STAT_net_addresses_tentative_now), 1);
    net_wait_ms(f, SETTLE_MS + 50);
    CHECK(is_used(f, addr));
    CHECK_EQ(net_stat(f, STAT_net_addresses_conflict_now), 0);
    net_down(f);
}

TEST(an_address_that_somebody_has_is_left_to_him)
{
    struct packet p = packet_eth(MAC_US, MAC_PEER);
    packet_arp(&p, 2, MAC_PEER, NEW4, "0.0.0.0"); /* the answer */
    check_conflict(true, &p);
    p = packet_eth(MAC_ALL, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, NEW4, US4); /* any word of his */
    check_conflict(true, &p);
    p = question(true, MAC_PEER); /* he is about to use it, too */
    check_conflict(true, &p);
    p = question(false, MAC_PEER);
    check_conflict(false, &p);
    p = packet_eth("33:33:00:00:00:01", MAC_PEER);
    packet_ip6(&p, NEW6, "ff02::1", 255);
    packet_nd(&p, 136, ND_FLAG_OVERRIDE, NEW6, MAC_PEER);
    packet_close(&p);
    check_conflict(false, &p);
}

TEST(our_own_question_sent_back_is_no_conflict)
{
    struct net_fixture *f = up(0);
    static const char *const macs[] = {MAC_US, "02:00:00:00:00:02"}; /* of our two ports */
    configure(f, NEW4);
    for (unsigned i = 0; i < 2; i++) {
        struct packet p = question(true, macs[i]);
        net_receive(f, &p, 0);
    }
    net_wait_ms(f, SETTLE_MS + 50);
    CHECK(is_used(f, NEW4));
    configure(f, NEW6);
    struct packet p = question(false, MAC_US);
    net_receive(f, &p, 0);
    net_wait_ms(f, SETTLE_MS + 50);
    CHECK(is_used(f, NEW6));
    CHECK_EQ(net_stat(f, STAT_net_address_conflicts), 0);
    net_down(f);
}

TEST(what_was_in_use_a_moment_ago_is_used_at_once)
{
    struct net_fixture *f = up(0);
    configure_on(f, NEW4, false, 0, true);
    CHECK(is_used(f, NEW4) && net_is_settled(f->net));
    net_poll(f->net);
    CHECK_EQ(net_stat(f, STAT_net_address_probes), 0);
    CHECK_EQ(f->n_sent, 1); /* announced */
    net_down(f);
}

TEST(vips_are_not_asked_for_where_other_boxes_have_them_too)
{
    struct net_fixture *f = up(0);
    net_set_probe(f->net, NET_PROBE_OWN);
    configure_on(f, NEW_VIP, true, 0, false);
    CHECK(is_used(f, NEW_VIP));
    configure(f, NEW4);
    CHECK(!is_used(f, NEW4));
    net_set_probe(f->net, NET_PROBE_NONE);
    configure(f, NEW6);
    CHECK(is_used(f, NEW6));
    net_down(f);
}

TEST(a_vip_that_comes_by_a_route_is_nothing_to_neighbours)
{
    struct net_fixture *f = up(0);
    configure_on(f, NEW4, NET_VIP_ROUTED, 0, false);
    CHECK(is_used(f, NEW4));
    struct packet asks = question(true, MAC_PEER), has = packet_eth(MAC_ALL, MAC_PEER);
    packet_arp(&has, 1, MAC_PEER, NEW4, NEW4);
    packet_close(&has);
    uint64_t before = net_stat(f, STAT_net_tx_arp);
    net_receive(f, &asks, 0);
    net_receive(f, &has, 0);
    net_wait_ms(f, 5000);
    CHECK_EQ(net_stat(f, STAT_net_tx_arp),
             before); /* not asked for, announced, answered, defended */
    CHECK_EQ(net_stat(f, STAT_net_address_conflicts), 0);
    CHECK(is_used(f, NEW4));
    configure_on(f, NEW4, 1, 0, false);
    net_wait_ms(f, SETTLE_MS + 50);
    net_receive(f, &asks, 0);
    CHECK_EQ(net_stat(f, STAT_net_arp_replies), 1); /* as another VIP is */
    net_down(f);
}

TEST(a_new_configuration_goes_on_asking_and_an_address_that_moves_stays_in_use)
{
    struct net_fixture *f = up(0);
    configure(f, NEW4);
    net_wait_ms(f, SETTLE_MS / 2);
    configure(f, NEW4);
    net_wait_ms(f, SETTLE_MS / 2 + 50);
    CHECK(is_used(f, NEW4));
    CHECK_EQ(net_stat(f, STAT_net_address_probes), NET_PROBE_TIMES);
    net_wait_ms(f, 5000);
    net_forget_sent(f);
    configure_on(f, NEW4, false, 1, false);
    CHECK(is_used(f, NEW4));
    net_wait_ms(f, 20);
    CHECK_EQ(f->n_sent, 1); /* announced, on the VLAN now */
    CHECK_EQ(f->sent[0].bytes[12], 0x81);
    net_down(f);
}

TEST(other_workers_keep_quiet_and_keep_up)
{
    struct net_fixture *f = up(1);
    configure(f, NEW4);
    net_wait_ms(f, SETTLE_MS - 20);
    CHECK(!is_used(f, NEW4));
    net_wait_ms(f, 70);
    CHECK(is_used(f, NEW4));
    configure(f, NEW6);
    struct packet p = question(false, MAC_PEER);
    net_receive_copy(f, &p);
    net_wait_ms(f, SETTLE_MS + 50);
    CHECK(!is_used(f, NEW6));
    CHECK_EQ(f->n_sent, 0);
    CHECK_EQ(net_stat(f, STAT_net_addresses_conflict_now), 0); /* worker 0 tells */
    net_down(f);
}

TEST(an_address_in_use_is_kept_and_defended_once_in_a_while)
{
    struct net_fixture *f = net_up(0);
    struct packet claim = packet_eth(MAC_ALL, MAC_OTHER);
    packet_arp(&claim, 1, MAC_OTHER, US4, US4);
    struct packet want = packet_eth(MAC_ALL, MAC_US);
    packet_arp(&want, 1, MAC_US, US4, US4);
    net_receive_copy(f, &claim); /* whoever received it answers */
    CHECK_EQ(f->n_sent, 0);
    for (unsigned i = 0; i < 100; i++)
        net_receive(f, &claim, 0);
    CHECK_EQ(f->n_sent, 1);
    CHECK(was_sent(f, 0, &want));
    net_wait_ms(f, NET_DEFEND_INTERVAL_US / 1000 + 10);
    net_receive(f, &claim, 0);
    CHECK_EQ(f->n_sent, 2);
    CHECK_EQ(net_stat(f, STAT_net_address_defences), 2);
    CHECK(is_used(f, US4));
    net_down(f);
}

TEST(without_mbufs_it_is_asked_later)
{
    struct net_fixture *f = up(0);
    struct rte_mempool *enough = f->core.mbufs;
    struct rte_mempool *none = unit_mbufs_new(1);
    struct rte_mbuf *taken = rte_pktmbuf_alloc(none);
    f->core.mbufs = none;
    configure(f, NEW4);
    net_wait_ms(f, NET_SETTLE_US_MAX / 1000 - 100);
    CHECK(!is_used(f, NEW4) && !net_is_settled(f->net));
    net_wait_ms(f, 200);
    CHECK(!is_used(f, NEW4) && net_is_settled(f->net)); /* nobody waits for it any longer */
    f->core.mbufs = enough;
    CHECK(wheel_timer_is_armed(&f->net->address_timer)); /* nothing else may happen for long */
    net_wait_ms(f, SETTLE_MS + 100);
    CHECK(is_used(f, NEW4));
    CHECK_EQ(net_stat(f, STAT_net_address_probes), NET_PROBE_TIMES);
    rte_pktmbuf_free(taken);
    net_down(f);
    rte_mempool_free(none);
}

#define NEW_VLAN 9

/* An interface that is new, with an address of its own and, if `global` is not NULL, with that. */
static void configure_interface(struct net_fixture *f, const char *global)
{
    static const struct net_interface interfaces[] = {{.port = 0, .vlan = NEW_VLAN}};
    struct net_address address = {.prefix_len = 64};
    if (global != NULL)
        address.addr = addr_of(global);
    struct net_config config = {.interfaces = interfaces,
                                .n_interfaces = 1,
                                .addresses = &address,
                                .n_addresses = global != NULL};
    net_configure(f->net, &config);
}

/* A frame on that interface to `dst`; the message follows. */
static struct packet heard(const char *dst_mac, const char *src, const char *dst)
{
    struct packet p = packet_eth(dst_mac, MAC_PEER);
    packet_vlan(&p, NEW_VLAN);
    packet_ip6(&p, src, dst, 255);
    return p;
}

/* What an interface sends that asks whether somebody has its own address. */
static struct packet own_question(const char *mac)
{
    struct packet p = packet_eth(MAC_GROUP6, mac);
    packet_vlan(&p, NEW_VLAN);
    packet_ip6(&p, "::", GROUP6, 255);
    packet_nd(&p, 135, 0, LL6, NULL);
    packet_close(&p);
    return p;
}

/* A neighbour asks where LL6 is. */
static void ask_for_own(struct net_fixture *f)
{
    struct packet p = heard(MAC_GROUP6, "fe80::9", GROUP6);
    packet_nd(&p, 135, 0, LL6, MAC_PEER);
    packet_close(&p);
    net_receive(f, &p, 0);
}

/* `src` says that he has LL6. */
static void claim_own(struct net_fixture *f, const char *src)
{
    struct packet p = heard("33:33:00:00:00:01", src, "ff02::1");
    packet_nd(&p, 136, ND_FLAG_OVERRIDE, LL6, MAC_PEER);
    packet_close(&p);
    net_receive(f, &p, 0);
}

TEST(the_address_of_an_interface_is_asked_for_before_it_is_used)
{
    struct net_fixture *f = up(0);
    struct packet want = own_question(MAC_US);
    configure_interface(f, NULL);
    CHECK_EQ(net_poll(f->net), 1);
    CHECK_EQ(f->n_sent, 1);
    CHECK(was_sent(f, 0, &want));
    CHECK(!net_is_settled(f->net));
    CHECK_EQ(net_stat(f, STAT_net_addresses_tentative_now), 1);
    ask_for_own(f);
    struct packet echo = heard(MAC_US, "fe80::9", LL6);
    packet_icmp(&echo, 128, 0, 1);
    packet_close(&echo);
    net_receive(f, &echo, 0);
    CHECK_EQ(net_stat(f, STAT_net_drop_rx_ip6_not_ours), 1);
    CHECK_EQ(f->n_sent, 1);
    net_wait_ms(f, SETTLE_MS + 50);
    CHECK_EQ(f->n_sent, NET_PROBE_TIMES); /* its MAC is in it: nothing to announce */
    CHECK(net_is_settled(f->net));
    ask_for_own(f);
    CHECK_EQ(net_stat(f, STAT_net_nd_adverts), 1);
    net_receive(f, &echo, 0);
    CHECK_EQ(net_stat(f, STAT_net_echo_replies), 1);
    net_wait_ms(f, 5000);
    configure_interface(f, NULL); /* it goes on being used */
    CHECK(net_is_settled(f->net));
    net_down(f);
}

TEST(whether_the_address_of_an_interface_is_asked_for_is_configured)
{
    static const enum net_probe probes[] = {NET_PROBE_NONE, NET_PROBE_OWN, NET_PROBE_ALL};
    for (unsigned i = 0; i < array_len(probes); i++) {
        struct net_fixture *f = net_up(0);
        net_set_probe(f->net, probes[i]);
        configure_interface(f, NULL);
        CHECK_EQ(net_is_settled(f->net), probes[i] == NET_PROBE_NONE);
        net_wait_ms(f, SETTLE_MS + 50);
        CHECK_EQ(net_stat(f, STAT_net_address_probes), i == 0 ? 0 : NET_PROBE_TIMES);
        net_down(f);
    }
}

TEST(the_address_of_an_interface_that_a_neighbour_has_is_left_to_him)
{
    struct net_fixture *f = up(0);
    configure_interface(f, "2001:db8:9::1");
    net_wait_ms(f, 100);
    struct packet his = own_question(MAC_PEER); /* he is about to use it, too */
    net_receive(f, &his, 0);
    net_wait_ms(f, 5000);
    CHECK_EQ(net_stat(f, STAT_net_address_conflicts), 1);
    CHECK_EQ(net_stat(f, STAT_net_addresses_conflict_now), 1);
    CHECK(net_is_settled(f->net));
    net_forget_sent(f);
    ask_for_own(f); /* he answers, not we */
    CHECK_EQ(f->n_sent, 0);
    /* He is a neighbour like all others; who asks for him is our other address. */
    struct packet echo = heard(MAC_US, LL6, "2001:db8:9::1");
    packet_icmp(&echo, 128, 0, 1);
    packet_close(&echo);
    net_receive(f, &echo, 0);
    CHECK_EQ(net_stat(f, STAT_net_echo_replies), 1);
    struct packet want = packet_eth(MAC_GROUP6, MAC_US);
    packet_vlan(&want, NEW_VLAN);
    packet_ip6(&want, "2001:db8:9::1", GROUP6, 255);
    packet_nd(&want, 135, 0, LL6, MAC_US);
    packet_close(&want);
    CHECK(was_sent(f, 0, &want));
    net_wait_ms(f, NET_CONFLICT_US / 1000); /* he is gone meanwhile */
    CHECK_EQ(net_stat(f, STAT_net_addresses_conflict_now), 0);
    net_forget_sent(f);
    ask_for_own(f);
    CHECK_EQ(f->n_sent, 1);
    net_down(f);
}

TEST(an_interface_without_any_address_in_use_asks_no_neighbour_and_tells_no_error)
{
    struct net_fixture *f = up(0);
    configure_interface(f, NULL);
    net_wait_ms(f, 100);
    claim_own(f, LL6);
    net_forget_sent(f);
    uint64_t requests = net_stat(f, STAT_net_neighbour_requests);
    struct ip_addr target = addr_of("fe80::9");
    CHECK(!nd_request(f->net, &f->net->now->ifaces[0], &target, NULL));
    struct packet p = heard("33:33:00:00:00:01", "fe80::9", "ff02::1");
    uint8_t unknown[6] = {0x80, 4}; /* an option of which even groups tell (RFC 8200, 4.2) */
    unsigned at = packet_ext(&p, 60, 8);
    memcpy(&p.bytes[at + 2], unknown, sizeof(unknown));
    packet_close(&p);
    net_receive(f, &p, 0);
    CHECK_EQ(net_stat(f, STAT_net_icmp_withheld), 1);
    CHECK_EQ(net_stat(f, STAT_net_neighbour_requests), requests);
    CHECK_EQ(f->n_sent, 0);
    net_down(f);
}

TEST(the_address_of_an_interface_in_use_is_defended)
{
    struct net_fixture *f = net_up(0);
    configure_interface(f, NULL);
    net_wait_ms(f, 100);
    net_forget_sent(f);
    claim_own(f, "fe80::9");
    claim_own(f, "fe80::9");
    CHECK_EQ(net_stat(f, STAT_net_address_conflicts), 2);
    CHECK_EQ(net_stat(f, STAT_net_address_defences), 1);
    CHECK_EQ(f->n_sent, 1);
    net_down(f);
}

static struct masters masters;

/* NEW_VIP or a VIP of IPv6 on an interface whose virtual router is 51; we are not its master. */
static struct net_fixture *up_standby(const char *vip)
{
    static const struct net_interface interfaces[] = {{.port = 0, .virtual_router = 51}};
    struct net_fixture *f = up(0);
    memset(&masters, 0, sizeof(masters));
    f->core.masters = &masters;
    struct net_address addresses[] = {
        {addr_of(US4), 120, 0, 0}, {addr_of(US6), 64, 0, 0}, {addr_of(vip), 128, 1, 0}};
    net_configure(f->net, &(struct net_config){.interfaces = interfaces,
                                               .n_interfaces = 1,
                                               .addresses = addresses,
                                               .n_addresses = array_len(addresses)});
    net_wait_ms(f, 1000);
    net_forget_sent(f);
    f->n_gone = 0;
    return f;
}

static void check_mastership(const char *vip)
{
    struct ip_addr a = addr_of(vip);
    bool is_v4 = ip_addr_is_v4(&a);
    struct net_fixture *f = up_standby(vip);
    uint64_t announced = net_stat(f, STAT_net_announcements);
    CHECK(!is_used(f, vip));
    CHECK(net_is_settled(f->net)); /* an image is served by a standby, too */
    CHECK_EQ(f->n_sent, 0);
    masters_set(&masters, 51, !is_v4, true); /* of the other family */
    masters_set(&masters, 52, is_v4, true);
    net_wait_ms(f, 100);
    CHECK(!is_used(f, vip));
    masters_set(&masters, 51, is_v4, true);
    CHECK_EQ(net_poll(f->net), 1); /* at once, and without a question */
    CHECK(is_used(f, vip));
    CHECK_EQ(net_stat(f, STAT_net_announcements), announced + 1);
    net_wait_ms(f, NET_ANNOUNCE_INTERVAL_US / 1000 + 10);
    CHECK_EQ(f->n_sent, NET_ANNOUNCE_TIMES);
    masters_set(&masters, 51, is_v4, false);
    net_poll(f->net);
    CHECK(!is_used(f, vip));
    CHECK_EQ(f->n_gone, 1); /* its connections are the master's business now */
    CHECK(!net_is_ours(f->net, &a));
    net_down(f);
}

TEST(a_vip_of_a_virtual_router_is_the_masters_alone)
{
    check_mastership("192.0.2.80");
    check_mastership("2001:db8::80");
}

TEST(a_standby_believes_the_master_and_does_not_defend)
{
    struct net_fixture *f = up_standby("192.0.2.80");
    struct packet p = packet_eth(MAC_ALL, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, "192.0.2.80", "192.0.2.80");
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_sent, 0);
    CHECK_EQ(net_stat(f, STAT_net_address_conflicts), 0);
    CHECK_EQ(net_stat(f, STAT_net_rx_arp), 1);
    p = packet_eth(MAC_ALL, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, PEER4, "192.0.2.80");
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_sent, 0); /* it answers for it, not we */
    net_down(f);
}

TEST(a_master_does_not_fight_for_a_vip)
{
    struct net_fixture *f = up_standby("192.0.2.80");
    masters_set(&masters, 51, true, true);
    net_wait_ms(f, NET_ANNOUNCE_INTERVAL_US / 1000 + 100);
    net_forget_sent(f);
    struct packet p = packet_eth(MAC_ALL, MAC_PEER);
    packet_arp(&p, 1, MAC_PEER, "192.0.2.80", "192.0.2.80");
    net_receive(f, &p, 0);
    CHECK_EQ(f->n_sent, 0);
    CHECK_EQ(net_stat(f, STAT_net_address_conflicts), 1);
    net_down(f);
}

TEST(own_addresses_are_kept_whoever_is_master)
{
    struct net_fixture *f = up_standby("192.0.2.80");
    CHECK(is_used(f, US4) && is_used(f, US6));
    net_down(f);
}

TEST(a_vip_that_leaves_its_virtual_router_is_asked_for)
{
    struct net_fixture *f = up_standby(NEW4);
    uint64_t asked = net_stat(f, STAT_net_address_probes);
    configure_on(f, NEW4, true, 0, false);
    net_poll(f->net);
    CHECK(!is_used(f, NEW4));
    CHECK(net_stat(f, STAT_net_address_probes) > asked);
    net_wait_ms(f, SETTLE_MS + 50);
    CHECK(is_used(f, NEW4));
    net_down(f);
}

TEST(addresses_are_announced_where_their_port_turns_to_another_device)
{
    struct net_fixture *f = up(0);
    struct links links = {0};
    f->core.links = &links;
    net_wait_ms(f, SETTLE_MS + NET_ANNOUNCE_TIMES * NET_ANNOUNCE_INTERVAL_US / 1000);
    uint64_t announced = net_stat(f, STAT_net_announcements);
    uint64_t reports = net_stat(f, STAT_net_mld_reports);
    links_set(&links, 5, 1); /* of a port that has no interface */
    net_wait_ms(f, 100);
    CHECK_EQ(net_stat(f, STAT_net_announcements), announced);
    links_set(&links, 0, 1);
    net_wait_ms(f, 10);
    uint64_t once = net_stat(f, STAT_net_announcements) - announced;
    CHECK(once > 0);
    CHECK(is_used(f, US4) && is_used(f, US6));
    net_wait_ms(f, 2 * NET_ANNOUNCE_INTERVAL_US / 1000);
    CHECK_EQ(net_stat(f, STAT_net_announcements), announced + NET_ANNOUNCE_TIMES * once);
    CHECK(net_stat(f, STAT_net_mld_reports) > reports);
    net_down(f);
}

UNIT_MAIN("net/addresses", T(a_new_address_is_asked_for_before_it_is_used),
          T(what_is_tentative_is_neither_answered_for_nor_a_sender),
          T(an_address_that_somebody_has_is_left_to_him),
          T(our_own_question_sent_back_is_no_conflict),
          T(what_was_in_use_a_moment_ago_is_used_at_once),
          T(vips_are_not_asked_for_where_other_boxes_have_them_too),
          T(a_vip_that_comes_by_a_route_is_nothing_to_neighbours),
          T(a_new_configuration_goes_on_asking_and_an_address_that_moves_stays_in_use),
          T(other_workers_keep_quiet_and_keep_up),
          T(an_address_in_use_is_kept_and_defended_once_in_a_while),
          T(without_mbufs_it_is_asked_later),
          T(the_address_of_an_interface_is_asked_for_before_it_is_used),
          T(whether_the_address_of_an_interface_is_asked_for_is_configured),
          T(the_address_of_an_interface_that_a_neighbour_has_is_left_to_him),
          T(an_interface_without_any_address_in_use_asks_no_neighbour_and_tells_no_error),
          T(the_address_of_an_interface_in_use_is_defended),
          T(a_vip_of_a_virtual_router_is_the_masters_alone),
          T(a_standby_believes_the_master_and_does_not_defend),
          T(a_master_does_not_fight_for_a_vip), T(own_addresses_are_kept_whoever_is_master),
          T(a_vip_that_leaves_its_virtual_router_is_asked_for),
          T(addresses_are_announced_where_their_port_turns_to_another_device))
