/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The checksum of what lies in several mbufs, and of what is on no wire. Pure.
 */
#include "net/cksum.h"

#include "base/assert.h"

#include <rte_mbuf.h>

/* A part that begins at an odd offset has its bytes in the other halves of the words. */
static uint32_t swap_halves(uint32_t sum)
{
    ASSERT_HOT(sum <= 0xffff);
    return ((sum & 0xff) << 8) | (sum >> 8);
}

uint32_t cksum_add_mbuf(uint32_t sum, const struct rte_mbuf *m, uint32_t offset)
{
    ASSERT_HOT(offset <= m->pkt_len);
    bool is_odd = false;
    for (; m != NULL; m = m->next) {
        if (offset >= m->data_len) {
            offset -= m->data_len;
            continue;
        }
        uint32_t len = m->data_len - offset;
        uint32_t part = cksum_add(0, rte_pktmbuf_mtod_offset(m, const uint8_t *, offset), len);
        sum = cksum_fold((uint64_t)sum + (is_odd ? swap_halves(part) : part));
        is_odd ^= len & 1;
        offset = 0;
    }
    return sum;
}

uint32_t cksum_add_pseudo(uint32_t sum, const struct ip_addr *src, const struct ip_addr *dst,
                          uint8_t proto, uint32_t l4_bytes)
{
    ASSERT_HOT(ip_addr_is_v4(src) == ip_addr_is_v4(dst));
    /* Length and protocol are added as the words that they are in both pseudo headers. */
    be32_t tail[2] = {be32(l4_bytes), be32(proto)};
    sum = cksum_add(sum, tail, sizeof(tail));
    unsigned skip = ip_addr_is_v4(src) ? 12 : 0;
    sum = cksum_add(sum, &src->bytes[skip], 16 - skip);
    return cksum_add(sum, &dst->bytes[skip], 16 - skip);
}

bool cksum_l4_is_good(const struct rte_mbuf *m, const struct ip_addr *src,
                      const struct ip_addr *dst, uint8_t proto)
{
    uint64_t known = m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
    if (known == RTE_MBUF_F_RX_L4_CKSUM_GOOD || known == RTE_MBUF_F_RX_L4_CKSUM_NONE)
        return true;
    return cksum_is_good(cksum_add_mbuf(cksum_add_pseudo(0, src, dst, proto, m->pkt_len), m, 0));
}
