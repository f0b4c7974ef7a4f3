/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What MLD says, put into packets: of version 2 (RFC 3810, section 5.2) and 1 (RFC 2710, section
 * 3). Owner: struct net. Thread: the worker. Station: above eth_output().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct ip_addr;
struct net;
struct net_iface;
struct wire_mld_record;

/* One group: ICMP6_MLD_REPORT_V1 that we are in it, ICMP6_MLD_DONE that we are not. False: no mbuf.
 */
bool mld_send_v1(struct net *n, const struct net_iface *iface, uint8_t type,
                 const struct ip_addr *group);

/* One report with these records, NET_MLD_RECORDS_MAX at most. False: no mbuf. */
bool mld_send_records(struct net *n, const struct net_iface *iface,
                      const struct wire_mld_record *records, uint32_t n_records);
