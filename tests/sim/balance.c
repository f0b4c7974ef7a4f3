/* SPDX-License-Identifier: Apache-2.0 */
/* The books. */
#include "balance.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The sum of all counters whose names begin like this. */
static uint64_t family(const uint64_t *counters, const char *prefix)
{
    uint64_t sum = 0;
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        if (strncmp(stat_name(id), prefix, strlen(prefix)) == 0)
            sum += counters[id];
    }
    return sum;
}

/* What began has ended, and in one counter. */
struct book {
    const char *what;
    uint64_t begun;
    uint64_t ended;
};

bool balance_is_right(const uint64_t *c, char *ret, size_t bytes)
{
    uint64_t ip_packets = c[STAT_net_ip4_packets] + c[STAT_net_ip6_packets];
    uint64_t below_ip = family(c, "net_drop_rx_eth_") + family(c, "net_drop_rx_vlan_") +
                        family(c, "net_drop_rx_arp_") + c[STAT_net_rx_arp] + c[STAT_net_rx_merged];
    const struct book books[] = {
        {"received frames",
         c[STAT_core_rx_packets] + c[STAT_core_rx_copies] + c[STAT_net_reassembled] +
             c[STAT_net_rx_handover] - c[STAT_core_handoff_drop_rx_full],
         below_ip + ip_packets + c[STAT_l4_rx_fast] + family(c, "gate_drop_")},
        {"IP packets", ip_packets, family(c, "net_drop_rx_") + family(c, "net_rx_") - below_ip},
        {"ICMP messages", c[STAT_net_rx_icmp4] + c[STAT_net_rx_icmp6],
         family(c, "net_echo_") + c[STAT_net_icmp_errors] + c[STAT_net_icmp_errors_foreign] +
             c[STAT_net_icmp_ignored] + c[STAT_net_redirects_ignored] +
             c[STAT_net_routers_ignored] + c[STAT_net_mld_ignored] + c[STAT_net_mld_queries]},
        {"packets in pieces", c[STAT_net_reassembly_begun],
         c[STAT_net_reassembled] + c[STAT_net_reassembly_timeouts] +
             c[STAT_net_reassembly_evicted]},
        {"fragments", c[STAT_net_rx_fragment],
         c[STAT_net_fragments_joined] + c[STAT_net_fragments_lost]},
        {"packets to send",
         c[STAT_tcp_tx_packets] + c[STAT_net_tx_udp] + c[STAT_net_echo_replies] +
             family(c, "net_tx_icmp_") + c[STAT_l4_tx] + c[STAT_net_tx_pieces] - c[STAT_net_tx_cut],
         c[STAT_net_tx_packets] + family(c, "net_drop_tx_") + c[STAT_net_tx_waiting_now]},
        {"frames of net", c[STAT_core_tx_frames],
         c[STAT_net_tx_packets] + c[STAT_net_tx_arp] + c[STAT_net_tx_nd] + c[STAT_net_mld_reports] +
             c[STAT_net_injected]},
        {"frames to send", c[STAT_core_tx_frames],
         c[STAT_core_tx_packets] + c[STAT_core_handoff_drop_tx_full] + family(c, "core_tx_drop_")},
        {"segments and datagrams", c[STAT_net_rx_tcp] + c[STAT_net_rx_udp],
         c[STAT_tcp_rx_fast] + c[STAT_tcp_rx_slow] + c[STAT_tcp_rx_syn] +
             c[STAT_tcp_rx_syn_cookie] + c[STAT_tcp_rx_timewait] + family(c, "tcp_drop_") +
             c[STAT_l4_rx_slow]},
        {"flows", c[STAT_l4_opened_tcp] + c[STAT_l4_opened_udp],
         family(c, "l4_end_") + c[STAT_l4_flows_now]},
        {"packets of flows", c[STAT_l4_rx_fast] + c[STAT_l4_rx_slow],
         c[STAT_l4_tx] + c[STAT_l4_answered] + family(c, "l4_drop_")},
        {"tcp connections", c[STAT_tcp_rx_syn] + c[STAT_tcp_cookie_accepted] + c[STAT_tcp_opens],
         family(c, "tcp_end_")},
        {"connections of HTTP/2", c[STAT_h2_sessions_accepted] + c[STAT_h2_sessions_opened],
         family(c, "h2_session_end_")},
        {"TLS handshakes of clients", c[STAT_proxy_tls_handshakes],
         family(c, "proxy_tls_") - c[STAT_proxy_tls_handshakes] - c[STAT_proxy_tls_floods]},
        {"connections passed on", c[STAT_proxy_l4_begun], family(c, "proxy_l4_end_")},
        {"client connections", c[STAT_proxy_conns_accepted], family(c, "proxy_conn_end_")},
        {"requests", c[STAT_proxy_requests], family(c, "proxy_end_")},
        {"copies of requests", c[STAT_proxy_mirrors], family(c, "proxy_mirror_end_")},
        {"requests for a backend connection", c[STAT_upstream_asked],
         c[STAT_upstream_opened] + c[STAT_upstream_reused] + c[STAT_upstream_no_endpoint] +
             c[STAT_upstream_limit] + c[STAT_upstream_no_conn] + c[STAT_upstream_open_failed]},
        {"health checks", c[STAT_health_started], family(c, "health_end_")},
        {"backend connections", c[STAT_upstream_opened],
         family(c, "upstream_closed_") + c[STAT_upstream_aborted] + c[STAT_upstream_broken]},
    };
    for (unsigned i = 0; i < sizeof(books) / sizeof(books[0]); i++) {
        if (books[i].begun == books[i].ended)
            continue;
        snprintf(ret, bytes, "%" PRIu64 " %s began, %" PRIu64 " ended", books[i].begun,
                 books[i].what, books[i].ended);
        return false;
    }
    return true;
}
