/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drivers/net/ethdev_offload: what is asked of which device, and what counts afterwards. The linker
 * puts the functions below in the place of DPDK's (--wrap).
 */
#include "base/container.h"
#include "base/names.h"
#include "drivers/net/ethdev_offload.h"
#include "unit.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <string.h>

#define RX_CKSUM                                                                                   \
    (RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM)

static struct rte_eth_conf started; /* what the device does */
static int conf_fault;
static int vlan_offload;

int __wrap_rte_eth_dev_conf_get(uint16_t port, struct rte_eth_conf *conf);
int __wrap_rte_eth_dev_get_vlan_offload(uint16_t port);

int __wrap_rte_eth_dev_conf_get(uint16_t port, struct rte_eth_conf *conf)
{
    *conf = started;
    return conf_fault;
}

int __wrap_rte_eth_dev_get_vlan_offload(uint16_t port)
{
    return vlan_offload;
}

/* Asks a device that can `rx` and `tx` for all but `without`; it does what it was asked. */
static struct port_info abilities_of(uint64_t rx, uint64_t tx, uint32_t without)
{
    struct rte_eth_dev_info dev = {.rx_offload_capa = rx, .tx_offload_capa = tx};
    struct port_info info;
    memset(&info, 0xff, sizeof(info));
    started = (struct rte_eth_conf){.rxmode.mtu = 1500};
    conf_fault = 0;
    net_offload_ask(&dev, without, &started);
    CHECK_EQ(started.rxmode.offloads & ~rx, 0);
    CHECK_EQ(started.txmode.offloads & ~tx, 0);
    vlan_offload =
        started.rxmode.offloads & RTE_ETH_RX_OFFLOAD_VLAN_STRIP ? RTE_ETH_VLAN_STRIP_OFFLOAD : 0;
    net_offload_read_back(0, &dev, &info);
    return info;
}

/* Which, as bits. */
static uint32_t bits_of(const struct port_info *info)
{
    uint32_t bits = 0;
#define X(name, help) bits |= info->has_##name ? 1u << PORT_CAN_##name : 0;
    PORT_ABILITY_LIST(X)
#undef X
    return bits;
}

#define CAN(name) (1u << PORT_CAN_##name)
#define ALL ((1u << PORT_ABILITIES) - 1 - CAN(rss)) /* rss is ethdev_rss.c's */

TEST(of_a_device_that_can_all_everything_is_used)
{
    struct port_info info = abilities_of(UINT64_MAX, UINT64_MAX, 0);
    CHECK_EQ(bits_of(&info), ALL);
    CHECK((started.rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER) != 0); /* for LRO */
    CHECK_EQ(started.rxmode.offloads & RTE_ETH_RX_OFFLOAD_KEEP_CRC, 0);
    info = abilities_of(0, 0, 0);
    CHECK_EQ(bits_of(&info), 0);
    CHECK_EQ(started.rxmode.offloads | started.txmode.offloads, 0);
}

TEST(what_the_operator_leaves_out_is_not_asked_for_nor_what_needs_it)
{
    struct port_info info;
    for (unsigned i = 0; i < PORT_ABILITIES; i++) {
        uint32_t gone = 1u << i;
        if (gone == CAN(multi_seg_tx) || gone == CAN(tx_ip4_cksum) || gone == CAN(tx_tcp_cksum))
            gone |= CAN(tso);
        if (gone == CAN(rx_cksum))
            gone |= CAN(lro);
        info = abilities_of(UINT64_MAX, UINT64_MAX, 1u << i);
        CHECK_EQ(bits_of(&info), ALL & ~gone);
    }
    info = abilities_of(UINT64_MAX, UINT64_MAX, UINT32_MAX);
    CHECK_EQ(bits_of(&info), 0);
}

