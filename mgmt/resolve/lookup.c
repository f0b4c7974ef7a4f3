/* SPDX-License-Identifier: Apache-2.0 */
/* c-ares, and nothing else knows it. See lookup.h. */
#define CARES_NO_DEPRECATED /* the calls that Debian 12 and 13 both have */
#include "resolve/lookup.h"

#include "base/assert.h"
#include "base/container.h"
#include "loop/loop.h"

#include <ares.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>

/* RFC 1035, section 3.2; RFC 3596. */
#define CLASS_IN 1
#define TYPE_A 1
#define TYPE_AAAA 28

/* A socket of c-ares. */
struct watch {
    struct loop_io io;
    struct lookup *lookup;
    struct watch *next;
};

struct lookup {
    struct loop *loop;
    ares_channel channel;
    char *servers; /* NULL: the system's */
    struct wheel_timer timer;
    struct watch *watches;
    uint32_t n_asking;
    bool has_failed; /* since the channel was made */
    bool is_ending;
};

/* One question on its way. */
struct asking {
    struct lookup *lookup;
    enum resolve_family family;
    lookup_fn fn;
    void *arg;
};

/* ---- sockets and timers ---- */

static void program_timer(struct lookup *l)
{
    struct timeval tv;
    if (ares_timeout(l->channel, NULL, &tv) == NULL)
        loop_timer_disarm(l->loop, &l->timer);
    else
        loop_timer_arm(l->loop, &l->timer,
                       (uint64_t)tv.tv_sec * 1000000u + (uint64_t)tv.tv_usec + 1);
}

static void on_ready(struct loop_io *io, uint32_t ready)
{
    struct watch *w = container_of(io, struct watch, io);
    struct lookup *l = w->lookup;
    int fd = io->fd;
    bool is_over = (ready & (EPOLLERR | EPOLLHUP)) != 0;
    bool can_write = (io->wanted & EPOLLOUT) != 0 && (is_over || (ready & EPOLLOUT) != 0);
    bool can_read = is_over || (ready & EPOLLIN) != 0;
    /* the watch may be gone afterwards */
    ares_process_fd(l->channel, can_read ? fd : ARES_SOCKET_BAD, can_write ? fd : ARES_SOCKET_BAD);
    program_timer(l);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct lookup *l = container_of(timer, struct lookup, timer);
    ares_process_fd(l->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    program_timer(l);
}

static struct watch **find_watch(struct lookup *l, int fd)
{
    struct watch **at = &l->watches;
    while (*at != NULL && (*at)->io.fd != fd)
        at = &(*at)->next;
    return at;
}

static void drop_watch(struct watch **at)
{
    struct watch *w = *at;
    *at = w->next;
    loop_io_remove(&w->io);
    free(w);
}

/* A socket that cannot be watched is one that never answers: the question's time runs out. */
static void add_watch(struct lookup *l, int fd, uint32_t wanted)
{
    struct watch *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return;
    w->io.on_ready = on_ready;
    w->lookup = l;
    if (loop_io_add(l->loop, &w->io, fd, wanted) != 0) {
        free(w);
        return;
    }
    w->next = l->watches;
    l->watches = w;
}

/* c-ares wants a socket of its to be watched so, or (neither) no more, for it is closed now. */
static void on_socket(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct lookup *l = arg;
    uint32_t wanted = (readable != 0 ? EPOLLIN : 0u) | (writable != 0 ? EPOLLOUT : 0u);
    struct watch **at = find_watch(l, fd);
    if (wanted == 0 && *at != NULL)
        drop_watch(at);
    else if (wanted != 0 && *at != NULL)
        loop_io_want(&(*at)->io, wanted);
    else if (wanted != 0)
        add_watch(l, fd, wanted);
}

/* ---- the channel ---- */

static int open_channel(struct lookup *l)
{
    struct ares_options options = {
        .flags = ARES_FLAG_EDNS | ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
        .timeout = RESOLVE_TRY_MS,
        .tries = RESOLVE_TRIES_MAX,
        .ednspsz = RESOLVE_UDP_BYTES,
        .sock_state_cb = on_socket,
        .sock_state_cb_data = l,
    };
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
               ARES_OPT_SOCK_STATE_CB;
    if (ares_init_options(&l->channel, &options, mask) != ARES_SUCCESS)
        return -ENOMEM;
    if (l->servers != NULL && ares_set_servers_ports_csv(l->channel, l->servers) != ARES_SUCCESS) {
        ares_destroy(l->channel);
        return -EINVAL;
    }
    l->has_failed = false;
    return 0;
}

/* After a failure, and when nobody waits for an answer: /etc/resolv.conf may be another one now. */
static void renew_channel(struct lookup *l)
{
    ares_channel old = l->channel;
    if (!l->has_failed || l->n_asking > 0 || l->servers != NULL)
        return;
    if (open_channel(l) == 0)
        ares_destroy(old);
    else
        l->channel = old;
}

int lookup_new(struct loop *loop, const char *servers, struct lookup **ret)
{
    struct lookup *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return -ENOMEM;
    l->loop = loop;
    l->timer.on_expire = on_timer;
    l->servers = servers != NULL ? strdup(servers) : NULL;
    int result = servers != NULL && l->servers == NULL ? -ENOMEM : 0;
    if (result == 0 && ares_library_init(ARES_LIB_INIT_ALL) != ARES_SUCCESS)
        result = -ENOMEM;
    if (result == 0 && (result = open_channel(l)) != 0)
        ares_library_cleanup();
    if (result != 0) {
        free(l->servers);
        free(l);
        return result;
    }
    *ret = l;
    return 0;
}

void lookup_free(struct lookup *l)
{
    if (l == NULL)
        return;
    l->is_ending = true;
    ares_destroy(l->channel);
    ASSERT(l->n_asking == 0);
    while (l->watches != NULL)
        drop_watch(&l->watches);
    loop_timer_disarm(l->loop, &l->timer);
    ares_library_cleanup();
    free(l->servers);
    free(l);
}

/* ---- questions ---- */

static enum resolve_fault fault_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
    case ARES_ENODATA:
    case ARES_ENOTFOUND:
        return RESOLVE_FAULT_NONE;
    case ARES_ETIMEOUT:
        return RESOLVE_FAULT_TIMEOUT;
    case ARES_ECONNREFUSED: /* of c-ares 1.18 also where all answers were failures */
        return RESOLVE_FAULT_UNREACHABLE;
    case ARES_ESERVFAIL:
    case ARES_ENOTIMP:
        return RESOLVE_FAULT_SERVER;
    case ARES_EREFUSED:
        return RESOLVE_FAULT_REFUSED;
    case ARES_EFORMERR:
    case ARES_EBADRESP:
        return RESOLVE_FAULT_MALFORMED;
    case ARES_EBADNAME:
        return RESOLVE_FAULT_NAME;
    default:
        return RESOLVE_FAULT_OTHER;
    }
}

