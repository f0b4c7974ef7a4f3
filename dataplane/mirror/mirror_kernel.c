/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rtnetlink (RFC 3549) by libmnl: a message for each thing, which the kernel acknowledges at once.
 * Thread: housekeeping.
 */
#include "mirror/mirror_priv.h"

#include "base/assert.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define MESSAGE_BYTES 1024u /* of which the longest needs a quarter */

/* A message being written. */
struct message {
    struct nlmsghdr *header;
    char bytes[MESSAGE_BYTES];
};

static void *begin(struct message *msg, uint16_t type, uint16_t flags, size_t family_bytes)
{
    memset(msg->bytes, 0, sizeof(msg->bytes));
    msg->header = mnl_nlmsg_put_header(msg->bytes);
    msg->header->nlmsg_type = type;
    msg->header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
    msg->header->nlmsg_seq = 1;
    return mnl_nlmsg_put_extra_header(msg->header, family_bytes);
}

/* Sends it and waits for the answer, of which `on_reply` hears, if there is more than a yes. */
static int talk(struct mnl_socket *socket, struct message *msg, mnl_cb_t on_reply, void *arg)
{
    char reply[8192];
    unsigned port = mnl_socket_get_portid(socket);
    ASSERT(msg->header->nlmsg_len <= MESSAGE_BYTES);
    if (mnl_socket_sendto(socket, msg->header, msg->header->nlmsg_len) < 0)
        return -errno;
    for (int more = MNL_CB_OK; more == MNL_CB_OK;) {
        ssize_t n = mnl_socket_recvfrom(socket, reply, sizeof(reply));
        if (n < 0 && errno == EINTR)
            continue;
        more = n < 0 ? MNL_CB_ERROR : mnl_cb_run(reply, (size_t)n, 1, port, on_reply, arg);
        if (more == MNL_CB_ERROR)
            return -errno;
    }
    return 0;
}

static int on_link(const struct nlmsghdr *header, void *arg)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(header);
    *(int *)arg = info->ifi_index;
    return MNL_CB_OK;
}

/* The number of the link; negative errno. */
static int index_of(struct mnl_socket *socket, const char *name)
{
    struct message msg;
    int index = -ENODEV;
    begin(&msg, RTM_GETLINK, 0, sizeof(struct ifinfomsg));
    mnl_attr_put_strz(msg.header, IFLA_IFNAME, name);
    int error = talk(socket, &msg, on_link, &index);
    return error != 0 ? error : index;
}

/* The TAP is there and only gets its MTU; a VLAN is made on it. */
static int put_link(struct mnl_socket *socket, const struct mirror_item *item)
{
    struct message msg;
    int tap = index_of(socket, item->tap);
    if (tap < 0)
        return tap;
    struct ifinfomsg *info =
        begin(&msg, RTM_NEWLINK, item->vlan != 0 ? NLM_F_CREATE : 0, sizeof(*info));
    info->ifi_index = item->vlan != 0 ? 0 : tap;
    info->ifi_flags = IFF_UP;
    info->ifi_change = IFF_UP;
    if (item->mtu != 0)
        mnl_attr_put_u32(msg.header, IFLA_MTU, item->mtu);
    if (item->vlan != 0) {
        mnl_attr_put_strz(msg.header, IFLA_IFNAME, item->link);
        mnl_attr_put_u32(msg.header, IFLA_LINK, (uint32_t)tap);
        struct nlattr *kind = mnl_attr_nest_start(msg.header, IFLA_LINKINFO);
        mnl_attr_put_strz(msg.header, IFLA_INFO_KIND, "vlan");
        struct nlattr *data = mnl_attr_nest_start(msg.header, IFLA_INFO_DATA);
        mnl_attr_put_u16(msg.header, IFLA_VLAN_ID, item->vlan);
        mnl_attr_nest_end(msg.header, data);
        mnl_attr_nest_end(msg.header, kind);
    }
    return talk(socket, &msg, NULL, NULL);
}

