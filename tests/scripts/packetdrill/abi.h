/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What packetdrill asks of a library that it loads by --so_filename: a function of the name
 * packetdrill_interface_init, which fills this table. The order of the members and the types of
 * their arguments are packetdrill's ABI; the first argument of each is `userdata`.
 *
 * Calls come from two threads: the script's own, and one for calls that the script says to block;
 * of those there is one at a time. Results and errno are those of the system calls of that name.
 *
 * OFFSET in pointers, MEMBER:
 *    0 userdata      1 free           2 socket        3 bind          4 listen        5 accept
 *    6 connect       7 read           8 readv         9 recv         10 recvfrom     11 recvmsg
 *   12 write        13 writev        14 send         15 sendto       16 sendmsg      17 fcntl
 *   18 ioctl        19 close         20 shutdown     21 getsockopt   22 setsockopt   23 poll
 *   24 netdev_send  25 netdev_receive  26 usleep     27 gettimeofday 28 epoll_create 29 epoll_ctl
 *   30 epoll_wait   31 pipe          32 splice
 */
#pragma once

#include <assert.h>
#include <poll.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>

struct packetdrill_interface {
    void *userdata;
    void (*free)(void *userdata); /* the script is over */
    int (*socket)(void *userdata, int domain, int type, int protocol);
    int (*bind)(void *userdata, int fd, const struct sockaddr *addr, socklen_t bytes);
    int (*listen)(void *userdata, int fd, int backlog);
    int (*accept)(void *userdata, int fd, struct sockaddr *addr, socklen_t *bytes);
    int (*connect)(void *userdata, int fd, const struct sockaddr *addr, socklen_t bytes);
    ssize_t (*read)(void *userdata, int fd, void *buf, size_t bytes);
    ssize_t (*readv)(void *userdata, int fd, const struct iovec *iov, int n);
    ssize_t (*recv)(void *userdata, int fd, void *buf, size_t bytes, int flags);
    ssize_t (*recvfrom)(void *userdata, int fd, void *buf, size_t bytes, int flags,
                        struct sockaddr *addr, socklen_t *addr_bytes);
    ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *msg, int flags);
    ssize_t (*write)(void *userdata, int fd, const void *buf, size_t bytes);
    ssize_t (*writev)(void *userdata, int fd, const struct iovec *iov, int n);
    ssize_t (*send)(void *userdata, int fd, const void *buf, size_t bytes, int flags);
    ssize_t (*sendto)(void *userdata, int fd, const void *buf, size_t bytes, int flags,
                      const struct sockaddr *addr, socklen_t addr_bytes);
    ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *msg, int flags);
    int (*fcntl)(void *userdata, int fd, int cmd, ...);
    int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
    int (*close)(void *userdata, int fd);
    int (*shutdown)(void *userdata, int fd, int how);
    int (*getsockopt)(void *userdata, int fd, int level, int name, void *value, socklen_t *bytes);
    int (*setsockopt)(void *userdata, int fd, int level, int name, const void *value,
                      socklen_t bytes);
    int (*poll)(void *userdata, struct pollfd *fds, nfds_t n, int timeout_ms);
    /* An IP packet arrives at the stack. 0: taken. */
    int (*netdev_send)(void *userdata, const void *packet, size_t bytes);
    /* The next IP packet that the stack sends: waits for it. *bytes is the room of `buf`, then the
     * packet's length; *time_us is when it was sent. 0: done, otherwise asked again. */
    int (*netdev_receive)(void *userdata, void *buf, size_t *bytes, long long *time_us);
    int (*usleep)(void *userdata, useconds_t us);
    int (*gettimeofday)(void *userdata, struct timeval *tv, struct timezone *tz);
    int (*epoll_create)(void *userdata, int size);
    int (*epoll_ctl)(void *userdata, int epfd, int op, int fd, struct epoll_event *event);
    int (*epoll_wait)(void *userdata, int epfd, struct epoll_event *events, int n, int timeout_ms);
    int (*pipe)(void *userdata, int fds[2]);
    int (*splice)(void *userdata, int fd_in, loff_t *off_in, int fd_out, loff_t *off_out,
                  size_t bytes, unsigned flags);
};

static_assert(sizeof(struct packetdrill_interface) == 33 * sizeof(void *), "the table above");
static_assert(offsetof(struct packetdrill_interface, netdev_send) == 24 * sizeof(void *),
              "the table above");

#define PACKETDRILL_EXPORT __attribute__((visibility("default")))

/* Fills the table. `flags` is the text of --so_flags, or NULL; see docs/packetdrill.md. */
PACKETDRILL_EXPORT void packetdrill_interface_init(const char *flags,
                                                   struct packetdrill_interface *ret);

/* The same of the library behind, see load.c. */
PACKETDRILL_EXPORT void drill_interface_init(const char *flags, struct packetdrill_interface *ret);
