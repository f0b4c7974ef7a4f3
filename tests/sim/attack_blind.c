/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks that keep no state: floods, and segments and errors in somebody else's name. */
#include "attack.h"

#include "frame.h"
#include "net/net_wire.h"
#include "tcp/tcp_types.h"

#include <string.h>

static uint16_t any_port(struct attack *a)
{
    return (uint16_t)(1024 + rng_below(&a->rng, 64000));
}

void attack_syn_flood_send(struct attack *a)
{
    static const uint8_t options[] = {2, 4, 5, 0xb4};
    struct frame_ends ends = attack_ends(a, rng_below(&a->rng, 4) == 0);
    attack_send_tcp(a, &ends,
                    &(struct frame_tcp){.src_port = any_port(a),
                                        .dst_port = SIM_PORT,
                                        .seq = (uint32_t)rng_next(&a->rng),
                                        .flags = TCP_SYN,
                                        .window = 65535,
                                        .options = options,
                                        .options_bytes = sizeof(options)});
}

/* A segment in the name of an honest client: everything right but the numbers. */
static void send_in_name(struct attack *a, uint8_t flags, const void *payload, size_t bytes)
{
    struct stream_addrs addrs;
    struct frame_ends ends;
    if (!attack_honest(a, &addrs, &ends))
        return;
    attack_send_tcp(a, &ends,
                    &(struct frame_tcp){.src_port = addrs.local_port,
                                        .dst_port = addrs.remote_port,
                                        .seq = (uint32_t)rng_next(&a->rng),
                                        .ack = (uint32_t)rng_next(&a->rng),
                                        .flags = flags,
                                        .window = 1000,
                                        .payload = payload,
                                        .payload_bytes = bytes});
}

void attack_rst_blind_send(struct attack *a)
{
    static const uint8_t flags[] = {TCP_RST, TCP_RST | TCP_ACK, TCP_SYN, TCP_FIN | TCP_ACK};
    send_in_name(a, flags[rng_below(&a->rng, sizeof(flags))], NULL, 0);
}

void attack_data_blind_send(struct attack *a)
{
    static const char data[] = "GET /evil HTTP/1.1\r\nHost: www.sim.test\r\n\r\n";
    send_in_name(a, TCP_ACK | TCP_PSH, data, sizeof(data) - 1);
}

/* Towards the appliance, and towards the client in the appliance's name. */
void attack_ack_storm_send(struct attack *a)
{
    struct stream_addrs addrs;
    struct frame_ends ends;
    if (rng_below(&a->rng, 2) == 0) {
        send_in_name(a, TCP_ACK, NULL, 0);
        return;
    }
    if (!attack_honest(a, &addrs, &ends))
        return;
    ends.src = addrs.remote;
    ends.dst = addrs.local;
    ends.dst_mac = sim_host_port(0)->info.mac;
    attack_send_tcp(a, &ends,
                    &(struct frame_tcp){.src_port = addrs.remote_port,
                                        .dst_port = addrs.local_port,
                                        .seq = (uint32_t)rng_next(&a->rng),
                                        .ack = (uint32_t)rng_next(&a->rng),
                                        .flags = TCP_ACK,
                                        .window = 1000});
}

/* Quotes a segment of the appliance to the honest client; its sequence number is a guess. */
void attack_icmp_lies_send(struct attack *a)
{
    static const uint8_t types[2][3][2] = {{{3, 4}, {3, 1}, {11, 0}}, {{2, 0}, {1, 0}, {3, 0}}};
    struct stream_addrs addrs;
    struct frame_ends ends;
    uint8_t quoted[FRAME_BYTES_MAX];
    uint8_t frame[FRAME_BYTES_MAX];
    if (!attack_honest(a, &addrs, &ends))
        return;
    bool is_v6 = !ip_addr_is_v4(&addrs.local);
    struct frame_ends other = {.src = addrs.remote, .dst = addrs.local};
    size_t len = frame_make_tcp(quoted, &other,
                                &(struct frame_tcp){.src_port = addrs.remote_port,
                                                    .dst_port = addrs.local_port,
                                                    .seq = (uint32_t)rng_next(&a->rng),
                                                    .flags = TCP_ACK});
    ends.src = attack_ends(a, is_v6).src;
    const uint8_t *type = types[is_v6][rng_below(&a->rng, 3)];
    attack_send(a, frame,
                frame_make_icmp(frame, &ends, type[0], type[1], rng_below(&a->rng, 1500),
                                quoted + sizeof(struct wire_eth), len - sizeof(struct wire_eth)));
}

void attack_fragment_flood_send(struct attack *a)
{
    uint8_t frame[FRAME_BYTES_MAX];
    bool is_v6 = rng_below(&a->rng, 2) == 0;
    struct frame_ends ends = attack_ends(a, is_v6);
    uint32_t offset = rng_below(&a->rng, 3) * 1400 / 8 * 8;
    attack_send(a, frame,
                frame_make_fragment(frame, &ends, is_v6 ? IPPROTO_NUM_ICMP6 : IPPROTO_NUM_ICMP4,
                                    (uint32_t)rng_next(&a->rng), offset, true, NULL, 1400));
}

void attack_arp_flood_send(struct attack *a)
{
    uint8_t frame[FRAME_BYTES_MAX];
    struct frame_ends ends = attack_ends(a, false);
    ends.src.bytes[15] = (uint8_t)rng_next(&a->rng); /* honest ones and our own among them */
    frame_put32(&ends.src_mac.bytes[2], (uint32_t)rng_next(&a->rng));
    attack_send(a, frame,
                frame_make_arp(frame, &ends, rng_below(&a->rng, 4) == 0 ? ARP_REPLY : ARP_REQUEST));
}

void attack_nd_flood_send(struct attack *a)
{
    uint8_t frame[FRAME_BYTES_MAX];
    struct frame_ends ends = attack_ends(a, true);
    bool is_question = rng_below(&a->rng, 2) == 0;
    attack_send(a, frame,
                frame_make_nd(frame, &ends, is_question ? ICMP6_SOLICIT : ICMP6_ADVERT,
                              is_question ? 0 : ND_FLAG_OVERRIDE,
                              is_question ? &ends.dst : &ends.src));
}
