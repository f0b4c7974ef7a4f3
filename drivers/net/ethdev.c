/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What all kinds of ports have in common: queues, offloads and spreading asked for, what the device
 * really gives read back. Thread: the composer's.
 */
#include "drivers/net/ethdev_offload.h"
#include "drivers/net/ethdev_rss.h"

#include "base/assert.h"

#include <rte_ethdev.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool net_fault_set(struct net_fault *ret_fault, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(ret_fault->text, sizeof(ret_fault->text), format, args);
    va_end(args);
    return false;
}

/* How many queues of each direction. */
static void choose_queues(const struct net_device *device, const struct rte_eth_dev_info *dev,
                          unsigned workers, struct port_setup *setup)
{
    unsigned rx = device->queues < dev->max_rx_queues ? device->queues : dev->max_rx_queues;
    unsigned tx = device->has_paired_queues ? rx : workers;
    rx = rx < PORT_QUEUES_MAX ? rx : PORT_QUEUES_MAX;
    tx = tx < dev->max_tx_queues ? tx : dev->max_tx_queues;
    setup->n_rx_queues = (uint16_t)(rx > 0 ? rx : 1);
    setup->n_tx_queues = (uint16_t)(tx > 0 ? tx : 1);
}

/* Sets up `n` queues of each direction, all from one pool. */
static int setup_queues(uint16_t port, const struct port_setup *setup, struct rte_mempool *mbufs)
{
    uint16_t rx_descriptors = NET_DESCRIPTORS;
    uint16_t tx_descriptors = NET_DESCRIPTORS;
    int socket = rte_eth_dev_socket_id(port);
    rte_eth_dev_adjust_nb_rx_tx_desc(port, &rx_descriptors, &tx_descriptors);
    for (uint16_t queue = 0; queue < setup->n_rx_queues; queue++) {
        int fault =
            rte_eth_rx_queue_setup(port, queue, rx_descriptors, (unsigned)socket, NULL, mbufs);
        if (fault != 0)
            return fault;
    }
    for (uint16_t queue = 0; queue < setup->n_tx_queues; queue++) {
        int fault = rte_eth_tx_queue_setup(port, queue, tx_descriptors, (unsigned)socket, NULL);
        if (fault != 0)
            return fault;
    }
    return 0;
}

/* A device without an address of its own (rings) gets a local one that tells the port. */
static void ensure_mac(uint16_t port, unsigned index, struct ether_mac *ret)
{
    struct rte_ether_addr mac = {{0}};
    int fault = rte_eth_macaddr_get(port, &mac);
    if (fault != 0 || rte_is_zero_ether_addr(&mac)) {
        mac = (struct rte_ether_addr){{0x02, 0x53, 0x4c, 0, 0, (uint8_t)index}};
        rte_eth_dev_default_mac_addr_set(port, &mac); /* best effort: we speak as it anyway */
    }
    memcpy(ret->bytes, mac.addr_bytes, sizeof(ret->bytes));
}

/* Neighbour discovery comes by multicast. */
static void open_multicast(uint16_t port)
{
    if (rte_eth_allmulticast_enable(port) != 0)
        rte_eth_promiscuous_enable(port); /* a device that can do neither filters nothing */
}

/* With a queue for each worker a device that can be foretold brings frames to their owners; with
 * fewer it only keeps all queues busy, and the workers spread. */
static void take_rss(bool wants_rss, uint16_t port, const struct rte_eth_dev_info *dev,
                     unsigned workers, const struct rte_eth_conf *conf, struct port_setup *setup)
{
    struct spread read;
    if (!wants_rss || !net_rss_read_back(port, dev, setup->n_rx_queues, &read) ||
        setup->n_rx_queues != workers)
        return;
    setup->spread = read;
    setup->info.has_rss = true;
    setup->has_rss_mark = (conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_RSS_HASH) != 0;
}

/* False: frames as long as the MTU wants them would be longer than what the device gives. */
static bool ask_for_length(const struct net_driver *driver, const struct net_device *device,
                           const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf)
{
    if (device->mtu <= NET_MTU_MAX || driver->scatter == NET_SCATTER_ALWAYS)
        return true;
    conf->rxmode.offloads |= dev->rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
    return (conf->rxmode.offloads & RTE_ETH_RX_OFFLOAD_SCATTER) != 0;
}

