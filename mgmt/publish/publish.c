/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The manager's connection: a queue of messages, flushed as the socket takes them, and the answers.
 * Owner: the daemon; thread: the loop's; bound: one waiting message a group and one image.
 */
#include "publish/publish.h"

#include "base/assert.h"
#include "loop/loop.h"
#include "publish/control_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

#define RUN_DIR_BYTES_MAX 100u /* what fits a sockaddr_un with the socket's name */
#define NO_GROUP UINT32_MAX
#define ANSWERS_PER_ROUND 64u /* so that a talkative dataplane cannot starve the API */
static_assert(PUBLISH_UNANSWERED_MAX <= ANSWERS_PER_ROUND, "a round reads all that may come");

/* A message that waits for room in the socket. */
struct pending {
    struct list_node link;
    enum control_type type;
    uint32_t group; /* NO_GROUP: not a record */
    uint32_t length;
    int fd; /* -1: none; else ours */
    _Alignas(8) uint8_t body[];
};

struct publish {
    struct loop *loop;
    struct publish_upcalls upcalls;
    struct loop_io io;
    struct wheel_timer retry;
    struct list_node queue;
    uint64_t next_id;
    uint64_t next_version; /* of records: the dataplane compares within one connection */
    uint32_t n_unanswered; /* messages that an answer comes to */
    struct pending *image; /* that waits; NULL: none */
    struct pending *keys;  /* likewise */
    struct pending *records[ENDPOINT_GROUPS_MAX]; /* that wait, by group */
    bool is_open;                                 /* the socket is; HELLO was queued */
    bool is_welcome;
    char run_dir[RUN_DIR_BYTES_MAX];
    struct control_received received; /* too large for the stack's taste */
};

/* Where the message that waits about that subject is noted; NULL: nowhere, all are sent. */
static struct pending **note_of(struct publish *p, enum control_type type, uint32_t group)
{
    if (type == CONTROL_PUBLISH)
        return &p->image;
    if (type == CONTROL_KEYS)
        return &p->keys;
    return group != NO_GROUP ? &p->records[group] : NULL;
}

/* Takes a message off the queue; NULL is fine. */
static void drop(struct publish *p, struct pending *m)
{
    if (m == NULL)
        return;
    struct pending **note = note_of(p, m->type, m->group);
    ASSERT(note == NULL || *note == m);
    if (note != NULL)
        *note = NULL;
    list_remove(&m->link);
    if (m->fd >= 0)
        close(m->fd);
    free(m);
}

static void drop_queue(struct publish *p)
{
    struct list_node *node;
    while ((node = list_peek_front(&p->queue)) != NULL)
        drop(p, container_of(node, struct pending, link));
}

static void disconnect(struct publish *p)
{
    bool was_welcome = p->is_welcome;
    if (p->is_open) {
        loop_io_remove(&p->io);
        close(p->io.fd);
    }
    p->is_open = false;
    p->is_welcome = false;
    drop_queue(p);
    loop_timer_arm(p->loop, &p->retry, PUBLISH_RETRY_US);
    if (was_welcome)
        p->upcalls.on_disconnected(p->upcalls.owner);
}

/* May another message go? Answers that nobody reads would fill the other end, which then hangs up:
 * so with thousands of records, and a dataplane that is as fast as we are. */
static bool may_ask(const struct publish *p)
{
    return p->n_unanswered < PUBLISH_UNANSWERED_MAX;
}

/* Sends what the socket and the answers that are due take. False: the connection is gone. */
static bool flush(struct publish *p)
{
    struct list_node *node;
    while (may_ask(p) && (node = list_peek_front(&p->queue)) != NULL) {
        struct pending *m = container_of(node, struct pending, link);
        int result = control_send(p->io.fd, m->type, p->next_id, m->body, m->length, m->fd);
        if (result == -EAGAIN)
            break;
        if (result != 0)
            return false;
        p->next_id++;
        p->n_unanswered++;
        drop(p, m);
    }
    bool has_more = may_ask(p) && !list_is_empty(&p->queue);
    uint32_t wanted = EPOLLIN | (has_more ? EPOLLOUT : 0);
    return loop_io_want(&p->io, wanted) == 0;
}

