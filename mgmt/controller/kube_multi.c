/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl's multi interface in the loop: its sockets, its timer, and what has ended. */
#include "controller/kube_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* Connections that are kept for later: those of calls, with some to spare. */
#define KEPT_CONNECTIONS_MAX 64L

void kube_mark_ready(struct kube_transfer *t)
{
    if (!list_is_linked(&t->ready_link))
        list_push_back(&t->kube->ready, &t->ready_link);
    loop_task_program(t->kube->loop, &t->kube->kick);
}

/* What libcurl has finished becomes OVER. */
static void take_finished(struct kube *k)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(k->multi, &left)) != NULL) {
        struct kube_transfer *t = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        t->code = message->data.result;
        t->state = TRANSFER_OVER;
        curl_multi_remove_handle(k->multi, t->easy);
        kube_mark_ready(t);
    }
}

/* Tells the owners of what is ready; what becomes ready meanwhile is told, too. */
static void settle(struct kube *k)
{
    struct list_node *node;
    take_finished(k);
    while ((node = list_take_front(&k->ready)) != NULL)
        kube_transfer_tell(container_of(node, struct kube_transfer, ready_link));
    kube_start_waiting(k);
}

static void on_kick(struct loop_task *task)
{
    struct kube *k = container_of(task, struct kube, kick);
    int running;
    curl_multi_socket_action(k->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    settle(k);
}

static void on_timer(struct wheel_timer *timer, uint64_t now_us)
{
    struct kube *k = container_of(timer, struct kube, timer);
    on_kick(&k->kick);
}

static void on_ready(struct loop_io *io, uint32_t ready)
{
    struct kube_socket *s = container_of(io, struct kube_socket, io);
    struct kube *k = s->kube;
    int bits = 0;
    int running;
    if (ready & (EPOLLIN | EPOLLHUP))
        bits |= CURL_CSELECT_IN;
    if (ready & EPOLLOUT)
        bits |= CURL_CSELECT_OUT;
    if (ready & EPOLLERR)
        bits |= CURL_CSELECT_ERR;
    curl_multi_socket_action(k->multi, io->fd, bits, &running);
    settle(k);
}

static void drop_socket(struct kube_socket *s)
{
    if (s->io.loop != NULL)
        loop_io_remove(&s->io);
    list_remove(&s->link);
    free(s);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct kube *k = arg;
    struct kube_socket *s = socket_arg;
    uint32_t wanted = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (what == CURL_POLL_REMOVE) {
        curl_multi_assign(k->multi, fd, NULL);
        if (s != NULL)
            drop_socket(s);
        return 0;
    }
    if (s != NULL)
        return loop_io_want(&s->io, wanted) == 0 ? 0 : -1;
    s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -1;
    s->kube = k;
    s->io.on_ready = on_ready;
    list_push_back(&k->sockets, &s->link);
    if (loop_io_add(k->loop, &s->io, fd, wanted) != 0) {
        drop_socket(s);
        return -1;
    }
    curl_multi_assign(k->multi, fd, s);
    return 0;
}

static int on_timeout(CURLM *multi, long timeout_ms, void *arg)
{
    struct kube *k = arg;
    loop_timer_disarm(k->loop, &k->timer);
    if (timeout_ms == 0)
        loop_task_program(k->loop, &k->kick);
    else if (timeout_ms > 0)
        loop_timer_arm(k->loop, &k->timer, (uint64_t)timeout_ms * 1000);
    return 0;
}

int kube_multi_new(struct kube *k)
{
    k->timer.on_expire = on_timer;
    k->kick.run = on_kick;
    k->multi = curl_multi_init();
    if (k->multi == NULL)
        return -ENOMEM;
    curl_multi_setopt(k->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(k->multi, CURLMOPT_SOCKETDATA, k);
    curl_multi_setopt(k->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
    curl_multi_setopt(k->multi, CURLMOPT_TIMERDATA, k);
    curl_multi_setopt(k->multi, CURLMOPT_MAXCONNECTS, KEPT_CONNECTIONS_MAX);
    curl_multi_setopt(k->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    return 0;
}

void kube_multi_free(struct kube *k)
{
    if (k->multi != NULL)
        curl_multi_cleanup(k->multi);
    for (struct list_node *node; (node = list_peek_front(&k->sockets)) != NULL;)
        drop_socket(container_of(node, struct kube_socket, link));
    loop_timer_disarm(k->loop, &k->timer);
    loop_task_cancel(k->loop, &k->kick);
}

int kube_multi_add(struct kube *k, struct kube_transfer *t)
{
    if (curl_multi_add_handle(k->multi, t->easy) != CURLM_OK)
        return -ENOMEM;
    t->state = TRANSFER_ACTIVE;
    list_push_back(&k->active, &t->link);
    return 0;
}
