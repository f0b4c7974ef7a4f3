/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives a run: DPDK, memory ports, pools. */
#include "base/assert.h"
#include "base/container.h"
#include "drivers/net/mem.h"
#include "sim.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define SIM_SPREAD_SEED 1u /* one key for all worlds of the process, or a seed would not tell its */

static struct rte_mempool *host_mbufs;
static struct rte_mempool *box_mbufs[2]; /* enough, few */
static struct port_setup host_ports[SIM_HOSTS_MAX];
static struct port_setup box_ports[2];

static const char *const host_names[] = {"h0", "h1", "h2", "h3", "h4", "h5", "h6"};
static const char *const box_names[] = {"box0", "box1"};
static_assert(array_len(host_names) == SIM_HOSTS_MAX, "a port for each host");

const char *sim_port_name(bool is_box, unsigned number)
{
    return is_box ? box_names[number] : host_names[number];
}

static noreturn void give_up(const char *what, const char *why)
{
    fprintf(stderr, "sim: %s: %s\n", what, why);
    exit(2);
}

/* EAL ties the thread to a core; several of us may run at once, so it is freed again. */
static void start_eal(void)
{
    cpu_set_t cpus;
    bool knows_cpus = sched_getaffinity(0, sizeof(cpus), &cpus) == 0;
    char args[][32] = {"sim",      "--no-huge",      "-m", "384", "--no-shconf",
                       "--no-pci", "--no-telemetry", "-l", "0",   "--log-level=lib.*:warning"};
    char *argv[array_len(args) + 1] = {NULL};
    for (unsigned i = 0; i < array_len(args); i++)
        argv[i] = args[i];
    if (rte_eal_init(array_len(args), argv) < 0)
        give_up("EAL", rte_strerror(rte_errno));
    if (knows_cpus && sched_setaffinity(0, sizeof(cpus), &cpus) != 0)
        give_up("EAL", "the thread cannot be freed");
}

/* Without a cache an lcore: which buffers are left would depend on the past. */
static struct rte_mempool *new_pool(const char *name, unsigned n)
{
    struct rte_mempool *pool = rte_pktmbuf_pool_create(
        name, n, 0, 0, MBUF_DATA_BYTES + RTE_PKTMBUF_HEADROOM, SOCKET_ID_ANY);
    if (pool == NULL)
        give_up(name, rte_strerror(rte_errno));
    return pool;
}

static void open_port(const char *name, unsigned serial, unsigned queues, struct port_setup *ret)
{
    struct net_fault fault = {""};
    if (!mem_port_open(name, 0, queues, queues, host_mbufs, ret, &fault))
        give_up(name, fault.text);
    ret->info.mac = (struct ether_mac){{0x02, 0x53, 0x49, 0x4d, 0, (uint8_t)serial}};
}

void sim_env_init(void)
{
    start_eal();
    bool has_key = spread_key_make(SIM_SPREAD_SEED);
    ASSERT(has_key);
    host_mbufs = new_pool("sim_hosts", SIM_HOST_MBUFS);
    box_mbufs[0] = new_pool("sim_box", SIM_BOX_MBUFS);
    box_mbufs[1] = new_pool("sim_box_few", SIM_BOX_MBUFS_FEW);
    for (unsigned i = 0; i < SIM_HOSTS_MAX; i++)
        open_port(host_names[i], 10 + i, 1, &host_ports[i]);
    for (unsigned i = 0; i < array_len(box_ports); i++) {
        open_port(box_names[i], i, SIM_QUEUES_MAX, &box_ports[i]);
        box_ports[i].info.index = (uint16_t)i;
    }
}

struct rte_mempool *sim_host_mbufs(void)
{
    return host_mbufs;
}

struct rte_mempool *sim_box_mbufs(bool few)
{
    return box_mbufs[few];
}

unsigned sim_pool_size(const struct rte_mempool *pool)
{
    return pool->size;
}

const struct port_setup *sim_host_port(unsigned number)
{
    ASSERT(number < SIM_HOSTS_MAX);
    return &host_ports[number];
}

const struct port_setup *sim_box_port(unsigned lan)
{
    ASSERT(lan < array_len(box_ports));
    return &box_ports[lan];
}

static void empty_ring(struct rte_ring *ring)
{
    void *m;
    while (rte_ring_sc_dequeue(ring, &m) == 0)
        rte_pktmbuf_free(m);
}

void sim_port_attach(const char *name, unsigned queues, struct sim_port *ret)
{
    ASSERT(queues <= SIM_QUEUES_MAX);
    ret->queues = queues;
    for (unsigned queue = 0; queue < queues; queue++) {
        mem_world_rings(name, queue, &ret->in[queue], &ret->out[queue]);
        empty_ring(ret->in[queue]);
        empty_ring(ret->out[queue]);
    }
}
