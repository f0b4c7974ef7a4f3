/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of packets, as the kinds of ports need it. */
#include "packets.h"
#include "unit.h"
#include "unit_eal.h"

#include <rte_mbuf.h>

static struct options options_with(const char *port, const char *another)
{
    struct options o = {.mem_mb = 64, .workers = 1};
    struct net_fault fault;
    unit_eal_init();
    REQUIRE(net_options_parse(port, &o.ports[o.n_ports++], &fault));
    if (another != NULL)
        REQUIRE(net_options_parse(another, &o.ports[o.n_ports++], &fault));
    return o;
}

TEST(every_packet_of_a_kernel_port_lies_where_the_kernel_looks_for_it)
{
    struct options o = options_with("name=p0,driver=af_xdp,iface=lo", NULL);
    struct rte_mempool *pool = NULL;
    struct net_fault fault;
    uint32_t n = 0;
    REQUIRE(packets_make(&o, &pool, &n, &fault));
    CHECK(packets_are_packed(pool));
    const struct rte_mempool_memhdr *piece = STAILQ_FIRST(&pool->mem_list);
    uintptr_t end = (uintptr_t)piece->addr +
                    n * (size_t)rte_mempool_calc_obj_size(pool->elt_size, pool->flags, NULL);
    struct rte_mbuf *m;
    while ((m = rte_pktmbuf_alloc(pool)) != NULL)
        CHECK((uintptr_t)m->buf_addr + m->buf_len <= end);
    rte_mempool_free(pool);
}

TEST(packets_of_a_device_with_dma_do_not_lie_across_pages)
{
    struct options o = options_with("name=p0,driver=pci,pci=0000:00:05.0", NULL);
    struct rte_mempool *pool = NULL;
    struct net_fault fault;
    uint32_t n = 0;
    REQUIRE(packets_make(&o, &pool, &n, &fault));
    struct rte_mbuf *m;
    while ((m = rte_pktmbuf_alloc(pool)) != NULL) {
        uintptr_t last = (uintptr_t)m->buf_addr + m->buf_len - 1;
        CHECK(((uintptr_t)m->buf_addr ^ last) < 4096);
    }
    rte_mempool_free(pool);
}

TEST(both_kinds_of_ports_in_one_process_are_refused)
{
    struct options o =
        options_with("name=p0,driver=pci,pci=0000:00:05.0", "name=p1,driver=af_xdp,iface=lo");
    struct rte_mempool *pool = NULL;
    struct net_fault fault;
    uint32_t n = 0;
    CHECK(!packets_make(&o, &pool, &n, &fault));
    CHECK(pool == NULL);
}

UNIT_MAIN("dataplane/packets", T(every_packet_of_a_kernel_port_lies_where_the_kernel_looks_for_it),
          T(packets_of_a_device_with_dma_do_not_lie_across_pages),
          T(both_kinds_of_ports_in_one_process_are_refused))
