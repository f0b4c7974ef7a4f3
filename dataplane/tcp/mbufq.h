/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A queue of bytes in mbufs: single segments linked by m->next, nb_segs left at 1. What it costs is
 * counted in mbufs, for all mbufs of a pool are equally large whatever they carry.
 *
 *   bytes == sum of data_len,  mbufs == number of links,  (head == NULL) == (mbufs == 0)
 *
 * `held` is the worker's gauge of all mbufs that queues of this kind hold; it follows.
 *
 * No empty mbuf is ever on a queue. Owner: the connection. Cost: O(1) unless said.
 */
#pragma once

#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;

struct tcp_mbufq {
    struct rte_mbuf *head;
    struct rte_mbuf *tail;
    uint32_t bytes;
    uint32_t mbufs;
};

/* Appends a single-segment mbuf with data; takes ownership. */
void tcp_mbufq_push(struct tcp_mbufq *q, struct rte_mbuf *m, uint64_t *held);

/* Takes the first mbuf off; NULL: empty. */
struct rte_mbuf *tcp_mbufq_take(struct tcp_mbufq *q, uint64_t *held);

/* Drops the first `bytes` <= q->bytes. Cost: O(mbufs freed). */
void tcp_mbufq_drop(struct tcp_mbufq *q, uint32_t bytes, uint64_t *held);

/* Frees everything. */
void tcp_mbufq_clear(struct tcp_mbufq *q, uint64_t *held);

/* Copies as many bytes as the tail mbuf has room for behind its data, if no one else looks at that
 * room. Returns how many. */
uint32_t tcp_mbufq_append_tail(struct tcp_mbufq *q, struct slice bytes);

/* Is the last mbuf less than half full? Only then a small payload is copied behind it: the tail of
 * a long row is not, a row of small ones is. */
bool tcp_mbufq_has_small_tail(const struct tcp_mbufq *q);

/* The bytes as at most `n_max` slices, in order. Returns how many slices. Cost: O(n_max). */
unsigned tcp_mbufq_peek(const struct tcp_mbufq *q, struct slice *ret, unsigned n_max);

/* Asserts what stands above. Walks all. */
void check_tcp_mbufq(const struct tcp_mbufq *q);
