/* SPDX-License-Identifier: Apache-2.0 */
/* See link.h. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/netif.h>
#include <lwip/tcpip.h>
#include <net/if.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define FRAME_BYTES 2048
#define RECEIVE_BYTES (8 << 20) /* of the packet socket: more than all windows hold */
#define MTU 1500

static struct netif netif;
static int fd;

void peer_fail(const char *what)
{
    fprintf(stderr, "lwip: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* A full device loses the frame, as a wire would. */
static err_t send_frame(struct netif *n, struct pbuf *p)
{
    char frame[FRAME_BYTES];
    u16_t bytes = pbuf_copy_partial(p, frame, sizeof(frame), 0);
    ssize_t sent = write(fd, frame, bytes);
    return sent == bytes ? ERR_OK : ERR_IF;
}

/* The switch floods frames whose receiver it does not know: only what is for us goes up. */
static void *receive_frames(void *arg)
{
    for (;;) {
        unsigned char frame[FRAME_BYTES];
        struct sockaddr_ll from;
        socklen_t from_bytes = sizeof(from);
        ssize_t n = recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &from_bytes);
        if (n < 0)
            peer_fail("receive");
        bool is_ours = (frame[0] & 1) != 0 || memcmp(frame, netif.hwaddr, ETH_ALEN) == 0;
        if (n < ETH_HLEN || from.sll_pkttype == PACKET_OUTGOING || !is_ours)
            continue;
        struct pbuf *p = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM);
        if (p == NULL)
            continue;
        pbuf_take(p, frame, (u16_t)n);
        if (netif.input(p, &netif) != ERR_OK)
            pbuf_free(p);
    }
    return NULL;
}

static void open_socket(const char *interface)
{
    int bytes = RECEIVE_BYTES;
    struct ifreq request = {0};
    struct sockaddr_ll address = {.sll_family = AF_PACKET,
                                  .sll_protocol = htons(ETH_P_ALL),
                                  .sll_ifindex = (int)if_nametoindex(interface)};
    snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0 ||
        ioctl(fd, SIOCGIFHWADDR, &request) != 0)
        peer_fail(interface);
    memcpy(netif.hwaddr, request.ifr_hwaddr.sa_data, ETH_ALEN);
}

static err_t init_netif(struct netif *n)
{
    n->hwaddr_len = ETH_ALEN;
    n->mtu = MTU;
    n->name[0] = 'p';
    n->name[1] = '0';
    n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_MLD6;
    n->output = etharp_output;
    n->output_ip6 = ethip6_output;
    n->linkoutput = send_frame;
    return ERR_OK;
}

/* Splits ADDRESS/LEN; the length is 0 when there is none. */
static unsigned split(const char *text, char *ret_address, size_t bytes)
{
    snprintf(ret_address, bytes, "%s", text);
    char *slash = strchr(ret_address, '/');
    if (slash == NULL)
        return 0;
    *slash = '\0';
    return (unsigned)strtoul(slash + 1, NULL, 10);
}

static void add_addresses(const char *address4, const char *address6)
{
    char text[64];
    ip4_addr_t ip4, mask, none = {0};
    ip6_addr_t ip6;
    unsigned bits = split(address4, text, sizeof(text));
    mask.addr = lwip_htonl(bits == 0 ? 0 : 0xffffffffu << (32 - bits));
    if (!ip4addr_aton(text, &ip4) ||
        netif_add(&netif, &ip4, &mask, &none, NULL, init_netif, tcpip_input) == NULL)
        peer_fail(address4);
    netif_create_ip6_linklocal_address(&netif, 1);
    netif_ip6_addr_set_state(&netif, 0, IP6_ADDR_PREFERRED);
    split(address6, text, sizeof(text));
    if (!ip6addr_aton(text, &ip6))
        peer_fail(address6);
    netif_ip6_addr_set(&netif, 1, &ip6);
    netif_ip6_addr_set_state(&netif, 1, IP6_ADDR_PREFERRED);
    netif_set_default(&netif);
    netif_set_link_up(&netif);
    netif_set_up(&netif);
}

static void on_started(void *started)
{
    sem_post(started);
}

void peer_link_open(const char *interface, const char *address4, const char *address6)
{
    sem_t started;
    sem_init(&started, 0, 0);
    tcpip_init(on_started, &started);
    sem_wait(&started);
    open_socket(interface);
    LOCK_TCPIP_CORE();
    add_addresses(address4, address6);
    UNLOCK_TCPIP_CORE();
    pthread_t thread;
    if (pthread_create(&thread, NULL, receive_frames, NULL) != 0)
        peer_fail("thread");
}
