/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about a kernel interface: MTU by ioctl, channels by ethtool's ioctl. */
#include "drivers/net/iface.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Asks the kernel about the interface. */
static bool ask(unsigned long what, struct ifreq *request)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool is_known = ioctl(fd, what, request) == 0;
    close(fd);
    return is_known;
}

uint16_t iface_mtu(const char *name)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    if (!ask(SIOCGIFMTU, &request) || request.ifr_mtu <= 0)
        return 0;
    return request.ifr_mtu < UINT16_MAX ? (uint16_t)request.ifr_mtu : UINT16_MAX;
}

bool iface_has_carrier(const char *name)
{
    struct ifreq request = {0};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    return ask(SIOCGIFFLAGS, &request) && (request.ifr_flags & IFF_RUNNING) != 0;
}

unsigned iface_rx_queues(const char *name)
{
    struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
    struct ifreq request = {0};
    if (iface_mtu(name) == 0)
        return 0;
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
    request.ifr_data = (void *)&channels;
    if (!ask(SIOCETHTOOL, &request))
        return 1; /* a driver without channels has one queue */
    unsigned n = channels.combined_count > 0 ? channels.combined_count : channels.rx_count;
    return n > 0 ? n : 1;
}
