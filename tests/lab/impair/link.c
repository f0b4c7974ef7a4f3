/* SPDX-License-Identifier: Apache-2.0 */
/* Packet sockets in bursts; see link.h and packet(7). */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define VLAN_TAG_BYTES 4u
#define MAC_PAIR_BYTES 12u
#define SOCKET_BUFFER_BYTES (8 << 20)
#define SEND_RETRIES_MAX 50 /* of a millisecond each: longer than any veth's queue stays full */

struct impair_burst {
    struct mmsghdr messages[IMPAIR_BURST];
    struct iovec vectors[IMPAIR_BURST];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
    } control[IMPAIR_BURST];
    uint8_t frames[IMPAIR_BURST][VLAN_TAG_BYTES + IMPAIR_FRAME_BYTES];
};

static int set_options(int fd, unsigned index)
{
    int on = 1;
    int bytes = SOCKET_BUFFER_BYTES;
    struct packet_mreq promiscuous = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
    if (setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0)
        return -errno;
    return 0;
}

static void prepare_burst(struct impair_burst *b)
{
    for (unsigned i = 0; i < IMPAIR_BURST; i++) {
        b->vectors[i].iov_base = b->frames[i] + VLAN_TAG_BYTES;
        b->vectors[i].iov_len = IMPAIR_FRAME_BYTES - VLAN_TAG_BYTES;
        b->messages[i].msg_hdr.msg_iov = &b->vectors[i];
        b->messages[i].msg_hdr.msg_iovlen = 1;
        b->messages[i].msg_hdr.msg_control = &b->control[i];
    }
}

int impair_end_open(struct impair_end *e, const char *interface)
{
    *e = (struct impair_end){.fd = -1};
    unsigned index = if_nametoindex(interface);
    if (index == 0)
        return -errno;
    e->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (e->fd < 0)
        return -errno;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(ETH_P_ALL),
        .sll_ifindex = (int)index,
    };
    int fault = set_options(e->fd, index);
    if (fault == 0 && bind(e->fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        fault = -errno;
    e->burst = calloc(1, sizeof(*e->burst));
    if (fault == 0 && e->burst == NULL)
        fault = -ENOMEM;
    if (fault != 0) {
        impair_end_close(e);
        return fault;
    }
    prepare_burst(e->burst);
    return 0;
}

void impair_end_close(struct impair_end *e)
{
    if (e->fd >= 0)
        close(e->fd);
    free(e->burst);
    e->fd = -1;
    e->burst = NULL;
}

/* The kernel takes the outer VLAN tag out of the frame and tells it beside: put it back. */
static void restore_vlan(struct msghdr *message, struct impair_rx *rx)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA)
            continue;
        struct tpacket_auxdata aux;
        memcpy(&aux, CMSG_DATA(c), sizeof(aux));
        if ((aux.tp_status & TP_STATUS_VLAN_VALID) == 0)
            return;
        uint16_t tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : ETH_P_8021Q;
        uint16_t tag[2] = {htons(tpid), htons(aux.tp_vlan_tci)};
        rx->bytes -= VLAN_TAG_BYTES;
        rx->length += VLAN_TAG_BYTES;
        memmove(rx->bytes, rx->bytes + VLAN_TAG_BYTES, MAC_PAIR_BYTES);
        memcpy(rx->bytes + MAC_PAIR_BYTES, tag, sizeof(tag));
        return;
    }
}

int impair_end_receive(struct impair_end *e, struct impair_rx ret[IMPAIR_BURST])
{
    struct impair_burst *b = e->burst;
    for (unsigned i = 0; i < IMPAIR_BURST; i++) {
        b->messages[i].msg_hdr.msg_controllen = sizeof(b->control[i]);
        b->messages[i].msg_hdr.msg_flags = 0;
    }
    int n = recvmmsg(e->fd, b->messages, IMPAIR_BURST, MSG_DONTWAIT, NULL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR || errno == ENETDOWN ? 0 : -errno;
    int kept = 0;
    for (int i = 0; i < n; i++) {
        if (b->messages[i].msg_hdr.msg_flags & MSG_TRUNC) {
            e->n_oversize++;
            continue;
        }
        ret[kept] = (struct impair_rx){b->frames[i] + VLAN_TAG_BYTES, b->messages[i].msg_len};
        restore_vlan(&b->messages[i].msg_hdr, &ret[kept]);
        kept++;
    }
    e->n_received += (uint64_t)n;
    return kept;
}

void impair_end_send(struct impair_end *e, const struct impair_frame *const *frames, uint32_t n)
{
    struct mmsghdr messages[IMPAIR_BURST] = {0};
    struct iovec vectors[IMPAIR_BURST];
    for (uint32_t i = 0; i < n; i++) {
        vectors[i] = (struct iovec){(void *)(uintptr_t)frames[i]->bytes, frames[i]->length};
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    uint32_t done = 0;
    int retries = 0;
    while (done < n) {
        int sent = sendmmsg(e->fd, messages + done, n - done, MSG_DONTWAIT);
        if (sent > 0) {
            done += (uint32_t)sent;
            e->n_sent += (uint64_t)sent;
            continue;
        }
        if ((errno == EAGAIN || errno == ENOBUFS) && retries++ < SEND_RETRIES_MAX) {
            struct pollfd ready = {.fd = e->fd, .events = POLLOUT};
            poll(&ready, 1, 1);
            continue;
        }
        done++;
        e->n_send_failed++;
    }
}
