/* SPDX-License-Identifier: Apache-2.0 */
/* What outlives an input: DPDK, the memory port, the packet pool. For stack.c. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct port_setup;
struct rte_mempool;

/* More, and the table of a neighbour flood has no bound. */
#define STACK_NEIGHBOURS_MAX 2048u

/* Starts DPDK the first time; frames of an earlier input are thrown away. */
void stack_env_begin(void);

/* The started port. */
const struct port_setup *stack_env_port(void);

/* The stack's packets. */
struct rte_mempool *stack_env_mbufs(void);

/* Puts a frame into the port's receive queue; if it is full, or there is no packet, it is lost. */
void stack_env_send(const uint8_t *frame, size_t len);

/* The same in two buffers, as a device gives what does not fit one; the first has `cut` bytes. */
void stack_env_send_chained(const uint8_t *frame, size_t len, size_t cut);

/* Takes a frame that the port sent; returns its length, cut to `bytes`; 0: there is none. */
size_t stack_env_receive(uint8_t *ret, size_t bytes);
