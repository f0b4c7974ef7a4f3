/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the owner of a connection may ask of TCP beyond core/stream.h: the knobs and the urgent
 * mechanism that RFC 9293 (3.8, 3.9.1) wants an application to have. Every function wants a stream
 * that tcp made and that its caller owns; what is set holds until the end of the connection.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct stream;

/* After `idle_ms` without a sign of life, and with nothing unacknowledged, the peer is asked
 * whether it is there, some times; then the connection ends by TIMEOUT. 0: never, as it is at
 * first. RFC 9293, 3.8.4; there the usual value is two hours (TCP_KEEPALIVE_IDLE_MS_USUAL). */
void tcp_set_keepalive(struct stream *s, uint32_t idle_ms);

/* The most time without progress of what was sent, TCP_USER_TIMEOUT_MS at first; then the
 * connection ends by TIMEOUT (R2 of RFC 9293, 3.8.3). */
void tcp_set_user_timeout(struct stream *s, uint32_t timeout_ms);

/* The DiffServ field (with ECN bits 0) of packets from now on; 0 at first. RFC 9293, 3.9.1. */
void tcp_set_tos(struct stream *s, uint8_t tos);

/* What has been written so far is urgent (RFC 9293, 3.8.5): told to the peer until it has it. New
 * protocols should not use this (RFC 6093). */
void tcp_write_urgent(struct stream *s);

/* From now on STREAM_URGENT comes whenever the peer's urgent pointer advances. */
void tcp_watch_urgent(struct stream *s);

/* How many bytes from the next unread one on are urgent, those that are yet to come included; 0:
 * none. */
uint32_t tcp_urgent_bytes(const struct stream *s);

/* What a connection has met and lives with: RFC 9293's soft errors (3.9.1.8). */
enum tcp_trouble {
    TCP_TROUBLE_SILENCE = 1u << 0,     /* R1: several timeouts in a row */
    TCP_TROUBLE_UNREACHABLE = 1u << 1, /* ICMP: no way to the peer, for now */
    TCP_TROUBLE_OTHER = 1u << 2,       /* another ICMP error about what is in flight */
};

/* From now on STREAM_TROUBLE comes with every soft error, or no longer. Off at first. */
void tcp_watch_troubles(struct stream *s, bool is_wanted);

/* The soft errors since the peer acknowledged something new: a set of enum tcp_trouble. */
unsigned tcp_troubles(const struct stream *s);
