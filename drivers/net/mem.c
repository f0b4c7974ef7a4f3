/* SPDX-License-Identifier: Apache-2.0 */
/* Ports made of rings (DPDK's net_ring), the far ends in the hands of a test or the simulator. */
#include "drivers/net/mem.h"

#include "base/assert.h"

#include <rte_eth_ring.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <string.h>

/* The ring of one direction of a queue: 'i' into the port, 'o' out of it. */
static struct rte_ring *find_ring(const char *dpdk_name, char direction, unsigned queue)
{
    char name[RTE_RING_NAMESIZE];
    snprintf(name, sizeof(name), "%.20s_%c%u", dpdk_name, direction, queue);
    return rte_ring_lookup(name);
}

static struct rte_ring *make_ring(const char *dpdk_name, char direction, unsigned queue)
{
    char name[RTE_RING_NAMESIZE];
    snprintf(name, sizeof(name), "%.20s_%c%u", dpdk_name, direction, queue);
    return rte_ring_create(name, MEM_QUEUE_FRAMES_MAX, SOCKET_ID_ANY,
                           RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
}

static void free_ring(struct rte_ring *ring)
{
    void *m;
    if (ring == NULL)
        return;
    while (rte_ring_sc_dequeue(ring, &m) == 0)
        rte_pktmbuf_free(m);
    rte_ring_free(ring);
}

static void device_name(const char *port_name, char *ret, size_t bytes)
{
    snprintf(ret, bytes, "mem_%.12s", port_name);
}

static bool describe(const struct net_options *options, unsigned index, unsigned workers,
                     struct net_device *ret, struct net_fault *ret_fault)
{
    *ret = (struct net_device){
        .queues = options->queues != 0 ? options->queues : 1,
        .mtu = options->mtu != 0 ? options->mtu : 1500,
        .has_paired_queues = true,
    };
    if (ret->queues > RTE_MAX_QUEUES_PER_PORT || ret->queues > PORT_QUEUES_MAX)
        return net_fault_set(ret_fault, "port %s: at most %u queues", options->name,
                             PORT_QUEUES_MAX);
    if (strlen(options->name) > 12)
        return net_fault_set(ret_fault, "port %s: a mem port's name has at most 12 letters",
                             options->name);
    device_name(options->name, ret->dpdk_name, sizeof(ret->dpdk_name));
    return true;
}

static void destroy(const struct net_device *device)
{
    for (unsigned queue = 0; queue < device->queues; queue++) {
        free_ring(find_ring(device->dpdk_name, 'i', queue));
        free_ring(find_ring(device->dpdk_name, 'o', queue));
    }
}

static bool create(const struct net_device *device, struct port_setup *ret,
                   struct net_fault *ret_fault)
{
    struct rte_ring *in[PORT_QUEUES_MAX];
    struct rte_ring *out[PORT_QUEUES_MAX];
    for (unsigned queue = 0; queue < device->queues; queue++) {
        in[queue] = make_ring(device->dpdk_name, 'i', queue);
        out[queue] = make_ring(device->dpdk_name, 'o', queue);
        if (in[queue] == NULL || out[queue] == NULL) {
            destroy(device);
            return net_fault_set(ret_fault, "%s: no memory for its queues, or the name is taken",
                                 device->dpdk_name);
        }
    }
    int port = rte_eth_from_rings(device->dpdk_name, in, device->queues, out, device->queues, 0);
    if (port < 0) {
        destroy(device);
        return net_fault_set(ret_fault, "%s: DPDK makes no port of rings", device->dpdk_name);
    }
    ret->info.dpdk_port = (uint16_t)port;
    return true;
}

extern const struct net_driver net_driver_mem;
const struct net_driver net_driver_mem = {
    .name = "mem",
    .help = "queues=N,mtu=BYTES: rings in memory, for tests",
    .describe = describe,
    .create = create,
    .destroy = destroy,
};

bool mem_world_send(const char *port_name, unsigned queue, struct rte_mbuf *m)
{
    char name[64];
    device_name(port_name, name, sizeof(name));
    struct rte_ring *ring = find_ring(name, 'i', queue);
    ASSERT(ring != NULL);
    return rte_ring_sp_enqueue(ring, m) == 0;
}

unsigned mem_world_receive(const char *port_name, unsigned queue, struct rte_mbuf **ret,
                           unsigned max)
{
    char name[64];
    device_name(port_name, name, sizeof(name));
    struct rte_ring *ring = find_ring(name, 'o', queue);
    ASSERT(ring != NULL);
    return rte_ring_sc_dequeue_burst(ring, (void **)ret, max, NULL);
}

void mem_world_rings(const char *port_name, unsigned queue, struct rte_ring **ret_in,
                     struct rte_ring **ret_out)
{
    char name[64];
    device_name(port_name, name, sizeof(name));
    *ret_in = find_ring(name, 'i', queue);
    *ret_out = find_ring(name, 'o', queue);
    ASSERT(*ret_in != NULL && *ret_out != NULL);
}

static void options_of(const char *name, unsigned queues, struct net_options *ret)
{
    *ret = (struct net_options){.driver = "mem", .queues = (uint16_t)queues};
    snprintf(ret->name, sizeof(ret->name), "%s", name);
}

bool mem_port_open(const char *name, unsigned index, unsigned queues, unsigned workers,
                   struct rte_mempool *mbufs, struct port_setup *ret, struct net_fault *ret_fault)
{
    struct net_options options;
    struct net_device device;
    options_of(name, queues, &options);
    return net_driver_describe(&options, index, workers, &device, ret_fault) &&
           net_port_open(&options, &device, index, workers, mbufs, ret, ret_fault);
}

void mem_port_close(const char *name, const struct port_setup *port)
{
    struct net_options options;
    struct net_device device;
    struct net_fault fault;
    options_of(name, port->n_rx_queues, &options);
    if (net_driver_describe(&options, port->info.index, 1, &device, &fault))
        net_port_close(&options, &device, port);
}
