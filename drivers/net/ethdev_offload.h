/* SPDX-License-Identifier: Apache-2.0 */
/* What a device is asked to do for us, and what it then really does. */
#pragma once

#include "drivers/net/driver.h"

struct rte_eth_conf;
struct rte_eth_dev_info;

/* Asks for all that the device offers and we use, but for the abilities in `without` (bits by enum
 * port_ability). */
void net_offload_ask(const struct rte_eth_dev_info *dev, uint32_t without,
                     struct rte_eth_conf *conf);

/* Reads back from the started device what it does, and its limits. All but has_rss. */
void net_offload_read_back(uint16_t port, const struct rte_eth_dev_info *dev,
                           struct port_info *ret);
