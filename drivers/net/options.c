/* SPDX-License-Identifier: Apache-2.0 */
/* The list of drivers, and the text of a --port option. Thread: the composer's. */
#include "drivers/net/driver.h"

#include "base/container.h"
#include "base/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const struct net_driver net_driver_active_backup;
extern const struct net_driver net_driver_af_xdp;
extern const struct net_driver net_driver_bond;
extern const struct net_driver net_driver_mem;
extern const struct net_driver net_driver_pcap;
extern const struct net_driver net_driver_pci;
extern const struct net_driver net_driver_tap;

const struct net_driver *const net_drivers[] = {
    &net_driver_pci, &net_driver_af_xdp, &net_driver_bond, &net_driver_active_backup,
    &net_driver_tap, &net_driver_pcap,   &net_driver_mem,  NULL};

const struct net_driver *net_driver_find(const char *name)
{
    for (unsigned i = 0; net_drivers[i] != NULL; i++) {
        if (strcmp(net_drivers[i]->name, name) == 0)
            return net_drivers[i];
    }
    return NULL;
}

static const char *const ability_names[] = {PORT_ABILITY_LIST(X_NAME)};

/* A key of the option and where its value goes. */
struct key {
    const char *name;
    char *text; /* either text of `bytes` */
    size_t bytes;
    uint32_t *abilities; /* or names of abilities, with ':' between them */
    uint16_t *number;    /* or a number from `min` to `max` */
    unsigned long min;
    unsigned long max;
    bool is_given;
};

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("._-:@", c) != NULL;
}

/* Values end up in DPDK's own option syntax, so only harmless letters may pass. */
static bool take_text(const struct key *key, const char *value, struct net_fault *ret_fault)
{
    size_t len = strlen(value);
    if (len == 0 || len >= key->bytes)
        return net_fault_set(ret_fault, "%s must have 1 to %zu letters", key->name, key->bytes - 1);
    for (size_t i = 0; i < len; i++) {
        if (!is_name_char(value[i]))
            return net_fault_set(ret_fault, "%s=%s: letters, digits and . _ - : @ only", key->name,
                                 value);
    }
    memcpy(key->text, value, len + 1);
    return true;
}

static bool take_number(const struct key *key, const char *value, struct net_fault *ret_fault)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || number < key->min || number > key->max)
        return net_fault_set(ret_fault, "%s=%s: a number from %lu to %lu", key->name, value,
                             key->min, key->max);
    *key->number = (uint16_t)number;
    return true;
}

static bool take_ability(uint32_t *ret, const char *name)
{
    for (size_t i = 0; i < array_len(ability_names); i++) {
        if (strcmp(ability_names[i], name) == 0) {
            *ret |= 1u << i;
            return true;
        }
    }
    return false;
}

/* Takes "tso:lro". */
static bool take_abilities(const struct key *key, char *value, struct net_fault *ret_fault)
{
    char *name;
    while ((name = strsep(&value, ":")) != NULL) {
        if (!take_ability(key->abilities, name))
            return net_fault_set(ret_fault, "%s: there is no offload \"%s\"", key->name, name);
    }
    return true;
}

/* Takes one "key=value". */
static bool take_pair(struct key *keys, size_t n_keys, char *pair, struct net_fault *ret_fault)
{
    char *value = strchr(pair, '=');
    if (value == NULL)
        return net_fault_set(ret_fault, "\"%s\" is not KEY=VALUE", pair);
    *value++ = '\0';
    for (size_t i = 0; i < n_keys; i++) {
        if (strcmp(keys[i].name, pair) != 0)
            continue;
        if (keys[i].is_given)
            return net_fault_set(ret_fault, "%s is given twice", pair);
        keys[i].is_given = true;
        if (keys[i].abilities != NULL)
            return take_abilities(&keys[i], value, ret_fault);
        return keys[i].number != NULL ? take_number(&keys[i], value, ret_fault)
                                      : take_text(&keys[i], value, ret_fault);
    }
    return net_fault_set(ret_fault, "unknown key \"%s\"", pair);
}

bool net_options_parse(const char *text, struct net_options *ret, struct net_fault *ret_fault)
{
    struct net_options o = {0};
    struct key keys[] = {
        {.name = "name", .text = o.name, .bytes = sizeof(o.name)},
        {.name = "driver", .text = o.driver, .bytes = sizeof(o.driver)},
        {.name = "iface", .text = o.iface, .bytes = sizeof(o.iface)},
        {.name = "tap", .text = o.tap, .bytes = sizeof(o.tap)},
        {.name = "members", .text = o.members, .bytes = sizeof(o.members)},
        {.name = "pci", .text = o.pci, .bytes = sizeof(o.pci)},
        {.name = "without", .abilities = &o.without},
        {.name = "queues", .number = &o.queues, .min = 1, .max = PORT_QUEUES_MAX},
        {.name = "mtu", .number = &o.mtu, .min = NET_MTU_MIN, .max = NET_JUMBO_MTU_MAX},
    };
    char copy[256];
    if (strlen(text) >= sizeof(copy))
        return net_fault_set(ret_fault, "a port option has at most %zu letters", sizeof(copy) - 1);
    strcpy(copy, text);
    char *rest = copy;
    while (rest != NULL) {
        char *pair = strsep(&rest, ",");
        if (!take_pair(keys, array_len(keys), pair, ret_fault))
            return false;
    }
    if (o.name[0] == '\0' || o.driver[0] == '\0')
        return net_fault_set(ret_fault, "name= and driver= are required");
    if (net_driver_find(o.driver) == NULL)
        return net_fault_set(ret_fault,
                             "driver=%s: there is pci, af_xdp, bond, active-backup, tap, pcap, mem",
                             o.driver);
    *ret = o;
    return true;
}

bool net_driver_describe(const struct net_options *options, unsigned index, unsigned workers,
                         struct net_device *ret, struct net_fault *ret_fault)
{
    const struct net_driver *driver = net_driver_find(options->driver);
    struct net_device device = {0};
    if (driver == NULL)
        return net_fault_set(ret_fault, "port %s: no driver %s", options->name, options->driver);
    if (options->mtu > NET_MTU_MAX && driver->scatter == NET_SCATTER_NEVER)
        return net_fault_set(ret_fault, "port %s: driver=%s takes mtu up to %u", options->name,
                             options->driver, NET_MTU_MAX);
    if (!driver->describe(options, index, workers, &device, ret_fault))
        return false;
    *ret = device;
    return true;
}

void net_port_describe(const struct port_setup *port, char *ret, size_t bytes)
{
    const struct port_info *info = &port->info;
    const uint8_t *mac = info->mac.bytes;
    int len = snprintf(
        ret, bytes,
        "port %s: %02x:%02x:%02x:%02x:%02x:%02x, mtu %u, queues %u in %u out; device:", info->name,
        mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], info->mtu, port->n_rx_queues,
        port->n_tx_queues);
#define X(name, help)                                                                              \
    if (info->has_##name && len >= 0 && (size_t)len < bytes)                                       \
        len += snprintf(ret + len, bytes - (size_t)len, " " #name);
    PORT_ABILITY_LIST(X)
#undef X
}
