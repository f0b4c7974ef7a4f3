/* SPDX-License-Identifier: Apache-2.0 */
/* Sockets of the control server. Every descriptor that comes in is closed or kept, exactly once.
 * Thread: housekeeping. */
#include "control_server.h"

#include "base/assert.h"
#include "base/container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Descriptors that one message can carry before it is garbage; one is allowed. */
#define FDS_MAX 8u

struct control_peer {
    int fd;       /* -1: the place is free */
    bool is_done; /* to be disconnected when the handler returns */
    bool is_held; /* nothing is received from it */
};

struct control_server {
    int listener;
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    struct stats_worker *stats;
    control_handler_fn handler;
    control_gone_fn gone;
    void *owner;
    struct control_peer *manager;
    struct control_peer peers[CONTROL_PEERS_MAX];
    _Alignas(8) uint8_t buffer[CONTROL_MSG_BYTES_MAX];
};

static void count(struct control_server *s, enum stat_id id)
{
    s->stats->counters[id]++;
}

/* Is somebody listening at this address? */
static bool is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool is_up = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0;
    close(fd);
    return is_up;
}

static int listen_at(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    mode_t mask = umask(0177); /* the file must never be open to others, not even for a moment */
    int fault = bind(fd, (const struct sockaddr *)address, sizeof(*address));
    umask(mask);
    if (fault == 0 && listen(fd, CONTROL_PEERS_MAX) == 0)
        return fd;
    fault = errno;
    close(fd);
    errno = fault;
    return -1;
}

struct control_server *control_server_new(const char *run_dir, struct stats_worker *stats,
                                          control_handler_fn handler, control_gone_fn gone,
                                          void *owner)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int len =
        snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", run_dir, CONTROL_SOCKET_NAME);
    if (len < 0 || (size_t)len >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    if (is_alive(&address)) {
        errno = EADDRINUSE;
        return NULL;
    }
    unlink(address.sun_path);
    struct control_server *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return NULL;
    *s = (struct control_server){.stats = stats, .handler = handler, .gone = gone, .owner = owner};
    memcpy(s->path, address.sun_path, sizeof(s->path));
    for (unsigned i = 0; i < CONTROL_PEERS_MAX; i++)
        s->peers[i].fd = -1;
    s->listener = listen_at(&address);
    if (s->listener < 0) {
        free(s);
        return NULL;
    }
    return s;
}

static void disconnect(struct control_server *s, struct control_peer *peer)
{
    ASSERT(peer->fd >= 0);
    s->gone(s->owner, peer);
    close(peer->fd);
    *peer = (struct control_peer){.fd = -1};
    if (s->manager == peer)
        s->manager = NULL;
}

void control_server_free(struct control_server *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < CONTROL_PEERS_MAX; i++) {
        if (s->peers[i].fd >= 0)
            disconnect(s, &s->peers[i]);
    }
    close(s->listener);
    unlink(s->path);
    free(s);
}

static void accept_peers(struct control_server *s)
{
    for (unsigned n = 0; n < CONTROL_PEERS_MAX; n++) {
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0)
            return;
        struct control_peer *place = NULL;
        for (unsigned i = 0; i < CONTROL_PEERS_MAX && place == NULL; i++)
            place = s->peers[i].fd < 0 ? &s->peers[i] : NULL;
        if (place == NULL) {
            close(fd);
            count(s, STAT_core_control_turned_away);
            continue;
        }
        *place = (struct control_peer){.fd = fd};
    }
}

/* The descriptors of a received message: one is given back, more are closed and are garbage. */
static bool take_fds(struct msghdr *header, int *ret_fd)
{
    unsigned n = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count_here = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count_here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (n++ == 0)
                *ret_fd = fd;
            else
                close(fd);
        }
    }
    return n <= 1 && (header->msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0;
}

/* Is the framing right? */
static bool is_message(const struct control_msg *msg, size_t length)
{
    return length >= sizeof(*msg) && msg->magic == CONTROL_MAGIC &&
           msg->version == CONTROL_VERSION && msg->reserved == 0 && msg->id != 0 &&
           msg->length == length - sizeof(*msg);
}

enum receive_result { RECEIVE_NOTHING, RECEIVE_DONE, RECEIVE_GONE, RECEIVE_GARBAGE };