TEST(half_an_ability_is_none)
{
    struct port_info info =
        abilities_of(UINT64_MAX, RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_TCP_TSO, 0);
    CHECK_EQ(bits_of(&info) & (CAN(tx_tcp_cksum) | CAN(tso)), 0);
    CHECK_EQ(started.txmode.offloads, 0);
    info = abilities_of(RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_TCP_LRO, 0, 0);
    CHECK_EQ(bits_of(&info), 0);
    CHECK_EQ(started.rxmode.offloads, 0);
}

TEST(what_the_device_does_after_its_start_counts)
{
    struct rte_eth_dev_info dev = {.rx_offload_capa = UINT64_MAX, .tx_offload_capa = UINT64_MAX};
    struct port_info info = abilities_of(UINT64_MAX, UINT64_MAX, 0);
    started.txmode.offloads &= ~(uint64_t)RTE_ETH_TX_OFFLOAD_TCP_TSO;
    vlan_offload = 0;
    net_offload_read_back(0, &dev, &info);
    CHECK_EQ(bits_of(&info), ALL & ~(CAN(tso) | CAN(rx_vlan)));
    conf_fault = -ENOTSUP;
    net_offload_read_back(0, &dev, &info);
    CHECK_EQ(bits_of(&info), 0);
}

TEST(limits_are_the_devices_within_ours)
{
    static const struct {
        uint16_t frame, all, want_frame, want_all;
    } cases[] = {{0, 0, PORT_TX_MBUFS_MAX, PORT_TSO_MBUFS_MAX},
                 {UINT16_MAX, UINT16_MAX, PORT_TX_MBUFS_MAX, PORT_TSO_MBUFS_MAX},
                 {5, 33, 5, 33},
                 {8, 4, 4, 4}};
    struct port_info info = abilities_of(UINT64_MAX, UINT64_MAX, 0);
    for (unsigned i = 0; i < array_len(cases); i++) {
        struct rte_eth_dev_info dev = {
            .tx_desc_lim = {.nb_mtu_seg_max = cases[i].frame, .nb_seg_max = cases[i].all}};
        net_offload_read_back(0, &dev, &info);
        CHECK_EQ(info.tx_mbufs_max, cases[i].want_frame);
        CHECK_EQ(info.tso_mbufs_max, cases[i].want_all);
    }
}

TEST(the_option_names_offloads_and_the_line_tells_them)
{
    struct net_options options;
    struct net_fault fault = {""};
    char line[300];
    REQUIRE(net_options_parse("name=p0,driver=mem,without=tso:lro", &options, &fault));
    CHECK_EQ(options.without, CAN(tso) | CAN(lro));
    CHECK(!net_options_parse("name=p0,driver=mem,without=tso:", &options, &fault));
    CHECK(!net_options_parse("name=p0,driver=mem,without=fast", &options, &fault));
    CHECK_STR(fault.text, "without: there is no offload \"fast\"");
    static const char *const names[] = {PORT_ABILITY_LIST(X_NAME)};
    for (unsigned i = 0; i < array_len(names); i++) {
        char text[64];
        snprintf(text, sizeof(text), "name=p0,driver=mem,without=%s", names[i]);
        REQUIRE(net_options_parse(text, &options, &fault));
        CHECK_EQ(options.without, 1u << i);
    }
    static struct port_setup port = {
        .info = {.mtu = 1500, .name = "p0", .has_rss = true}, .n_rx_queues = 4, .n_tx_queues = 3};
    port.info.has_lro = true;
    port.info.mac.bytes[0] = 2;
    net_port_describe(&port, line, sizeof(line));
    CHECK_STR(line, "port p0: 02:00:00:00:00:00, mtu 1500, queues 4 in 3 out; device: rss lro");
    net_port_describe(&port, line, 20);
    CHECK_EQ(strlen(line), 19);
}

UNIT_MAIN("drivers_abilities", T(of_a_device_that_can_all_everything_is_used),
          T(what_the_operator_leaves_out_is_not_asked_for_nor_what_needs_it),
          T(half_an_ability_is_none), T(what_the_device_does_after_its_start_counts),
          T(limits_are_the_devices_within_ours),
          T(the_option_names_offloads_and_the_line_tells_them))
