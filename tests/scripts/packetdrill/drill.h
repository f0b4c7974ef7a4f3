/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our TCP behind sockets and a virtual clock, as packetdrill wants it: one stage (stage.h), a table
 * of sockets, and the wait of the one call that may block.
 *
 * Time passes when the script's thread lets it: in usleep, while it waits for a packet, while it
 * waits in a call itself; and by 1 us each time it looks at the clock, for packetdrill spins on it.
 *
 * Owner: packetdrill. Threads: two; whoever is inside holds `lock`.
 */
#pragma once

#include "base/ip_addr.h"
#include "core/stream.h"
#include "stage.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define DRILL_SOCKETS_MAX 64u
#define DRILL_BACKLOG_MAX 64u
#define DRILL_WAIT_US_MAX                                                                          \
    600000000ull /* virtual time that a wait of the script's thread may take */

enum drill_kind { DRILL_FREE, DRILL_NEW, DRILL_LISTENING, DRILL_CONNECTED };

struct drill_socket {
    enum drill_kind kind;
    int fd; /* holds a number in the process: packetdrill closes what is open at the end itself */
    int domain; /* AF_INET, AF_INET6 */
    bool is_nonblocking;
    bool is_open;        /* the handshake is done */
    bool is_closed;      /* STREAM_CLOSED came */
    bool was_error_told; /* an error is told once */
    bool was_shut_for_reading;
    bool was_shut_for_writing;
    bool resets_on_close; /* SO_LINGER with 0 seconds */
    uint16_t port;        /* local */
    uint8_t tos;
    uint32_t keepalive_ms; /* once on */
    bool has_keepalive;
    uint32_t user_timeout_ms; /* 0: the default */
    struct stream *stream;
    unsigned backlog; /* as listen() said */
    unsigned n_waiting;
    struct stream *waiting[DRILL_BACKLOG_MAX];
};

/* The call that waits in the other thread. */
struct drill_waiter {
    bool is_on;
    bool (*may_go_on)(void *arg);
    void *arg;
    uint64_t until_us; /* or at this time */
};

struct drill {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t script; /* the thread that moves time */
    struct drill_waiter waiter;
    bool is_leaving; /* it may go on, and has yet to look at the clock */
    struct stage *stage;
    uint32_t tx_buffer_bytes;
    uint32_t rx_window_bytes;
    struct drill_socket sockets[DRILL_SOCKETS_MAX];
};

/* Enters and leaves: what is done in between is followed by a round of the worker. */
void drill_enter(struct drill *d);
void drill_leave(struct drill *d);

/* Time passes up to `until_us`; stops at a packet if asked to. */
void drill_pass(struct drill *d, uint64_t until_us, bool stops_at_packet);

/* Waits until `may_go_on` says so, at most `us_max`: the script's thread lets time pass for it, the
 * other one waits for the script's. False: it does not in time. */
bool drill_wait(struct drill *d, bool (*may_go_on)(void *arg), void *arg, uint64_t us_max);

/* sockets.c */

/* The socket behind a file descriptor; NULL: none, errno is set. */
struct drill_socket *drill_socket_at(struct drill *d, int fd);

/* A free socket; NULL: there is none, errno is set. */
struct drill_socket *drill_socket_new(struct drill *d, int domain);

/* Makes it the owner of the stream. */
void drill_socket_own(struct drill_socket *s, struct stream *stream);

/* Lets go of everything it has but the number. */
void drill_socket_close(struct drill_socket *s);

/* Tells TCP what setsockopt() asked for before there was a connection. */
void drill_socket_apply(struct drill_socket *s);

/* The upcalls of TCP. */
void drill_upcalls(struct drill *d, struct tcp_upcalls *ret);

/* errno of an end; 0: none. */
int drill_error(const struct drill_socket *s);

/* The payload of a full segment; without a connection the default. */
int drill_mss(const struct drill_socket *s);

/* What may be waited for; each is true of a socket that was closed meanwhile, too. `socket` is a
 * struct drill_socket. */
bool drill_can_accept(void *socket);
bool drill_can_read(void *socket);
bool drill_can_write(void *socket);
bool drill_is_connected(void *socket); /* or failed to */

/* options.c */

int drill_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *bytes);
int drill_setsockopt(void *userdata, int fd, int level, int name, const void *value,
                     socklen_t bytes);

/* transfer.c: the calls that move bytes */

ssize_t drill_read(void *userdata, int fd, void *buf, size_t bytes);
ssize_t drill_readv(void *userdata, int fd, const struct iovec *iov, int n);
ssize_t drill_recv(void *userdata, int fd, void *buf, size_t bytes, int flags);
ssize_t drill_recvfrom(void *userdata, int fd, void *buf, size_t bytes, int flags,
                       struct sockaddr *addr, socklen_t *addr_bytes);
ssize_t drill_recvmsg(void *userdata, int fd, struct msghdr *msg, int flags);
ssize_t drill_write(void *userdata, int fd, const void *buf, size_t bytes);
ssize_t drill_writev(void *userdata, int fd, const struct iovec *iov, int n);
ssize_t drill_send(void *userdata, int fd, const void *buf, size_t bytes, int flags);
ssize_t drill_sendto(void *userdata, int fd, const void *buf, size_t bytes, int flags,
                     const struct sockaddr *addr, socklen_t addr_bytes);
ssize_t drill_sendmsg(void *userdata, int fd, const struct msghdr *msg, int flags);

/* calls.c: their lives */

int drill_socket(void *userdata, int domain, int type, int protocol);
int drill_bind(void *userdata, int fd, const struct sockaddr *addr, socklen_t bytes);
int drill_listen(void *userdata, int fd, int backlog);
int drill_accept(void *userdata, int fd, struct sockaddr *addr, socklen_t *bytes);
int drill_connect(void *userdata, int fd, const struct sockaddr *addr, socklen_t bytes);
int drill_close(void *userdata, int fd);
int drill_shutdown(void *userdata, int fd, int how);

/* looks.c */

int drill_fcntl(void *userdata, int fd, int cmd, ...);
int drill_ioctl(void *userdata, int fd, unsigned long request, ...);
int drill_poll(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms);