/* A message with room for `length` bytes of body, already in the queue, in place of an older one
 * about the same. */
static struct pending *enqueue(struct publish *p, enum control_type type, uint32_t group,
                               uint32_t length)
{
    struct pending *m = calloc(1, sizeof(*m) + length);
    if (m == NULL)
        return NULL;
    struct pending **note = note_of(p, type, group);
    if (note != NULL) {
        drop(p, *note);
        *note = m;
    }
    m->type = type;
    m->group = group;
    m->length = length;
    m->fd = -1;
    list_push_back(&p->queue, &m->link);
    return m;
}

/* The first message that waits makes the socket be watched for room; the loop then flushes. */
static int want_flush(struct publish *p)
{
    return loop_io_want(&p->io, EPOLLIN | EPOLLOUT);
}

static void answered(struct publish *p)
{
    if (p->n_unanswered > 0)
        p->n_unanswered--;
}

static void on_welcome(struct publish *p, const struct control_received *r)
{
    struct control_welcome welcome;
    memcpy(&welcome, r->body, sizeof(welcome));
    p->is_welcome = true;
    answered(p);
    p->upcalls.on_connected(p->upcalls.owner, &welcome, r->fd);
}

static void on_result(struct publish *p, const struct control_received *r)
{
    struct control_result result;
    memcpy(&result, r->body, sizeof(result));
    result.text[sizeof(result.text) - 1] = '\0';
    answered(p);
    if (result.fault != 0)
        p->upcalls.on_refused(p->upcalls.owner, &result);
}

static void on_generation(struct publish *p, const struct control_received *r)
{
    struct control_generation generation;
    memcpy(&generation, r->body, sizeof(generation));
    p->upcalls.on_generation(p->upcalls.owner, generation.generation);
}

/* Handles one answer. False: the dataplane speaks something else than we do. */
static bool handle_answer(struct publish *p, const struct control_received *r)
{
    static const struct {
        uint32_t length;
        void (*handle)(struct publish *p, const struct control_received *r);
    } answers[] = {
        [CONTROL_WELCOME] = {sizeof(struct control_welcome), on_welcome},
        [CONTROL_RESULT] = {sizeof(struct control_result), on_result},
        [CONTROL_GENERATION] = {sizeof(struct control_generation), on_generation},
    };
    uint16_t type = r->msg.type;
    bool is_known = type < array_len(answers) && answers[type].handle != NULL &&
                    r->msg.length == answers[type].length;
    if (is_known)
        answers[type].handle(p, r);
    if (r->fd >= 0)
        close(r->fd);
    return is_known;
}

static void on_ready(struct loop_io *io, uint32_t ready)
{
    struct publish *p = container_of(io, struct publish, io);
    int result = 0;
    for (unsigned i = 0; i < ANSWERS_PER_ROUND && result == 0 && p->is_open; i++) {
        result = control_receive(p->io.fd, &p->received);
        if (result == 0 && !handle_answer(p, &p->received))
            result = -EPROTO;
    }
    if (!p->is_open)
        return;
    if ((result != 0 && result != -EAGAIN) || !flush(p))
        disconnect(p);
}

static void try_connect(struct publish *p)
{
    int fd = control_connect(p->run_dir);
    if (fd < 0) {
        loop_timer_arm(p->loop, &p->retry, PUBLISH_RETRY_US);
        return;
    }
    p->io = (struct loop_io){.on_ready = on_ready};
    if (loop_io_add(p->loop, &p->io, fd, EPOLLIN | EPOLLOUT) != 0) {
        close(fd);
        loop_timer_arm(p->loop, &p->retry, PUBLISH_RETRY_US);
        return;
    }
    p->is_open = true;
    p->next_version = 1;
    p->n_unanswered = 0;
    struct control_hello hello = {.role = CONTROL_MANAGER, .pid = (uint32_t)getpid()};
    struct pending *m = enqueue(p, CONTROL_HELLO, NO_GROUP, sizeof(hello));
    if (m == NULL)
        disconnect(p);
    else
        memcpy(m->body, &hello, sizeof(hello));
}