/* Receives one message of the peer and hands it to the handler. */
static enum receive_result receive(struct control_server *s, struct control_peer *peer)
{
    _Alignas(struct cmsghdr) uint8_t ancillary[CMSG_SPACE(FDS_MAX * sizeof(int))];
    struct iovec iov = {.iov_base = s->buffer, .iov_len = sizeof(s->buffer)};
    struct msghdr header = {.msg_iov = &iov,
                            .msg_iovlen = 1,
                            .msg_control = ancillary,
                            .msg_controllen = sizeof(ancillary)};
    int fd = -1;
    ssize_t n = recvmsg(peer->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? RECEIVE_NOTHING : RECEIVE_GONE;
    bool is_sound = take_fds(&header, &fd);
    if (n == 0 && fd < 0)
        return RECEIVE_GONE;
    const struct control_msg *msg = (const struct control_msg *)s->buffer;
    bool is_allowed = is_sound && is_message(msg, (size_t)n) &&
                      s->handler(s->owner, peer, msg, s->buffer + sizeof(*msg), &fd);
    if (fd >= 0)
        close(fd);
    return is_allowed ? RECEIVE_DONE : RECEIVE_GARBAGE;
}

/* What this peer has sent, a bounded number of messages. */
static unsigned serve_peer(struct control_server *s, struct control_peer *peer)
{
    for (unsigned n = 0; n < CONTROL_MSGS_PER_POLL; n++) {
        switch (receive(s, peer)) {
        case RECEIVE_NOTHING:
            return n;
        case RECEIVE_DONE:
            if (!peer->is_done && !peer->is_held)
                break;
            if (peer->is_done)
                disconnect(s, peer);
            return n + 1;
        case RECEIVE_GARBAGE:
            count(s, STAT_core_control_garbage);
            disconnect(s, peer);
            return n;
        case RECEIVE_GONE:
            disconnect(s, peer);
            return n;
        }
    }
    return CONTROL_MSGS_PER_POLL;
}

unsigned control_server_poll(struct control_server *s, int timeout_ms)
{
    struct pollfd fds[CONTROL_PEERS_MAX + 1];
    fds[CONTROL_PEERS_MAX] = (struct pollfd){.fd = s->listener, .events = POLLIN};
    for (unsigned i = 0; i < CONTROL_PEERS_MAX; i++) {
        if (s->peers[i].is_done)
            disconnect(s, &s->peers[i]);
        fds[i] = (struct pollfd){.fd = s->peers[i].is_held ? -1 : s->peers[i].fd, .events = POLLIN};
    }
    if (poll(fds, array_len(fds), timeout_ms) <= 0)
        return 0;
    unsigned n = 0;
    for (unsigned i = 0; i < CONTROL_PEERS_MAX; i++) {
        /* A handler may have disconnected this peer meanwhile: a new manager takes over. */
        if (fds[i].fd >= 0 && fds[i].revents != 0 && s->peers[i].fd == fds[i].fd)
            n += serve_peer(s, &s->peers[i]);
    }
    if (fds[CONTROL_PEERS_MAX].revents != 0)
        accept_peers(s);
    return n;
}

/* Sends a message whole or not at all. */
static bool send_message(struct control_peer *peer, const struct control_msg *msg, const void *body,
                         int fd)
{
    struct iovec iov[2] = {{.iov_base = (void *)(uintptr_t)msg, .iov_len = sizeof(*msg)},
                           {.iov_base = (void *)(uintptr_t)body, .iov_len = msg->length}};
    _Alignas(struct cmsghdr) uint8_t ancillary[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr header = {.msg_iov = iov, .msg_iovlen = 2};
    ASSERT(msg->length <= CONTROL_MSG_BYTES_MAX - sizeof(*msg));
    if (fd >= 0) {
        header.msg_control = ancillary;
        header.msg_controllen = sizeof(ancillary);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    return sendmsg(peer->fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}

static struct control_msg message_of(enum control_type type, uint64_t id, uint32_t length)
{
    return (struct control_msg){.magic = CONTROL_MAGIC,
                                .version = CONTROL_VERSION,
                                .type = (uint16_t)type,
                                .id = id,
                                .length = length};
}

void control_send(struct control_peer *peer, enum control_type type, uint64_t id, const void *body,
                  uint32_t length, int fd)
{
    struct control_msg msg = message_of(type, id, length);
    if (!send_message(peer, &msg, body, fd))
        peer->is_done = true; /* gone, or it does not read: it may come again */
}

bool control_try_send(struct control_peer *peer, enum control_type type, uint64_t id,
                      const void *body, uint32_t length)
{
    struct control_msg msg = message_of(type, id, length);
    if (peer->is_done)
        return false;
    if (send_message(peer, &msg, body, -1))
        return true;
    if (errno != EAGAIN && errno != ENOBUFS)
        peer->is_done = true;
    return false;
}

void control_hold(struct control_peer *peer, bool is_held)
{
    ASSERT(peer->fd >= 0);
    peer->is_held = is_held;
}

void control_drop(struct control_peer *peer)
{
    ASSERT(peer->fd >= 0);
    peer->is_done = true;
}

void control_peer_who(const struct control_peer *peer, uint32_t *ret_pid, uint32_t *ret_uid)
{
    struct ucred who = {0};
    socklen_t length = sizeof(who);
    if (getsockopt(peer->fd, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0)
        who = (struct ucred){0};
    *ret_pid = (uint32_t)who.pid;
    *ret_uid = (uint32_t)who.uid;
}

void control_set_manager(struct control_server *s, struct control_peer *peer)
{
    ASSERT(peer->fd >= 0);
    if (s->manager != NULL && s->manager != peer)
        disconnect(s, s->manager);
    s->manager = peer;
}

struct control_peer *control_manager(struct control_server *s)
{
    return s->manager;
}
