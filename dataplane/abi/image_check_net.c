/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the network sections: interfaces, local addresses, egress routes. */
#include "abi/image_check.h"

#include <string.h>

#define VLAN_MAX 4094u
#define VIRTUAL_ROUTER_MAX 255u
#define MTU_MIN 576u /* RFC 1122, section 3.3.2: what every host must take in */

/* An address that a host can have, or a packet can be sent to through a gateway. */
static bool is_unicast(const struct ip_addr *a)
{
    if (ip_addr_is_v4(a))
        return a->bytes[12] != 0 && a->bytes[12] < 224;
    return !ip_addr_is_zero(a) && a->bytes[0] != 0xff;
}

/* A prefix length of the mapped form that fits the family. */
static bool is_prefix_len(const struct ip_addr *a, uint8_t prefix_len)
{
    return prefix_len <= 128 && (!ip_addr_is_v4(a) || prefix_len >= 96);
}

static bool is_zero_after(const struct ip_addr *a, unsigned prefix_len)
{
    for (unsigned bit = prefix_len; bit < 128; bit++) {
        if (a->bytes[bit / 8] & (0x80u >> (bit % 8)))
            return false;
    }
    return true;
}

bool image_is_interface(const struct image_interface *e)
{
    return e->vlan <= VLAN_MAX && (e->mtu == 0 || e->mtu >= MTU_MIN) &&
           e->virtual_router <= VIRTUAL_ROUTER_MAX &&
           (ip_addr_is_zero(&e->drained) ||
            (ip_addr_is_v4(&e->drained) && is_unicast(&e->drained)));
}

bool image_is_address(const struct image_address *e)
{
    return e->is_vip <= IMAGE_VIP_ROUTED && is_unicast(&e->addr) &&
           is_prefix_len(&e->addr, e->prefix_len) && (!e->is_vip || e->prefix_len == 128);
}

bool image_is_prefix(const struct image_prefix *e)
{
    return is_prefix_len(&e->addr, e->len) && is_zero_after(&e->addr, e->len);
}

bool image_is_egress(const struct image_egress *e)
{
    if (!is_prefix_len(&e->prefix, e->prefix_len) || !is_zero_after(&e->prefix, e->prefix_len))
        return false;
    if (ip_addr_is_zero(&e->gateway))
        return true;
    return is_unicast(&e->gateway) && ip_addr_is_v4(&e->gateway) == ip_addr_is_v4(&e->prefix);
}

enum image_fault image_local_interface(const struct image_view *v, uint32_t i)
{
    const struct image_interface *e = &v->interfaces[i];
    if (!image_is_interface(e))
        return IMAGE_FAULT_VALUE;
    for (uint32_t k = 0; k < i; k++) {
        if (v->interfaces[k].port == e->port && v->interfaces[k].vlan == e->vlan)
            return IMAGE_FAULT_DUPLICATE;
    }
    return image_check_text(v, e->name, IMAGE_TEXT_NAME);
}

/* Is the address, an interface's own, one of the VIPs behind it, too? They are in order, or are
 * refused for it themselves. */
static bool is_vip_too(const struct image_view *v, uint32_t i)
{
    uint32_t low = i + 1, high = v->n_addresses;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        const struct image_address *e = &v->addresses[mid];
        if (!e->is_vip || memcmp(e->addr.bytes, v->addresses[i].addr.bytes, 16) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low < v->n_addresses && ip_addr_eq(&v->addresses[low].addr, &v->addresses[i].addr);
}

static enum image_fault check_own(const struct image_view *v, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++) {
        if (v->addresses[k].is_vip)
            return IMAGE_FAULT_ORDER;
        if (ip_addr_eq(&v->addresses[k].addr, &v->addresses[i].addr))
            return IMAGE_FAULT_DUPLICATE;
    }
    return is_vip_too(v, i) ? IMAGE_FAULT_DUPLICATE : IMAGE_FAULT_OK;
}

enum image_fault image_local_address(const struct image_view *v, uint32_t i)
{
    const struct image_address *e = &v->addresses[i];
    if (e->interface >= v->n_interfaces)
        return IMAGE_FAULT_INDEX;
    if (!image_is_address(e))
        return IMAGE_FAULT_VALUE;
    if (!e->is_vip)
        return check_own(v, i);
    if (i == 0 || !e[-1].is_vip)
        return IMAGE_FAULT_OK;
    int c = memcmp(e[-1].addr.bytes, e->addr.bytes, 16);
    if (c == 0)
        return IMAGE_FAULT_DUPLICATE;
    return c < 0 ? IMAGE_FAULT_OK : IMAGE_FAULT_ORDER;
}

enum image_fault image_local_egress(const struct image_view *v, uint32_t i)
{
    const struct image_egress *e = &v->egress[i];
    if ((e->flags & ~(IMAGE_EGRESS_SHARES | IMAGE_EGRESS_PODS)) != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->interface >= v->n_interfaces)
        return IMAGE_FAULT_INDEX;
    return image_is_egress(e) ? IMAGE_FAULT_OK : IMAGE_FAULT_VALUE;
}
