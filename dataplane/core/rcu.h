/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When may memory that workers read be freed? Quiescent-state reclamation (DPDK's rte_rcu_qsbr):
 * a worker reports at the end of each poll that it holds nothing; what was unpublished before that
 * is out of its hands. The housekeeping core asks, the workers never wait.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct rcu;

/* For `workers` workers, all offline. NULL: no memory. Thread: the composer's. */
struct rcu *rcu_new(unsigned workers);

/* Frees it; no worker uses it any more. NULL: nothing. */
void rcu_free(struct rcu *r);

/* The worker begins to read published things. Thread: the worker's. */
void rcu_online(struct rcu *r, unsigned worker);

/* The worker reads nothing any more until rcu_online(). Thread: the worker's. */
void rcu_offline(struct rcu *r, unsigned worker);

/* The worker holds no pointer that it read before. At the end of each poll. Thread: the worker's.
 * Cost: a load and a store. */
void rcu_quiescent(struct rcu *r, unsigned worker);

/* A mark in time: after unpublishing, before asking rcu_is_past(). Thread: housekeeping. */
uint64_t rcu_mark(struct rcu *r);

/* Has every worker that was online been quiescent since the mark? Never waits. */
bool rcu_is_past(struct rcu *r, uint64_t mark);
