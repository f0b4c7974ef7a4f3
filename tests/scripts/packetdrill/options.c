/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket options: what TCP has a knob for (tcp/settings.h), what says nothing to it (addresses that
 * are used again; Nagle, which is off; queues that are large enough), and errors of a connection.
 * All else: ENOPROTOOPT.
 */
#include "drill.h"
#include "tcp/tcp_limits.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

/* Queues have the size that --so_flags gave them: more is not to be had, less costs nothing. */
static bool has_room(uint32_t bytes, int wanted)
{
    if (wanted >= 0 && (uint32_t)wanted <= bytes)
        return true;
    errno = ENOBUFS;
    return false;
}

/* The option as one number. */
static uint32_t key_of(int level, int name)
{
    return (uint32_t)level << 16 | (uint16_t)name;
}

#define KEY(level, name) ((uint32_t)(level) << 16 | (name))

static bool get(struct drill_socket *s, int level, int name, int *ret)
{
    switch (key_of(level, name)) {
    case KEY(SOL_SOCKET, SO_ERROR):
        *ret = s->was_error_told ? 0 : drill_error(s);
        s->was_error_told |= *ret != 0;
        return true;
    case KEY(SOL_SOCKET, SO_KEEPALIVE):
        *ret = s->has_keepalive;
        return true;
    case KEY(IPPROTO_TCP, TCP_NODELAY):
        *ret = 1;
        return true;
    case KEY(IPPROTO_TCP, TCP_MAXSEG):
        *ret = drill_mss(s);
        return true;
    case KEY(IPPROTO_IP, IP_TOS):
    case KEY(IPPROTO_IPV6, IPV6_TCLASS):
        *ret = s->tos;
        return true;
    default:
        errno = ENOPROTOOPT;
        return false;
    }
}

int drill_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *bytes)
{
    struct drill *d = userdata;
    int number = 0;
    drill_enter(d);
    struct drill_socket *s = drill_socket_at(d, fd);
    bool is_good = s != NULL && get(s, level, name, &number);
    if (is_good) {
        *bytes = *bytes < sizeof(number) ? *bytes : (socklen_t)sizeof(number);
        memcpy(value, &number, *bytes);
    }
    drill_leave(d);
    return is_good ? 0 : -1;
}

static bool set(struct drill *d, struct drill_socket *s, int level, int name, int value)
{
    switch (key_of(level, name)) {
    case KEY(SOL_SOCKET, SO_SNDBUF):
        return has_room(d->tx_buffer_bytes, value);
    case KEY(SOL_SOCKET, SO_RCVBUF):
        return has_room(d->rx_window_bytes, value);
    case KEY(SOL_SOCKET, SO_REUSEADDR):
    case KEY(SOL_SOCKET, SO_REUSEPORT):
    case KEY(IPPROTO_TCP, TCP_NODELAY):
        return true;
    case KEY(SOL_SOCKET, SO_KEEPALIVE):
        s->has_keepalive = value != 0;
        s->keepalive_ms = s->keepalive_ms == 0 ? TCP_KEEPALIVE_IDLE_MS_USUAL : s->keepalive_ms;
        break;
    case KEY(IPPROTO_TCP, TCP_KEEPIDLE):
        s->keepalive_ms = (uint32_t)value * 1000;
        break;
    case KEY(IPPROTO_TCP, TCP_USER_TIMEOUT):
        s->user_timeout_ms = (uint32_t)value;
        break;
    case KEY(IPPROTO_IP, IP_TOS):
    case KEY(IPPROTO_IPV6, IPV6_TCLASS):
        s->tos = (uint8_t)value;
        break;
    default:
        errno = ENOPROTOOPT;
        return false;
    }
    drill_socket_apply(s);
    return true;
}

int drill_setsockopt(void *userdata, int fd, int level, int name, const void *value,
                     socklen_t bytes)
{
    struct drill *d = userdata;
    struct linger linger;
    int number = 0;
    bool is_good = false;
    drill_enter(d);
    struct drill_socket *s = drill_socket_at(d, fd);
    if (s != NULL && level == SOL_SOCKET && name == SO_LINGER && bytes >= sizeof(linger)) {
        memcpy(&linger, value, sizeof(linger));
        s->resets_on_close = linger.l_onoff != 0 && linger.l_linger == 0;
        is_good = true;
    } else if (s != NULL) {
        memcpy(&number, value, bytes < sizeof(number) ? bytes : sizeof(number));
        is_good = set(d, s, level, name, number);
    }
    drill_leave(d);
    return is_good ? 0 : -1;
}
