/* SPDX-License-Identifier: Apache-2.0 */
/* One datagram is one message; a descriptor rides along as SCM_RIGHTS. Owner: the caller; thread:
 * the caller's. */
#include "publish/control_io.h"

#include "base/assert.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Room for one descriptor, aligned as the kernel wants it. */
union fd_control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int control_connect(const char *run_dir)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" CONTROL_SOCKET_NAME, run_dir);
    if (n < 0 || (size_t)n >= sizeof(addr.sun_path))
        return -ENAMETOOLONG;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&addr, sizeof(addr)) != 0) {
        int result = -errno;
        close(fd);
        return result;
    }
    return fd;
}

static void attach_fd(struct msghdr *message, union fd_control *control, int fd)
{
    memset(control, 0, sizeof(*control));
    message->msg_control = control->bytes;
    message->msg_controllen = sizeof(control->bytes);
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
}

int control_send(int socket, enum control_type type, uint64_t id, const void *body, uint32_t length,
                 int fd)
{
    struct control_msg msg = {.magic = CONTROL_MAGIC,
                              .version = CONTROL_VERSION,
                              .type = (uint16_t)type,
                              .id = id,
                              .length = length};
    if (length > CONTROL_MSG_BYTES_MAX - sizeof(msg))
        return -EMSGSIZE;
    union {
        const void *from;
        void *to; /* sendmsg() only reads, but its struct is recvmsg()'s too */
    } data = {.from = body};
    struct iovec parts[2] = {{&msg, sizeof(msg)}, {data.to, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = length > 0 ? 2 : 1};
    union fd_control control;
    if (fd >= 0)
        attach_fd(&message, &control, fd);
    ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    ASSERT((size_t)sent == sizeof(msg) + length); /* a datagram goes whole or not at all */
    return 0;
}

/* The descriptor that came along; -1: none. */
static int take_fd(struct msghdr *message)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h != NULL; h = CMSG_NXTHDR(message, h)) {
        if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS &&
            h->cmsg_len == CMSG_LEN(sizeof(int))) {
            int fd;
            memcpy(&fd, CMSG_DATA(h), sizeof(int));
            return fd;
        }
    }
    return -1;
}

int control_receive(int socket, struct control_received *ret)
{
    struct iovec parts[2] = {{&ret->msg, sizeof(ret->msg)}, {ret->body, sizeof(ret->body)}};
    union fd_control control;
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    ssize_t n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    if (n == 0)
        return -EPIPE;
    ret->fd = take_fd(&message);
    bool is_whole = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0 &&
                    (size_t)n >= sizeof(ret->msg) && ret->msg.magic == CONTROL_MAGIC &&
                    ret->msg.version == CONTROL_VERSION &&
                    ret->msg.length == (size_t)n - sizeof(ret->msg);
    if (is_whole)
        return 0;
    if (ret->fd >= 0)
        close(ret->fd);
    return -EPROTO;
}