/* The addresses at the end of the answer's CNAMEs, and the shortest time of all on the way. */
static int read_v4(const unsigned char *answer, int len, struct resolve_reply *ret)
{
    struct ares_addrttl list[RESOLVE_ADDRS_MAX];
    int n = RESOLVE_ADDRS_MAX;
    int status = ares_parse_a_reply(answer, len, NULL, list, &n);
    for (int i = 0; status == ARES_SUCCESS && i < n; i++) {
        uint32_t ttl_s = list[i].ttl > 0 ? (uint32_t)list[i].ttl : 0;
        ret->ttl_s = i == 0 || ttl_s < ret->ttl_s ? ttl_s : ret->ttl_s;
        ret->addrs[ret->n++] = ip_addr_from_v4(&list[i].ipaddr);
    }
    return status;
}

static int read_v6(const unsigned char *answer, int len, struct resolve_reply *ret)
{
    struct ares_addr6ttl list[RESOLVE_ADDRS_MAX];
    int n = RESOLVE_ADDRS_MAX;
    int status = ares_parse_aaaa_reply(answer, len, NULL, list, &n);
    for (int i = 0; status == ARES_SUCCESS && i < n; i++) {
        uint32_t ttl_s = list[i].ttl > 0 ? (uint32_t)list[i].ttl : 0;
        ret->ttl_s = i == 0 || ttl_s < ret->ttl_s ? ttl_s : ret->ttl_s;
        ret->addrs[ret->n++] = ip_addr_from_v6(&list[i].ip6addr);
    }
    return status;
}

static void on_answer(void *arg, int status, int timeouts, unsigned char *answer, int len)
{
    struct asking *asking = arg;
    struct lookup *l = asking->lookup;
    struct resolve_reply reply = {.n = 0};
    l->n_asking--;
    if (status == ARES_SUCCESS)
        status = asking->family == RESOLVE_IPV4 ? read_v4(answer, len, &reply)
                                                : read_v6(answer, len, &reply);
    reply.fault = fault_of(status);
    l->has_failed |= reply.fault != RESOLVE_FAULT_NONE;
    if (!l->is_ending)
        asking->fn(asking->arg, &reply);
    free(asking);
}

void lookup_ask(struct lookup *l, const char *name, enum resolve_family family, lookup_fn fn,
                void *arg)
{
    struct asking *asking = calloc(1, sizeof(*asking));
    if (asking == NULL) {
        struct resolve_reply reply = {.fault = RESOLVE_FAULT_OTHER};
        fn(arg, &reply);
        return;
    }
    renew_channel(l);
    *asking = (struct asking){.lookup = l, .family = family, .fn = fn, .arg = arg};
    l->n_asking++;
    ares_query(l->channel, name, CLASS_IN, family == RESOLVE_IPV4 ? TYPE_A : TYPE_AAAA, on_answer,
               asking);
    program_timer(l);
}