static int remove_link(struct mnl_socket *socket, const struct mirror_item *item)
{
    struct message msg;
    int index = index_of(socket, item->link);
    if (item->vlan == 0 || index < 0)
        return 0;
    struct ifinfomsg *info = begin(&msg, RTM_DELLINK, 0, sizeof(*info));
    info->ifi_index = index;
    return talk(socket, &msg, NULL, NULL);
}

/* An address without the bytes that map IPv4 into IPv6. */
static void put_addr(struct nlmsghdr *header, uint16_t type, const struct ip_addr *addr)
{
    unsigned skip = ip_addr_is_v4(addr) ? 12 : 0;
    mnl_attr_put(header, type, 16 - skip, addr->bytes + skip);
}

static uint8_t family_of(const struct mirror_item *item)
{
    return ip_addr_is_v4(&item->addr) ? AF_INET : AF_INET6;
}

static uint8_t length_of(const struct mirror_item *item)
{
    return (uint8_t)(item->prefix_len - (ip_addr_is_v4(&item->addr) ? 96 : 0));
}

static int change_address(struct mnl_socket *socket, const struct mirror_item *item, uint16_t type,
                          uint16_t flags)
{
    struct message msg;
    int index = index_of(socket, item->link);
    if (index < 0)
        return index;
    struct ifaddrmsg *addr = begin(&msg, type, flags, sizeof(*addr));
    addr->ifa_family = family_of(item);
    addr->ifa_prefixlen = length_of(item);
    addr->ifa_index = (unsigned)index;
    put_addr(msg.header, IFA_LOCAL, &item->addr);
    put_addr(msg.header, IFA_ADDRESS, &item->addr);
    mnl_attr_put_u32(msg.header, IFA_FLAGS, IFA_F_NODAD); /* the dataplane has asked for it */
    return talk(socket, &msg, NULL, NULL);
}

static int change_route(struct mnl_socket *socket, const struct mirror_item *item, uint16_t type,
                        uint16_t flags)
{
    struct message msg;
    int index = index_of(socket, item->link);
    if (index < 0)
        return index;
    bool has_gateway = !ip_addr_is_zero(&item->gateway);
    struct rtmsg *route = begin(&msg, type, flags, sizeof(*route));
    route->rtm_family = family_of(item);
    route->rtm_dst_len = length_of(item);
    route->rtm_table = RT_TABLE_MAIN;
    route->rtm_protocol = RTPROT_STATIC;
    route->rtm_scope = has_gateway ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK;
    route->rtm_type = RTN_UNICAST;
    put_addr(msg.header, RTA_DST, &item->addr);
    mnl_attr_put_u32(msg.header, RTA_OIF, (uint32_t)index);
    mnl_attr_put_u32(msg.header, RTA_PRIORITY, item->metric);
    if (has_gateway)
        put_addr(msg.header, RTA_GATEWAY, &item->gateway);
    return talk(socket, &msg, NULL, NULL);
}

int mirror_kernel_put(struct mnl_socket *socket, const struct mirror_item *item)
{
    const uint16_t flags = NLM_F_CREATE | NLM_F_REPLACE;
    if (item->kind == MIRROR_LINK)
        return put_link(socket, item);
    if (item->kind == MIRROR_ADDRESS)
        return change_address(socket, item, RTM_NEWADDR, flags);
    return change_route(socket, item, RTM_NEWROUTE, flags);
}

int mirror_kernel_remove(struct mnl_socket *socket, const struct mirror_item *item)
{
    if (item->kind == MIRROR_LINK)
        return remove_link(socket, item);
    int error = item->kind == MIRROR_ADDRESS ? change_address(socket, item, RTM_DELADDR, 0)
                                             : change_route(socket, item, RTM_DELROUTE, 0);
    /* Gone with its link, its address, or by somebody's hand. */
    return error == -ENODEV || error == -EADDRNOTAVAIL || error == -ESRCH ? 0 : error;
}
