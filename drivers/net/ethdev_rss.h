/* SPDX-License-Identifier: Apache-2.0 */
/* Spreading by the device: asked for, then believed only as far as it can be read back. */
#pragma once

#include "drivers/net/driver.h"

struct rte_eth_conf;
struct rte_eth_dev_info;

/* Asks for spreading of TCP and UDP by the key of this process, as far as the device knows how, and
 * for a mark on the frames that it hashed. */
void net_rss_ask(const struct rte_eth_dev_info *dev, struct rte_eth_conf *conf);

/* Spreads the table over the first `n_queues` queues and reads key and table back into *ret, queues
 * standing for workers. False: the device does not do it, or not in a way that we can foretell;
 * *ret is untouched then. */
bool net_rss_read_back(uint16_t port, const struct rte_eth_dev_info *dev, unsigned n_queues,
                       struct spread *ret);
