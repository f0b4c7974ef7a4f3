/* SPDX-License-Identifier: Apache-2.0 */
/* See packets.h. */
#include "packets.h"

#include "base/assert.h"
#include "core/pages.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>

#define MBUF_CACHE 256u /* packets that a worker takes from the shared pool at once */
#define PAGE_BYTES 4096u
#define ROOM_BYTES (MBUF_DATA_BYTES + RTE_PKTMBUF_HEADROOM)

/* What the kinds of the configured ports ask of the pool. */
struct packet_needs {
    bool has_dma;
    bool is_packed;
};

static struct packet_needs needs_of(const struct options *o)
{
    struct packet_needs needs = {0};
    for (unsigned i = 0; i < o->n_ports; i++) {
        const struct net_driver *driver = net_driver_find(o->ports[i].driver);
        ASSERT(driver != NULL);
        needs.has_dma |= driver->has_dma;
        needs.is_packed |= driver->needs_packed_pool;
    }
    return needs;
}

/* Bytes that one packet takes. With gaps and without hugepages it is a page. */
static uint32_t bytes_each(unsigned flags)
{
    uint32_t each = rte_mempool_calc_obj_size(sizeof(struct rte_mbuf) + ROOM_BYTES, flags, NULL);
    bool has_gaps = (flags & RTE_MEMPOOL_F_NO_IOVA_CONTIG) == 0 && !rte_eal_has_hugepages();
    return has_gaps ? PAGE_BYTES : each;
}

static void unmap(struct rte_mempool_memhdr *piece, void *arg)
{
    pages_unmap(piece->addr, piece->len);
}

/* Gives the pool its memory: the EAL's, unless that has small pages only and nobody needs it. */
static bool populate(struct rte_mempool *pool, unsigned flags)
{
    if ((flags & RTE_MEMPOOL_F_NO_IOVA_CONTIG) == 0 || rte_eal_has_hugepages())
        return rte_mempool_populate_default(pool) >= 0;
    size_t bytes = (size_t)pool->size * (pool->header_size + pool->elt_size + pool->trailer_size);
    void *memory = pages_map(bytes);
    if (memory == NULL)
        return false;
    if (rte_mempool_populate_virt(pool, memory, bytes, PAGE_BYTES, unmap, NULL) == (int)pool->size)
        return true;
    if (pool->nb_mem_chunks == 0) /* else it goes with the pool */
        pages_unmap(memory, bytes);
    return false;
}

static struct rte_mempool *make_pool(uint32_t n, unsigned flags)
{
    struct rte_pktmbuf_pool_private room = {.mbuf_data_room_size = ROOM_BYTES};
    struct rte_mempool *pool =
        rte_mempool_create_empty("mbufs", n, sizeof(struct rte_mbuf) + ROOM_BYTES, MBUF_CACHE,
                                 sizeof(room), SOCKET_ID_ANY, flags);
    if (pool == NULL)
        return NULL;
    if (rte_mempool_set_ops_byname(pool, rte_mbuf_best_mempool_ops(), NULL) != 0) {
        rte_mempool_free(pool);
        return NULL;
    }
    rte_pktmbuf_pool_init(pool, &room);
    if (!populate(pool, flags)) {
        rte_mempool_free(pool);
        return NULL;
    }
    rte_mempool_obj_iter(pool, rte_pktmbuf_init, NULL);
    return pool;
}

bool packets_are_packed(const struct rte_mempool *pool)
{
    const struct rte_mempool_memhdr *piece = STAILQ_FIRST(&pool->mem_list);
    size_t each = pool->header_size + pool->elt_size + pool->trailer_size;
    return pool->nb_mem_chunks == 1 && piece->len < (pool->populated_size + 1) * each;
}

bool packets_make(const struct options *o, struct rte_mempool **ret_pool, uint32_t *ret_n,
                  struct net_fault *ret_fault)
{
    struct packet_needs needs = needs_of(o);
    if (needs.is_packed && needs.has_dma)
        return net_fault_set(ret_fault, "ports of kind pci and af_xdp cannot be mixed");
    unsigned flags = needs.has_dma ? 0 : RTE_MEMPOOL_F_NO_IOVA_CONTIG;
    uint32_t n = (uint32_t)(((uint64_t)o->mem_mb << 20) / 4 * 3 / bytes_each(flags));
    struct rte_mempool *pool = make_pool(n, flags);
    if (pool == NULL)
        return net_fault_set(ret_fault, "no memory for packets: %s", rte_strerror(rte_errno));
    if (needs.is_packed && !packets_are_packed(pool)) {
        rte_mempool_free(pool);
        return net_fault_set(ret_fault, "no memory for packets in one piece");
    }
    *ret_pool = pool;
    *ret_n = n;
    return true;
}
