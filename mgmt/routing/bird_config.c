/* SPDX-License-Identifier: Apache-2.0 */
/* See bird_config.h. */
#include "routing/bird_config.h"

#include "base/assert.h"

#include <string.h>

#define DRAINED_PREPEND 3u /* more than what a path usually differs by */

static const char head[] = "# Written by sluice-mgmtd from Interfaces, BgpPeers, Drains and "
                           "Gateways. What is changed here\n"
                           "# is lost.\n"
                           "log stderr all;\n";

static const char vip_begin[] = "    route ";

uint32_t bird_config_read_vips(const char *text, struct ip_addr *ret, uint32_t max)
{
    uint32_t n = 0;
    const char *line = text;
    while (n < max && (line = strstr(line, vip_begin)) != NULL) {
        char addr[IP_ADDR_TEXT_MAX];
        line += sizeof(vip_begin) - 1;
        size_t bytes = strcspn(line, "/\n");
        if (line[bytes] == '/' && bytes < sizeof(addr)) {
            memcpy(addr, line, bytes);
            addr[bytes] = '\0';
            n += ip_addr_parse(addr, &ret[n]);
        }
    }
    return n;
}

static void write_vips(const struct bird_view *v, bool is_v4, FILE *to)
{
    char text[IP_ADDR_TEXT_MAX];
    fprintf(to, "protocol static vips%c {\n    ipv%c;\n", is_v4 ? '4' : '6', is_v4 ? '4' : '6');
    for (uint32_t i = 0; i < v->n_vips && v->drain != BIRD_DRAIN_WITHDRAW; i++) {
        if (ip_addr_is_v4(&v->vips[i]) == is_v4) {
            fprintf(to, "%s%s/%u blackhole;\n", vip_begin, ip_addr_format(&v->vips[i], text),
                    is_v4 ? 32u : 128u);
        }
    }
    fputs("}\n", to);
}

/* What a VIP's route says when it goes to the peer. */
static void write_filter(const struct bird_view *v, const struct bird_peer *p, FILE *to)
{
    bool is_drained = v->drain == BIRD_DRAIN_DEPRIORITIZE;
    uint32_t prepend = p->prepend + (is_drained ? DRAINED_PREPEND : 0);
    fprintf(to, "        export filter {\n            if proto != \"vips%c\" then reject;\n",
            ip_addr_is_v4(&p->address) ? '4' : '6');
    for (uint32_t i = 0; i < prepend; i++) {
        fprintf(to, "            bgp_path.prepend(%u);\n", p->local_asn);
    }
    if (is_drained || p->has_local_preference) {
        fprintf(to, "            bgp_local_pref = %u;\n", is_drained ? 0 : p->local_preference);
    }
    if (p->has_med) {
        fprintf(to, "            bgp_med = %u;\n", p->med);
    }
    for (uint32_t i = 0; i < p->n_communities; i++) {
        fprintf(to, "            bgp_community.add((%u, %u));\n", p->communities[i][0],
                p->communities[i][1]);
    }
    if (is_drained) { /* RFC 8326 */
        fputs("            bgp_community.add((65535, 0));\n", to);
    }
    fputs("            accept;\n        };\n", to);
}

/* More than any prefix has. A limit that is raised lets nothing in that was kept out; another
 * filter does, for BIRD then asks the peer for all its routes again: so the limit is told in it,
 * too. */
#define NO_LENGTH 1000u

/* Which routes of the peer are taken. */
static void write_import(const struct bird_peer *p, FILE *to)
{
    char text[IP_ADDR_TEXT_MAX];
    if (p->n_accepts == 0) {
        fputs("        import none;\n", to);
        return;
    }
    fputs("        import filter {\n", to);
    fprintf(to, "            if net.len > %u then reject;\n", NO_LENGTH + p->accept_limit);
    fputs("            if net ~ [", to);
    for (uint32_t i = 0; i < p->n_accepts; i++) {
        const struct bird_accept *a = &p->accepts[i];
        fprintf(to, "%s %s/%u{%u,%u}", i > 0 ? "," : "", ip_addr_format(&a->prefix, text),
                (unsigned)a->length, (unsigned)a->length, (unsigned)a->max_length);
    }
    fputs(" ] then accept;\n            reject;\n        };\n", to);
    fprintf(to, "        import limit %u action block;\n", p->accept_limit);
}

/* Is a gateway told that is beyond the session's link? BIRD then has to know what is on links. */
static bool needs_links(const struct bird_view *v)
{
    bool needs = false;
    for (uint32_t i = 0; i < v->n_peers; i++) {
        needs |= v->peers[i].multihop != 0 && v->peers[i].n_accepts > 0;
    }
    return needs;
}

static void write_peer(const struct bird_view *v, const struct bird_peer *p, FILE *to)
{
    char text[IP_ADDR_TEXT_MAX];
    ASSERT(p->link != NULL || ip_addr_is_v4(&p->address) == ip_addr_is_v4(&p->local));
    fprintf(to, "protocol bgp '" BIRD_PEER_PREFIX "%s' {\n    local %s as %u;\n", p->name,
            p->link != NULL ? "" : ip_addr_format(&p->local, text), p->local_asn);
    fprintf(to, "    neighbor %s as %u;\n", ip_addr_format(&p->address, text), p->peer_asn);
    if (p->link != NULL) {
        fprintf(to, "    interface \"%s\";\n", p->link);
    }
    if (p->multihop != 0) {
        fprintf(to, "    multihop %u;\n", p->multihop);
    } else if (p->local_asn != p->peer_asn || p->n_accepts > 0) {
        fputs("    direct;\n", to);
    }
    if (p->password != NULL) {
        fprintf(to, "    password \"%s\";\n", p->password);
    }
    fprintf(to, "    hold time %u;\n    connect delay time 1;\n    connect retry time %u;\n",
            p->hold_s, p->retry_s);
    fprintf(to, "    error wait time 1, %u;\n", BIRD_ERROR_WAIT_S_MAX);
    if (p->bfd_ms != 0) {
        fprintf(to, "    bfd { interval %u ms; multiplier %u; };\n", p->bfd_ms, p->bfd_multiplier);
    }
    fprintf(to, "    ipv%c {\n", ip_addr_is_v4(&p->address) ? '4' : '6');
    write_import(p, to);
    fputs("        next hop self;\n", to);
    write_filter(v, p, to);
    fputs("    };\n}\n", to);
}

void bird_config_write(const struct bird_view *v, FILE *to)
{
    char text[IP_ADDR_TEXT_MAX];
    fputs(head, to);
    fprintf(to, BIRD_ROUTER_ID_FORMAT, ip_addr_format(&v->router_id, text));
    fputs("protocol device {\n    scan time 1;\n}\nprotocol bfd {\n}\n", to);
    if (needs_links(v)) {
        fputs("protocol direct {\n    ipv4;\n    ipv6;\n}\n", to);
    }
    write_vips(v, true, to);
    write_vips(v, false, to);
    for (uint32_t i = 0; i < v->n_peers; i++) {
        write_peer(v, &v->peers[i], to);
    }
}
