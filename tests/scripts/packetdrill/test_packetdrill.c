/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads the library as packetdrill does and plays whole connections through its table: handshakes
 * of both kinds, text both ways, a read that blocks in a thread of its own, both ends.
 */
#include "abi.h"
#include "unit.h"
#include "wire.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define F 0x01
#define S 0x02
#define R 0x04
#define P 0x08
#define A 0x10

static struct packetdrill_interface t;
static struct wire_ends from_peer; /* ends.src: the peer */

static void load(const char *flags)
{
    static void *handle;
    if (handle == NULL)
        handle = dlopen(PACKETDRILL_LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL)
        fprintf(stderr, "%s\n", dlerror());
    REQUIRE(handle != NULL);
    void (*init)(const char *, struct packetdrill_interface *);
    *(void **)&init = dlsym(handle, "packetdrill_interface_init");
    REQUIRE(init != NULL);
    memset(&t, 0, sizeof(t));
    init(flags, &t);
    for (size_t i = 1; i < sizeof(t) / sizeof(void *); i++)
        CHECK(((void **)&t)[i] != NULL);
    ip_addr_parse("192.0.2.1", &from_peer.src);
    ip_addr_parse("192.168.0.2", &from_peer.dst);
    from_peer.src_port = 40000;
    from_peer.dst_port = 8080;
}

static long long now_us(void)
{
    struct timeval tv;
    t.gettimeofday(t.userdata, &tv, NULL);
    return tv.tv_sec * 1000000LL + tv.tv_usec;
}

/* A segment of the peer; its text is "x"s. */
static void peer(uint8_t flags, uint32_t seq, uint32_t ack, uint32_t len)
{
    uint8_t text[1460];
    uint8_t packet[WIRE_BYTES_MAX];
    struct script_segment s = {
        .flags = flags, .ecn = SCRIPT_ECN_ANY, .seq = seq, .ack = ack, .len = len, .window = 65535};
    s.options.has_mss = (flags & S) != 0;
    s.options.mss = 1460;
    memset(text, 'x', sizeof(text));
    size_t bytes = wire_build(&from_peer, &s, text, packet);
    CHECK_EQ(t.netdev_send(t.userdata, packet, bytes), 0);
}

/* The next segment of the stack. */
static struct script_segment sent(long long *ret_at_us)
{
    uint8_t packet[WIRE_BYTES_MAX];
    size_t bytes = sizeof(packet);
    struct wire_ends ends;
    struct script_segment s = {0};
    const uint8_t *text;
    CHECK_EQ(t.netdev_receive(t.userdata, packet, &bytes, ret_at_us), 0);
    const char *fault = wire_parse(packet, bytes, &ends, &s, &text);
    CHECK(fault == NULL);
    if (fault == NULL)
        from_peer.dst_port = ends.src_port; /* an open's port is known from here on */
    return s;
}

static struct sockaddr_in addr_of_peer(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(40000)};
    memcpy(&addr.sin_addr, from_peer.src.bytes + 12, 4);
    return addr;
}