static bool configure(const struct net_options *options, const struct net_device *device,
                      uint16_t port, unsigned workers, struct rte_mempool *mbufs,
                      struct port_setup *setup, struct net_fault *ret_fault)
{
    const struct net_driver *driver = net_driver_find(options->driver);
    struct rte_eth_dev_info dev;
    int fault = rte_eth_dev_info_get(port, &dev);
    if (fault != 0)
        return net_fault_set(ret_fault, "port %s: no device information: %s", setup->info.name,
                             rte_strerror(-fault));
    choose_queues(device, &dev, workers, setup);
    struct rte_eth_conf conf = {
        .rxmode = {.mtu = device->mtu},
    };
    /* What is put together does not fit the tap beside the port. */
    uint32_t merging = options->tap[0] != '\0' ? 1u << PORT_CAN_lro : 0;
    net_offload_ask(&dev, options->without | driver->without | merging, &conf);
    if (!ask_for_length(driver, device, &dev, &conf))
        return net_fault_set(ret_fault, "port %s: the device takes mtu up to %u", setup->info.name,
                             NET_MTU_MAX);
    bool wants_rss = driver->may_have_rss && setup->n_rx_queues > 1;
    if (wants_rss)
        net_rss_ask(&dev, &conf);
    fault = rte_eth_dev_configure(port, setup->n_rx_queues, setup->n_tx_queues, &conf);
    if (fault == 0)
        fault = setup_queues(port, setup, mbufs);
    if (fault == 0)
        fault = rte_eth_dev_start(port);
    if (fault != 0)
        return net_fault_set(ret_fault, "port %s: the device does not start: %s", setup->info.name,
                             rte_strerror(-fault));
    net_offload_read_back(port, &dev, &setup->info);
    setup->info.has_multi_seg_tx |= (driver->with >> PORT_CAN_multi_seg_tx & 1) != 0;
    if (device->mtu > NET_MTU_MAX && !setup->info.has_multi_seg_tx)
        return net_fault_set(ret_fault, "port %s: the device sends mtu up to %u", setup->info.name,
                             NET_MTU_MAX);
    bool may_place = wants_rss && (options->without >> PORT_CAN_rss & 1) == 0;
    take_rss(may_place, port, &dev, workers, &conf, setup);
    return true;
}

/* The members behind the first: what they can do as well is what the port can do. All take frames
 * for the first one's MAC, which the port speaks as whichever it uses. */
static bool open_members(const struct net_options *options, const struct net_device *device,
                         unsigned workers, struct rte_mempool *mbufs, struct port_setup *setup,
                         struct net_fault *ret_fault)
{
    for (unsigned i = 0; i < setup->n_members; i++) {
        uint16_t port = setup->members[i].dpdk_port;
        struct port_setup other = *setup;
        if (i > 0 && !configure(options, device, port, workers, mbufs, &other, ret_fault))
            return false;
        if (rte_eth_promiscuous_enable(port) != 0)
            return net_fault_set(ret_fault, "port %s: %s does not take every frame",
                                 setup->info.name, setup->members[i].name);
#define X(name, help) setup->info.has_##name = setup->info.has_##name && other.info.has_##name;
        PORT_ABILITY_LIST(X)
#undef X
    }
    return true;
}

/* The device that the driver or the EAL made, or the members. */
static bool find_device(const struct net_driver *driver, const struct net_device *device,
                        struct port_setup *setup, struct net_fault *ret_fault)
{
    if (driver->create != NULL)
        return driver->create(device, setup, ret_fault);
    return rte_eth_dev_get_port_by_name(device->dpdk_name, &setup->info.dpdk_port) == 0 ||
           net_fault_set(ret_fault, "port %s: DPDK finds no device %s", setup->info.name,
                         device->dpdk_name);
}

bool net_port_open(const struct net_options *options, const struct net_device *device,
                   unsigned index, unsigned workers, struct rte_mempool *mbufs,
                   struct port_setup *ret, struct net_fault *ret_fault)
{
    const struct net_driver *driver = net_driver_find(options->driver);
    struct port_setup setup = {.info = {.index = (uint16_t)index}};
    ASSERT(driver != NULL);
    snprintf(setup.info.name, sizeof(setup.info.name), "%s", options->name);
    if (!find_device(driver, device, &setup, ret_fault))
        return false;
    uint16_t port = setup.info.dpdk_port;
    setup.wants_calls = driver->wants_calls;
    spread_init(&setup.spread, workers);
    if (!configure(options, device, port, workers, mbufs, &setup, ret_fault) ||
        !open_members(options, device, workers, mbufs, &setup, ret_fault) ||
        (driver->start != NULL && !driver->start(device, &setup, ret_fault))) {
        net_port_close(options, device, &setup);
        return false;
    }
    if (rte_eth_dev_get_mtu(port, &setup.info.mtu) != 0 || setup.info.mtu < NET_MTU_MIN ||
        setup.info.mtu > device->mtu)
        setup.info.mtu = device->mtu;
    ensure_mac(port, index, &setup.info.mac);
    open_multicast(port);
    if (setup.n_tx_queues > workers)
        setup.n_tx_queues = (uint16_t)workers; /* the device wanted pairs; the rest stays idle */
    *ret = setup;
    return true;
}

static void close_device(uint16_t id)
{
    struct rte_eth_dev_info dev = {.device = NULL};
    /* A refusal leaves nothing to do: we are leaving. */
    if (rte_eth_dev_info_get(id, &dev) != 0)
        return;
    rte_eth_dev_stop(id);
    rte_eth_dev_close(id);
    if (dev.device != NULL)
        rte_dev_remove(dev.device);
}

void net_port_close(const struct net_options *options, const struct net_device *device,
                    const struct port_setup *port)
{
    const struct net_driver *driver = net_driver_find(options->driver);
    for (unsigned i = 1; i < port->n_members; i++)
        close_device(port->members[i].dpdk_port);
    close_device(port->info.dpdk_port);
    if (driver != NULL && driver->destroy != NULL)
        driver->destroy(device);
}
