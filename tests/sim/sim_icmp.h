/* SPDX-License-Identifier: Apache-2.0 */
/* The hop that takes shorter packets only: what it answers to a longer one. Pure. */
#pragma once

#include <stdint.h>

/* Writes the ethernet frame with "fragmentation needed" (RFC 1191) or "packet too big" (RFC 4443)
 * about the IP packet in `frame` into `ret`, which has room for 14 + 40 + 8 + `quote_max` bytes.
 * Comes from address 254 of the LAN. Returns its length. */
uint16_t sim_too_big(const uint8_t *frame, uint16_t len, unsigned lan, uint16_t mtu, uint8_t *ret);

/* Bytes of the packet that are quoted: as little as RFC 792 asks for behind the longest header. */
#define SIM_QUOTE_BYTES 128u