static int listener(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(8080)};
    memcpy(&addr.sin_addr, from_peer.dst.bytes + 12, 4);
    int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    CHECK(fd >= 0);
    CHECK_EQ(t.bind(t.userdata, fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    CHECK_EQ(t.listen(t.userdata, fd, 1), 0);
    return fd;
}

/* A connection that the peer opened; *ret_seq is our number behind the SYN. */
static int accepted(int fd, uint32_t *ret_seq)
{
    long long at_us;
    struct sockaddr_in addr;
    socklen_t bytes = sizeof(addr);
    peer(S, 1000, 0, 0);
    struct script_segment syn_ack = sent(&at_us);
    CHECK_EQ(syn_ack.flags, S | A);
    CHECK_EQ(syn_ack.ack, 1001);
    *ret_seq = syn_ack.seq + 1;
    peer(A, 1001, *ret_seq, 0);
    int conn = t.accept(t.userdata, fd, (struct sockaddr *)&addr, &bytes);
    CHECK(conn >= 0 && conn != fd);
    CHECK_EQ(ntohs(addr.sin_port), 40000);
    return conn;
}

TEST(passive_open_text_and_close)
{
    uint32_t seq;
    long long at_us;
    char buf[200];
    load("");
    int fd = listener();
    int conn = accepted(fd, &seq);
    CHECK_EQ(t.write(t.userdata, conn, buf, 100), 100);
    struct script_segment s = sent(&at_us);
    CHECK(s.flags == (P | A) && s.seq == seq && s.len == 100);
    peer(P | A, 1001, seq + 100, 50);
    CHECK_EQ(t.read(t.userdata, conn, buf, sizeof(buf)), 50);
    CHECK(buf[0] == 'x' && buf[49] == 'x');
    s = sent(&at_us); /* the delayed acknowledgement: waits for it */
    CHECK(s.flags == A && s.ack == 1051);
    peer(F | A, 1051, seq + 100, 0);
    s = sent(&at_us);
    CHECK(s.flags == A && s.ack == 1052);
    CHECK_EQ(t.read(t.userdata, conn, buf, sizeof(buf)), 0);
    CHECK_EQ(t.shutdown(t.userdata, conn, SHUT_WR), 0);
    CHECK(t.write(t.userdata, conn, buf, 1) == -1 && errno == EPIPE);
    CHECK_EQ(t.close(t.userdata, conn), 0);
    s = sent(&at_us);
    CHECK(s.flags == (F | A) && s.seq == seq + 100);
    peer(A, 1052, seq + 101, 0);
    CHECK_EQ(t.close(t.userdata, fd), 0);
    CHECK(t.close(t.userdata, fd) == -1 && errno == EBADF);
    t.free(t.userdata);
}

TEST(active_open_that_does_not_block)
{
    long long at_us;
    int error = -1;
    socklen_t bytes = sizeof(error);
    load("mtu=1400");
    struct sockaddr_in addr = addr_of_peer();
    int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM, IPPROTO_TCP);
    CHECK_EQ(t.fcntl(t.userdata, fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    CHECK(t.connect(t.userdata, fd, (struct sockaddr *)&addr, sizeof(addr)) == -1);
    CHECK_EQ(errno, EINPROGRESS);
    struct script_segment syn = sent(&at_us);
    CHECK_EQ(syn.flags, S);
    CHECK_EQ(syn.options.mss, 1360);
    peer(S | A, 7000, syn.seq + 1, 0);
    struct script_segment s = sent(&at_us);
    CHECK(s.flags == A && s.ack == 7001);
    CHECK_EQ(t.getsockopt(t.userdata, fd, SOL_SOCKET, SO_ERROR, &error, &bytes), 0);
    CHECK_EQ(error, 0);
    struct pollfd p = {.fd = fd, .events = POLLIN | POLLOUT};
    CHECK_EQ(t.poll(t.userdata, &p, 1, 0), 1);
    CHECK_EQ(p.revents, POLLOUT);
    char buf[10];
    CHECK(t.read(t.userdata, fd, buf, sizeof(buf)) == -1 && errno == EAGAIN);
    peer(R, 7001, 0, 0);
    CHECK(t.read(t.userdata, fd, buf, sizeof(buf)) == -1 && errno == ECONNRESET);
    CHECK(t.write(t.userdata, fd, buf, sizeof(buf)) == -1 && errno == EPIPE);
    t.free(t.userdata);
}

TEST(open_is_refused)
{
    long long at_us;
    load(NULL);
    struct sockaddr_in addr = addr_of_peer();
    int fd = t.socket(t.userdata, AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    t.connect(t.userdata, fd, (struct sockaddr *)&addr, sizeof(addr));
    struct script_segment syn = sent(&at_us);
    peer(R | A, 0, syn.seq + 1, 0);
    int error = 0;
    socklen_t bytes = sizeof(error);
    CHECK_EQ(t.getsockopt(t.userdata, fd, SOL_SOCKET, SO_ERROR, &error, &bytes), 0);
    CHECK_EQ(error, ECONNREFUSED);
    CHECK_EQ(t.getsockopt(t.userdata, fd, SOL_SOCKET, SO_ERROR, &error, &bytes), 0);
    CHECK_EQ(error, 0); /* told once */
    t.free(t.userdata);
}

struct reader {
    int fd;
    ssize_t bytes;
    long long end_us;
};

static void *read_blocking(void *arg)
{
    struct reader *r = arg;
    char buf[100];
    r->bytes = t.read(t.userdata, r->fd, buf, sizeof(buf));
    r->end_us = now_us();
    return NULL;
}

/* As packetdrill plays "+0...+0.1 read()": the call sits in a thread, time moves in this one. The
 * read must come back at the very time of the text, although time goes on right behind it. */
TEST(read_blocks_until_there_is_text)
{
    uint32_t seq;
    pthread_t thread;
    load("");
    int fd = listener();
    struct reader r = {.fd = accepted(fd, &seq)};
    CHECK_EQ(pthread_create(&thread, NULL, read_blocking, &r), 0);
    usleep(20000); /* real time: let it get there */
    t.usleep(t.userdata, 100000);
    long long at_us = now_us();
    peer(P | A, 1001, seq, 10);
    t.usleep(t.userdata, 500000);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(r.bytes, 10);
    CHECK(r.end_us >= at_us && r.end_us <= at_us + 10);
    t.free(t.userdata);
}

struct poller {
    int fd;
    int timeout_ms;
    int ready;
    long long end_us;
};

static void *poll_blocking(void *arg)
{
    struct poller *p = arg;
    struct pollfd fd = {.fd = p->fd, .events = POLLIN};
    p->ready = t.poll(t.userdata, &fd, 1, p->timeout_ms);
    p->end_us = now_us();
    return NULL;
}

TEST(poll_ends_at_its_time)
{
    uint32_t seq;
    pthread_t thread;
    load("");
    struct poller p = {.fd = accepted(listener(), &seq), .timeout_ms = 300};
    long long at_us = now_us();
    CHECK_EQ(pthread_create(&thread, NULL, poll_blocking, &p), 0);
    usleep(20000); /* real time: let it get there */
    t.usleep(t.userdata, 1000000);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(p.ready, 0);
    CHECK(p.end_us >= at_us + 300000 && p.end_us <= at_us + 300010);
    t.free(t.userdata);
}

TEST(close_ends_a_read_that_blocks)
{
    uint32_t seq;
    pthread_t thread;
    load("");
    struct reader r = {.fd = accepted(listener(), &seq)};
    CHECK_EQ(pthread_create(&thread, NULL, read_blocking, &r), 0);
    usleep(20000); /* real time: let it get there */
    CHECK_EQ(t.close(t.userdata, r.fd), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(r.bytes, -1);
    t.free(t.userdata);
}

TEST(time_is_virtual)
{
    uint32_t seq;
    long long at_us;
    char buf[10] = {0};
    load("");
    long long before_us = now_us();
    t.usleep(t.userdata, 3600000000u);
    long long after_us = now_us();
    CHECK(after_us - before_us >= 3600000000ll && after_us - before_us < 3600000010ll);
    int conn = accepted(listener(), &seq);
    t.write(t.userdata, conn, buf, 10);
    sent(&at_us);
    CHECK(at_us >= after_us && at_us < after_us + 100);
    long long first_us = at_us;
    sent(&at_us); /* again after a timeout */
    CHECK(at_us - first_us >= 200000 && at_us - first_us < 1100000);
    t.free(t.userdata);
}

TEST(options_that_there_are_and_are_not)
{
    load("");
    int fd = listener();
    int one = 1;
    socklen_t bytes = sizeof(one);
    CHECK_EQ(t.setsockopt(t.userdata, fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), 0);
    CHECK_EQ(t.setsockopt(t.userdata, fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
    CHECK_EQ(t.setsockopt(t.userdata, fd, IPPROTO_IP, IP_TOS, &one, sizeof(one)), 0);
    CHECK_EQ(t.getsockopt(t.userdata, fd, IPPROTO_IP, IP_TOS, &one, &bytes), 0);
    CHECK_EQ(one, 1);
    CHECK(t.setsockopt(t.userdata, fd, IPPROTO_TCP, TCP_CORK, &one, sizeof(one)) == -1);
    CHECK_EQ(errno, ENOPROTOOPT);
    CHECK(t.epoll_create(t.userdata, 1) == -1 && errno == ENOSYS);
    CHECK(t.ioctl(t.userdata, fd, FIONREAD, &one) == -1 && errno == EINVAL);
    CHECK(t.socket(t.userdata, AF_INET, SOCK_DGRAM, 0) == -1 && errno == EPROTONOSUPPORT);
    t.free(t.userdata);
}

UNIT_MAIN("packetdrill", T(passive_open_text_and_close), T(active_open_that_does_not_block),
          T(open_is_refused), T(read_blocks_until_there_is_text), T(poll_ends_at_its_time),
          T(close_ends_a_read_that_blocks), T(time_is_virtual),
          T(options_that_there_are_and_are_not))
