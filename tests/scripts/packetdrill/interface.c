/* SPDX-License-Identifier: Apache-2.0 */
/* The table, the flags, packets and the clock. */
#include "abi.h"
#include "base/assert.h"
#include "base/container.h"
#include "drill.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_US 1000000000ull

/* The packets that nobody takes any more are lost, as on a wire that nobody listens to. */
static void drop_sent(struct drill *d)
{
    while (stage_peek(d->stage) != NULL)
        stage_drop(d->stage);
}

static void end(void *userdata)
{
    struct drill *d = userdata;
    drill_enter(d);
    for (unsigned i = 0; i < DRILL_SOCKETS_MAX; i++) {
        if (d->sockets[i].kind == DRILL_FREE)
            continue;
        d->sockets[i].resets_on_close = true;
        drill_socket_close(&d->sockets[i]);
    }
    stage_run(d->stage);
    drop_sent(d);
    stage_free(d->stage);
    pthread_mutex_unlock(&d->lock);
    pthread_cond_destroy(&d->changed);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static int netdev_send(void *userdata, const void *packet, size_t bytes)
{
    struct drill *d = userdata;
    if (bytes == 0 || bytes > STAGE_PACKET_IN_BYTES_MAX)
        return -1;
    drill_enter(d);
    stage_receive(d->stage, packet, bytes);
    drill_leave(d);
    return 0;
}

/* No packet within the longest wait: a packet of no bytes, which packetdrill takes for an error. */
static int netdev_receive(void *userdata, void *buf, size_t *bytes, long long *time_us)
{
    struct drill *d = userdata;
    drill_enter(d);
    drill_pass(d, stage_now_us(d->stage) + DRILL_WAIT_US_MAX, true);
    const struct stage_packet *p = stage_peek(d->stage);
    size_t room = *bytes;
    *bytes = 0;
    *time_us = (long long)stage_now_us(d->stage);
    if (p != NULL) {
        *bytes = p->bytes < room ? p->bytes : room;
        *time_us = (long long)p->at_us;
        memcpy(buf, p->data, *bytes);
        stage_drop(d->stage);
    }
    drill_leave(d);
    return 0;
}

static int pass(void *userdata, useconds_t us)
{
    struct drill *d = userdata;
    drill_enter(d);
    drill_pass(d, stage_now_us(d->stage) + us, false);
    drill_leave(d);
    return 0;
}

/* Who comes back from a wait reads the time at which it ended, and sets the clock free. Else it
 * goes on, for both threads spin on it until an event of theirs is due. */
static int tell_time(void *userdata, struct timeval *tv, struct timezone *tz)
{
    struct drill *d = userdata;
    drill_enter(d);
    if (d->is_leaving && !pthread_equal(pthread_self(), d->script)) {
        d->is_leaving = false;
        pthread_cond_broadcast(&d->changed);
    } else {
        drill_pass(d, stage_now_us(d->stage) + 1, false);
    }
    uint64_t now_us = stage_now_us(d->stage);
    *tv = (struct timeval){.tv_sec = (time_t)(now_us / 1000000),
                           .tv_usec = (suseconds_t)(now_us % 1000000)};
    pthread_mutex_unlock(&d->lock);
    return 0;
}

static int no_epoll_create(void *userdata, int size)
{
    errno = ENOSYS;
    return -1;
}

static int no_epoll_ctl(void *userdata, int epfd, int op, int fd, struct epoll_event *event)
{
    errno = ENOSYS;
    return -1;
}

static int no_epoll_wait(void *userdata, int epfd, struct epoll_event *events, int n,
                         int timeout_ms)
{
    errno = ENOSYS;
    return -1;
}

static int no_pipe(void *userdata, int fds[2])
{
    errno = ENOSYS;
    return -1;
}

static int no_splice(void *userdata, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out,
                     size_t bytes, unsigned flags)
{
    errno = ENOSYS;
    return -1;
}

static const struct packetdrill_interface table = {
    .free = end,
    .socket = drill_socket,
    .bind = drill_bind,
    .listen = drill_listen,
    .accept = drill_accept,
    .connect = drill_connect,
    .read = drill_read,
    .readv = drill_readv,
    .recv = drill_recv,
    .recvfrom = drill_recvfrom,
    .recvmsg = drill_recvmsg,
    .write = drill_write,
    .writev = drill_writev,
    .send = drill_send,
    .sendto = drill_sendto,
    .sendmsg = drill_sendmsg,
    .fcntl = drill_fcntl,
    .ioctl = drill_ioctl,
    .close = drill_close,
    .shutdown = drill_shutdown,
    .getsockopt = drill_getsockopt,
    .setsockopt = drill_setsockopt,
    .poll = drill_poll,
    .netdev_send = netdev_send,
    .netdev_receive = netdev_receive,
    .usleep = pass,
    .gettimeofday = tell_time,
    .epoll_create = no_epoll_create,
    .epoll_ctl = no_epoll_ctl,
    .epoll_wait = no_epoll_wait,
    .pipe = no_pipe,
    .splice = no_splice,
};

/* One flag, NAME=VALUE. False: there is none of this name, or the value is none. */
static bool take_flag(struct stage_config *c, const char *name, const char *value)
{
    if (strcmp(name, "local_ip") == 0) {
        struct ip_addr addr;
        if (!ip_addr_parse(value, &addr))
            return false;
        *(ip_addr_is_v4(&addr) ? &c->local4 : &c->local6) = addr;
        return true;
    }
    unsigned long number = strtoul(value, NULL, 10);
    if (strcmp(name, "mtu") == 0)
        c->mtu = (uint16_t)number;
    else if (strcmp(name, "rx_window") == 0)
        c->tcp.rx_window_bytes = (uint32_t)number;
    else if (strcmp(name, "tx_buffer") == 0)
        c->tcp.tx_buffer_bytes = (uint32_t)number;
    else
        return false;
    return number > 0;
}

/* "local_ip=192.168.0.2,mtu=1400". What is wrong ends the process: packetdrill has no other way. */
static void take_flags(struct stage_config *c, const char *flags)
{
    char text[256];
    snprintf(text, sizeof(text), "%s", flags == NULL ? "" : flags);
    for (char *save, *f = strtok_r(text, ",", &save); f != NULL; f = strtok_r(NULL, ",", &save)) {
        char *value = strchr(f, '=');
        if (value != NULL)
            *value++ = '\0';
        if (value == NULL || !take_flag(c, f, value)) {
            fprintf(stderr,
                    "so_flags: %s: flags are local_ip=ADDR, mtu=N, rx_window=N, "
                    "tx_buffer=N\n",
                    f);
            exit(2);
        }
    }
}

void drill_interface_init(const char *flags, struct packetdrill_interface *ret)
{
    struct drill *d = calloc(1, sizeof(*d));
    struct stage_config config = {
        .start_us = START_US,
        .mbufs = 16383,
        .mtu = 1500,
        .tcp = {.conns_max = DRILL_SOCKETS_MAX * 2,
                .timewaits_max = DRILL_SOCKETS_MAX,
                .half_open_max = DRILL_SOCKETS_MAX,
                .rx_window_bytes = 1 << 20,
                .tx_buffer_bytes = 2 << 20,
                .mbufs_low = 2048},
    };
    ASSERT(d != NULL);
    ip_addr_parse("192.168.0.2", &config.local4);
    ip_addr_parse("fd3d:fa7b:d17d::2", &config.local6);
    take_flags(&config, flags);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->changed, NULL);
    d->script = pthread_self();
    d->tx_buffer_bytes = config.tcp.tx_buffer_bytes;
    d->rx_window_bytes = config.tcp.rx_window_bytes;
    drill_upcalls(d, &config.upcalls);
    d->stage = stage_new(&config);
    *ret = table;
    ret->userdata = d;
}
