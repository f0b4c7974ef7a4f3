/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a SYN is worth as a question to an endpoint. One that is broken is never passed on, and
 * silence after an odd one is held against nobody: else whoever can send a client's packets could
 * have every endpoint ejected by a policy that counts connections which are not answered. Pure.
 *
 * Odd is what hosts drop without a word: signatures that they do not expect (RFC 2385, section 4.0;
 * RFC 5925, section 7.3). Nothing else of the SYN matters to them: IP's options, TTL and pieces are
 * ours by then.
 */
#include "l4/l4_priv.h"
#include "net/cksum.h"

#define OPTION_END 0u
#define OPTION_NOP 1u
#define OPTION_MD5 19u
#define OPTION_AO 29u

static enum l4_syn judge_options(const uint8_t *p, uint32_t bytes)
{
    uint32_t i = 0;
    while (i < bytes && p[i] != OPTION_END) {
        if (p[i] == OPTION_NOP) {
            i++;
            continue;
        }
        if (p[i] == OPTION_MD5 || p[i] == OPTION_AO)
            return L4_SYN_ODD;
        if (i + 1 >= bytes || p[i + 1] < 2 || p[i + 1] > bytes - i)
            return L4_SYN_BROKEN;
        i += p[i + 1];
    }
    return L4_SYN_SOUND;
}

enum l4_syn l4_syn_judge(const struct rte_mbuf *m, const struct ip_addr *src,
                         const struct ip_addr *dst)
{
    const struct tcp_wire *w = rte_pktmbuf_mtod(m, const struct tcp_wire *);
    uint32_t header = (uint32_t)(w->offset >> 4) * 4;
    if (header < sizeof(*w) || header > m->pkt_len ||
        !cksum_l4_is_good(m, src, dst, IPPROTO_NUM_TCP))
        return L4_SYN_BROKEN;
    if (header > m->data_len) /* nobody sends a SYN in pieces */
        return L4_SYN_ODD;
    return judge_options((const uint8_t *)(w + 1), header - (uint32_t)sizeof(*w));
}