static void on_retry(struct wheel_timer *timer, uint64_t now_us)
{
    try_connect(container_of(timer, struct publish, retry));
}

int publish_new(struct loop *loop, const char *run_dir, const struct publish_upcalls *upcalls,
                struct publish **ret)
{
    struct publish *p = calloc(1, sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    int n = snprintf(p->run_dir, sizeof(p->run_dir), "%s", run_dir);
    if (n < 0 || (size_t)n >= sizeof(p->run_dir)) {
        free(p);
        return -ENAMETOOLONG;
    }
    p->loop = loop;
    p->upcalls = *upcalls;
    p->next_id = 1;
    p->retry.on_expire = on_retry;
    list_init(&p->queue);
    loop_timer_arm(loop, &p->retry, 0);
    *ret = p;
    return 0;
}

void publish_free(struct publish *p)
{
    if (p == NULL)
        return;
    p->is_welcome = false; /* no upcall: the owner is the one who ends it */
    disconnect(p);
    loop_timer_disarm(p->loop, &p->retry);
    free(p);
}

bool publish_is_connected(const struct publish *p)
{
    return p->is_welcome;
}

/* The bytes in a memfd that nobody can change any more; or a negative errno. */
static int sealed_memfd(const char *name, const void *data, size_t len)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    const uint8_t *from = data;
    size_t done = 0;
    while (done < len) {
        ssize_t n = write(fd, from + done, len - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (done < len ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0) {
        int result = errno != 0 ? -errno : -EIO;
        close(fd);
        return result;
    }
    return fd;
}

/* Queues a message that a memfd with these bytes goes with. */
static int enqueue_sealed(struct publish *p, enum control_type type, const void *body,
                          uint32_t body_bytes, const char *name, const void *data, size_t len)
{
    if (!p->is_welcome)
        return -ENOTCONN;
    int fd = sealed_memfd(name, data, len);
    if (fd < 0)
        return fd;
    struct pending *m = enqueue(p, type, NO_GROUP, body_bytes);
    if (m == NULL) {
        close(fd);
        return -ENOMEM;
    }
    m->fd = fd;
    memcpy(m->body, body, body_bytes);
    return want_flush(p);
}

int publish_image(struct publish *p, uint64_t generation, const void *image, size_t len)
{
    struct control_publish body = {.generation = generation, .length = len};
    return enqueue_sealed(p, CONTROL_PUBLISH, &body, sizeof(body), "sluice-image", image, len);
}

int publish_keys(struct publish *p, const void *keys, size_t len)
{
    struct control_keys body = {.length = len};
    return enqueue_sealed(p, CONTROL_KEYS, &body, sizeof(body), "sluice-keys", keys, len);
}

void publish_flush(struct publish *p)
{
    if (p->is_open && !flush(p))
        disconnect(p);
}

int publish_endpoints(struct publish *p, uint32_t group, uint16_t flags,
                      const struct endpoint *endpoints, uint32_t count)
{
    if (!p->is_welcome)
        return -ENOTCONN;
    if (group >= ENDPOINT_GROUPS_MAX || count > ENDPOINTS_PER_GROUP_MAX)
        return -EINVAL;
    size_t list_bytes = count * sizeof(*endpoints);
    struct endpoint_record record = {.group = group,
                                     .count = (uint16_t)count,
                                     .flags = flags,
                                     .version = p->next_version++,
                                     .checksum = endpoints_checksum(endpoints, count)};
    struct pending *m =
        enqueue(p, CONTROL_ENDPOINTS, group, (uint32_t)(sizeof(record) + list_bytes));
    if (m == NULL)
        return -ENOMEM;
    memcpy(m->body, &record, sizeof(record));
    if (count > 0)
        memcpy(m->body + sizeof(record), endpoints, list_bytes);
    return want_flush(p);
}
