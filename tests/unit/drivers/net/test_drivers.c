/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of port drivers: what every kind must do, tried on those that need no hardware; and
 * what each kind says to options that cannot work.
 */
#include "core/core.h"
#include "drivers/net/mem.h"
#include "unit.h"
#include "unit_eal.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>

static struct rte_mempool *mbufs;

static void set_up(void)
{
    unit_eal_init();
    if (mbufs == NULL)
        mbufs = unit_mbufs_new(4096);
}

/* Opens a port as main.c does. */
static bool open_port(const char *text, unsigned index, unsigned workers,
                      struct net_options *options, struct net_device *device,
                      struct port_setup *port, struct net_fault *fault)
{
    return net_options_parse(text, options, fault) &&
           net_driver_describe(options, index, workers, device, fault) &&
           net_port_open(options, device, index, workers, mbufs, port, fault);
}

/* The contract, for a port option and a number of workers. */
static void check_contract(const char *text, unsigned index, unsigned workers)
{
    struct net_options options;
    struct net_device device;
    struct port_setup port;
    struct net_fault fault = {""};
    for (unsigned round = 0; round < 2; round++) { /* closing leaves nothing in the way */
        bool is_open = open_port(text, index, workers, &options, &device, &port, &fault);
        if (!is_open)
            printf("  %s: %s\n", text, fault.text);
        REQUIRE(is_open);
        CHECK_EQ(port.info.index, index);
        CHECK_STR(port.info.name, options.name);
        CHECK(port.info.mtu >= 1280);
        CHECK_EQ(port.info.mac.bytes[0] & 1, 0); /* unicast */
        CHECK(memcmp(port.info.mac.bytes, (uint8_t[6]){0}, 6) != 0);
        CHECK(port.n_rx_queues >= 1 && port.n_rx_queues <= PORT_QUEUES_MAX);
        CHECK(port.n_tx_queues >= 1 && port.n_tx_queues <= workers);
        CHECK(!port.info.has_rss || port.n_rx_queues == workers);
        CHECK(rte_eth_dev_is_valid_port(port.info.dpdk_port));
        struct rte_mbuf *m;
        for (uint16_t queue = 0; queue < port.n_rx_queues; queue++)
            CHECK_EQ(rte_eth_rx_burst(port.info.dpdk_port, queue, &m, 1), 0);
        net_port_close(&options, &device, &port);
        CHECK(!rte_eth_dev_is_valid_port(port.info.dpdk_port));
    }
}

TEST(mem_ports_keep_the_contract_with_any_number_of_queues_and_workers)
{
    set_up();
    for (unsigned workers = 1; workers <= 5; workers++) {
        check_contract("name=m0,driver=mem", 0, workers);
        check_contract("name=m0,driver=mem,queues=2,mtu=2000", 3, workers);
        check_contract("name=m0,driver=mem,queues=5", 1, workers);
    }
}

TEST(a_frame_goes_through_a_mem_port_in_both_directions)
{
    struct port_setup port;
    struct net_fault fault;
    struct rte_mbuf *got;
    set_up();
    REQUIRE(mem_port_open("m0", 0, 3, 3, mbufs, &port, &fault));
    for (uint16_t queue = 0; queue < 3; queue++) {
        struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
        rte_pktmbuf_append(m, 60 + queue);
        CHECK(mem_world_send("m0", queue, m));
        REQUIRE(rte_eth_rx_burst(port.info.dpdk_port, queue, &got, 1) == 1);
        CHECK(got == m);
        REQUIRE(rte_eth_tx_burst(port.info.dpdk_port, queue, &m, 1) == 1);
        REQUIRE(mem_world_receive("m0", queue, &got, 1) == 1);
        CHECK_EQ(rte_pktmbuf_pkt_len(got), 60 + queue);
        rte_pktmbuf_free(got);
    }
    mem_port_close("m0", &port);
    CHECK_EQ(rte_mempool_avail_count(mbufs), 4096);
}

TEST(a_full_queue_refuses_the_worlds_frame)
{
    struct port_setup port;
    struct net_fault fault;
    set_up();
    REQUIRE(mem_port_open("m0", 0, 1, 1, mbufs, &port, &fault));
    for (unsigned i = 0; i < MEM_QUEUE_FRAMES_MAX; i++)
        CHECK(mem_world_send("m0", 0, rte_pktmbuf_alloc(mbufs)));
    struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
    CHECK(!mem_world_send("m0", 0, m));
    rte_pktmbuf_free(m);
    mem_port_close("m0", &port); /* with all that lies in it */
    CHECK_EQ(rte_mempool_avail_count(mbufs), 4096);
}

