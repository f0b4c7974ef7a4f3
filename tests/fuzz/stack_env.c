/* SPDX-License-Identifier: Apache-2.0 */
/* DPDK for fuzz targets. */
#include "stack_env.h"

#include "base/assert.h"
#include "base/container.h"
#include "core/core.h"
#include "core/port_setup.h"
#include "drivers/net/mem.h"

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define MBUFS 2047u
#define HEADROOM 128u

static struct rte_mempool *mbufs;
static struct port_setup port;
static struct rte_ring *in;
static struct rte_ring *out;

static void start(void)
{
    char args[][32] = {"fuzz",     "--no-huge",      "-m", "64", "--no-shconf",
                       "--no-pci", "--no-telemetry", "-l", "0",  "--log-level=lib.*:error"};
    char *argv[array_len(args) + 1] = {NULL};
    struct net_fault fault = {""};
    cpu_set_t cpus;
    int error = sched_getaffinity(0, sizeof(cpus), &cpus);
    ASSERT(error == 0);
    for (unsigned i = 0; i < array_len(args); i++)
        argv[i] = args[i];
    error = rte_eal_init(array_len(args), argv);
    ASSERT(error >= 0);
    error = sched_setaffinity(0, sizeof(cpus), &cpus); /* EAL tied us to a core */
    ASSERT(error == 0);
    mbufs = rte_pktmbuf_pool_create("fuzz", MBUFS, 0, 0, MBUF_DATA_BYTES + RTE_PKTMBUF_HEADROOM,
                                    SOCKET_ID_ANY);
    bool is_open = mbufs != NULL && mem_port_open("fuzz", 0, 1, 1, mbufs, &port, &fault);
    ASSERT(is_open);
    port.info.mac = (struct ether_mac){{2, 0, 0, 0, 0, 1}};
    spread_init(&port.spread, 1);
    mem_world_rings("fuzz", 0, &in, &out);
}

void stack_env_begin(void)
{
    void *m;
    if (mbufs == NULL)
        start();
    while (rte_ring_sc_dequeue(in, &m) == 0 || rte_ring_sc_dequeue(out, &m) == 0)
        rte_pktmbuf_free(m);
}

const struct port_setup *stack_env_port(void)
{
    return &port;
}

struct rte_mempool *stack_env_mbufs(void)
{
    return mbufs;
}

static void free_outside(void *addr, void *opaque)
{
    free(opaque);
}

/* DPDK's bookkeeping, the headroom, and the frame at the very end of its memory. */
static void put_outside(struct rte_mbuf *m, const uint8_t *frame, size_t len)
{
    struct outside {
        struct rte_mbuf_ext_shared_info shared;
        uint8_t data[];
    } *outside = malloc(sizeof(*outside) + HEADROOM + len);
    ASSERT(outside != NULL);
    memcpy(outside->data + HEADROOM, frame, len);
    outside->shared.free_cb = free_outside;
    outside->shared.fcb_opaque = outside;
    rte_mbuf_ext_refcnt_set(&outside->shared, 1);
    rte_pktmbuf_attach_extbuf(m, outside->data, 0, (uint16_t)(HEADROOM + len), &outside->shared);
    m->data_off = HEADROOM;
    m->data_len = (uint16_t)len;
    m->pkt_len = (uint32_t)len;
}

static void enqueue(struct rte_mbuf *m)
{
    if (rte_ring_sp_enqueue(in, m) != 0)
        rte_pktmbuf_free(m);
}

void stack_env_send(const uint8_t *frame, size_t len)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
    if (m == NULL)
        return;
    put_outside(m, frame, len);
    enqueue(m);
}

void stack_env_send_chained(const uint8_t *frame, size_t len, size_t cut)
{
    struct rte_mbuf *m = rte_pktmbuf_alloc(mbufs);
    struct rte_mbuf *rest = rte_pktmbuf_alloc(mbufs);
    ASSERT(cut > 0 && cut < len);
    if (m == NULL || rest == NULL) {
        rte_pktmbuf_free(m);
        rte_pktmbuf_free(rest);
        return;
    }
    put_outside(m, frame, cut);
    put_outside(rest, frame + cut, len - cut);
    int fault = rte_pktmbuf_chain(m, rest);
    ASSERT(fault == 0);
    enqueue(m);
}

size_t stack_env_receive(uint8_t *ret, size_t bytes)
{
    void *taken = NULL;
    if (rte_ring_sc_dequeue(out, &taken) != 0)
        return 0;
    struct rte_mbuf *m = taken;
    size_t len = m->pkt_len < bytes ? m->pkt_len : bytes;
    const uint8_t *at = rte_pktmbuf_read(m, 0, (uint32_t)len, ret);
    ASSERT(at != NULL && len > 0);
    if (at != ret)
        memcpy(ret, at, len);
    rte_pktmbuf_free(m);
    return len;
}