TEST(two_ports_of_one_name_are_refused)
{
    struct port_setup port;
    struct port_setup second;
    struct net_fault fault = {""};
    set_up();
    REQUIRE(mem_port_open("m0", 0, 1, 1, mbufs, &port, &fault));
    CHECK(!mem_port_open("m0", 1, 1, 1, mbufs, &second, &fault));
    CHECK(fault.text[0] != '\0');
    mem_port_close("m0", &port);
}

/* Describes the port; true: it is refused with a sentence that has `word` in it. */
static bool is_refused(const char *text, const char *word)
{
    struct net_options options;
    struct net_device device;
    struct net_fault fault = {""};
    if (!net_options_parse(text, &options, &fault))
        return false; /* refused too early */
    return !net_driver_describe(&options, 0, 2, &device, &fault) &&
           strstr(fault.text, word) != NULL;
}

TEST(options_that_cannot_work_are_refused_before_dpdk_starts)
{
    CHECK(is_refused("name=p0,driver=af_xdp", "iface="));
    CHECK(is_refused("name=p0,driver=af_xdp,iface=nosuchiface", "nosuchiface"));
    CHECK(is_refused("name=p0,driver=bond", "members="));
    CHECK(is_refused("name=p0,driver=bond,members=lo", "members="));
    CHECK(is_refused("name=p0,driver=bond,members=lo:lo:", "no interface"));
    CHECK(is_refused("name=p0,driver=bond,members=lo:lo:lo:lo:lo", "at most"));
    CHECK(is_refused("name=p0,driver=bond,members=lo:nosuchiface", "nosuchiface"));
    CHECK(is_refused("name=p0,driver=af_xdp,iface=lo,mtu=9000", "2026"));
    CHECK(is_refused("name=p0,driver=pcap", "iface="));
    CHECK(is_refused("name=p0,driver=tap", "iface="));
    CHECK(is_refused("name=p0,driver=pci", "pci="));
    CHECK(is_refused("name=p0,driver=pci,pci=00", "pci="));
    CHECK(is_refused("name=p0,driver=pci,pci=00:20.0", "pci="));
    CHECK(is_refused("name=p0,driver=pci,pci=00:05.0x", "pci="));
    CHECK(is_refused("name=p0,driver=pci,pci=00:05.8", "pci="));
    CHECK(is_refused("name=averylongportname,driver=mem", "12 letters"));
}

TEST(a_device_is_described_as_dpdk_knows_it)
{
    struct net_options options;
    struct net_device device;
    struct net_fault fault;
    REQUIRE(net_options_parse("name=p0,driver=pci,pci=5:1f.7,queues=3", &options, &fault));
    REQUIRE(net_driver_describe(&options, 4, 8, &device, &fault));
    CHECK_STR(device.eal_option, "-a");
    CHECK_STR(device.eal_value, "0000:05:1f.7");
    CHECK_EQ(device.queues, 3);
    REQUIRE(net_options_parse("name=p0,driver=pci,pci=0001:05:00.0", &options, &fault));
    REQUIRE(net_driver_describe(&options, 4, 8, &device, &fault));
    CHECK_STR(device.dpdk_name, "0001:05:00.0");
    CHECK_EQ(device.queues, 8); /* a pair a worker */
    REQUIRE(net_options_parse("name=p0,driver=tap,iface=t0", &options, &fault));
    REQUIRE(net_driver_describe(&options, 4, 8, &device, &fault));
    CHECK_STR(device.eal_value, "net_tap4,iface=t0");
    REQUIRE(net_options_parse("name=p0,driver=af_xdp,iface=lo", &options, &fault));
    REQUIRE(net_driver_describe(&options, 2, 8, &device, &fault));
    CHECK_STR(device.eal_value, "net_af_xdp2,iface=lo,start_queue=0,queue_count=1");
    CHECK(device.mtu > 0);
}

UNIT_MAIN("drivers_net", T(mem_ports_keep_the_contract_with_any_number_of_queues_and_workers),
          T(a_frame_goes_through_a_mem_port_in_both_directions),
          T(a_full_queue_refuses_the_worlds_frame), T(two_ports_of_one_name_are_refused),
          T(options_that_cannot_work_are_refused_before_dpdk_starts),
          T(a_device_is_described_as_dpdk_knows_it))
