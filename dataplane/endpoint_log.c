/* SPDX-License-Identifier: Apache-2.0 */
/* The log of endpoint records; see the header for its form. Thread: housekeeping. */
#include "endpoint_log.h"

#include "base/assert.h"
#include "base/siphash.h"
#include "core/endpoint_table.h"
#include "state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define ENTRY_MAGIC 0x4c454c53u /* "SLEL" */

struct entry_head {
    uint32_t magic;
    uint32_t length;
    uint64_t checksum;
};

static_assert(sizeof(struct entry_head) == 16, "the header's table says 16");

#define RECORD_BYTES_MAX                                                                           \
    (sizeof(struct endpoint_record) + ENDPOINTS_PER_GROUP_MAX * sizeof(struct endpoint))

struct endpoint_log {
    struct state_dir *dir;
    struct endpoint_table *table;
    int fd;
    bool is_dirty;
    uint64_t bytes;                            /* of the file */
    uint64_t bytes_live;                       /* of them, what a rewrite would keep */
    uint32_t entry_bytes[ENDPOINT_GROUPS_MAX]; /* of the group's newest entry; 0: none */
};

static uint64_t entry_checksum(const void *record, uint32_t length)
{
    static const struct siphash_key zero;
    struct siphash_key key = {.k0 = siphash(&zero, &length, sizeof(length))};
    return siphash(&key, record, length);
}

static size_t record_bytes(const struct endpoint_record *record)
{
    return sizeof(*record) + record->count * sizeof(struct endpoint);
}

/* Keeps account of the group's newest entry. */
static void account(struct endpoint_log *l, uint32_t group, uint32_t bytes)
{
    l->bytes += bytes;
    l->bytes_live += bytes;
    l->bytes_live -= l->entry_bytes[group];
    l->entry_bytes[group] = bytes;
}

enum entry_state { ENTRY_GOOD, ENTRY_TORN, ENTRY_BAD };

/* Looks at the entry at `data`; on ENTRY_GOOD `record` holds its record. */
static enum entry_state read_entry(const uint8_t *data, size_t left, struct entry_head *ret_head,
                                   struct endpoint_record *record)
{
    if (left < sizeof(*ret_head))
        return ENTRY_TORN;
    memcpy(ret_head, data, sizeof(*ret_head));
    if (ret_head->magic != ENTRY_MAGIC || ret_head->length > RECORD_BYTES_MAX)
        return ENTRY_BAD;
    if (left - sizeof(*ret_head) < ret_head->length)
        return ENTRY_TORN;
    memcpy(record, data + sizeof(*ret_head), ret_head->length);
    if (entry_checksum(record, ret_head->length) != ret_head->checksum ||
        endpoints_check(record, ret_head->length) != ENDPOINTS_FAULT_OK)
        return ENTRY_BAD;
    return ENTRY_GOOD;
}

/* Puts one record of the log into the table. The log's order counts, not the versions, which begin
 * anew with each manager. */
static bool replay_record(struct endpoint_log *l, const struct endpoint_record *record)
{
    enum endpoints_fault fault;
    endpoint_table_forget_version(l->table, record->group);
    if (!endpoint_table_put(l->table, record, 0, &fault)) {
        endpoint_table_reap(l->table); /* no worker runs yet: all that wait are freed */
        if (!endpoint_table_put(l->table, record, 0, &fault))
            return false;
    }
    return fault == ENDPOINTS_FAULT_OK;
}

/* Takes good entries from the front; false: the rest is not good. */
static bool replay(struct endpoint_log *l, const uint8_t *data, size_t length,
                   struct endpoint_log_found *found)
{
    union {
        struct endpoint_record record;
        uint8_t bytes[RECORD_BYTES_MAX];
    } u;
    for (size_t at = 0; at < length;) {
        struct entry_head head;
        enum entry_state state = read_entry(data + at, length - at, &head, &u.record);
        if (state == ENTRY_GOOD && !replay_record(l, &u.record))
            state = ENTRY_BAD;
        if (state != ENTRY_GOOD) {
            found->is_torn = state == ENTRY_TORN;
            found->is_damaged = state == ENTRY_BAD;
            return false;
        }
        account(l, u.record.group, (uint32_t)sizeof(head) + head.length);
        at += sizeof(head) + head.length;
        found->records++;
    }
    return true;
}

/* Appends one entry to the buffer of a rewrite. */
static size_t put_entry(uint8_t *at, const struct endpoint_group *list, uint64_t version)
{
    struct endpoint_record record = {
        .group = list->group,
        .count = list->count,
        .flags = list->flags,
        .version = version,
        .checksum = endpoints_checksum(list->endpoints, list->count),
    };
    struct entry_head head = {.magic = ENTRY_MAGIC, .length = (uint32_t)record_bytes(&record)};
    uint8_t *body = at + sizeof(head);
    memcpy(body, &record, sizeof(record));
    memcpy(body + sizeof(record), list->endpoints, list->count * sizeof(struct endpoint));
    head.checksum = entry_checksum(body, head.length);
    memcpy(at, &head, sizeof(head));
    return sizeof(head) + head.length;
}

/* Opens the file for appending. */
static bool open_file(struct endpoint_log *l)
{
    if (l->fd >= 0)
        close(l->fd);
    l->fd = openat(state_dir_fd(l->dir), ENDPOINT_LOG_NAME,
                   O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return l->fd >= 0;
}

/* Writes the table as a fresh log in place of the old one. */
static bool rewrite(struct endpoint_log *l)
{
    uint8_t *buffer = malloc(l->bytes_live + 1);
    size_t length = 0;
    if (buffer == NULL)
        return false;
    for (uint32_t group = 0; group < ENDPOINT_GROUPS_MAX; group++) {
        const struct endpoint_group *list = endpoint_group_get(l->table, group);
        if (list != NULL && l->entry_bytes[group] != 0)
            length += put_entry(buffer + length, list, 1);
        ASSERT(length <= l->bytes_live);
    }
    bool is_down = state_file_write(l->dir, ENDPOINT_LOG_NAME, buffer, length);
    free(buffer);
    if (!is_down)
        return false;
    l->bytes = length;
    l->is_dirty = false;
    return open_file(l);
}

/* Replays what is there, and leaves a file that is good to its end. */
static bool load(struct endpoint_log *l, struct endpoint_log_found *found)
{
    void *data;
    size_t length;
    if (!state_file_read(l->dir, ENDPOINT_LOG_NAME, ENDPOINT_LOG_BYTES_MAX, &data, &length)) {
        if (errno == ENOENT)
            return open_file(l);
        found->is_damaged = true;
        state_file_set_aside(l->dir, ENDPOINT_LOG_NAME);
        return open_file(l);
    }
    bool is_good = replay(l, data, length, found);
    state_file_unmap(data, length);
    if (is_good)
        return open_file(l);
    if (found->is_damaged)
        state_file_set_aside(l->dir, ENDPOINT_LOG_NAME);
    return rewrite(l);
}

struct endpoint_log *endpoint_log_open(struct state_dir *d, struct endpoint_table *table,
                                       struct endpoint_log_found *ret_found)
{
    struct endpoint_log *l = calloc(1, sizeof(*l));
    *ret_found = (struct endpoint_log_found){0};
    if (l == NULL)
        return NULL;
    l->dir = d;
    l->table = table;
    l->fd = -1;
    if (!load(l, ret_found)) {
        endpoint_log_close(l);
        return NULL;
    }
    return l;
}

void endpoint_log_close(struct endpoint_log *l)
{
    if (l == NULL)
        return;
    if (l->fd >= 0) {
        endpoint_log_sync(l);
        close(l->fd);
    }
    free(l);
}

/* Cuts off what a failed append has left, so that the next one follows a good entry. */
static void take_back(struct endpoint_log *l)
{
    int fault = errno;
    if (ftruncate(l->fd, (off_t)l->bytes) != 0)
        rewrite(l); /* if that fails too, the next start finds a torn end and drops it */
    errno = fault;
}

bool endpoint_log_append(struct endpoint_log *l, const struct endpoint_record *record)
{
    struct entry_head head = {.magic = ENTRY_MAGIC, .length = (uint32_t)record_bytes(record)};
    head.checksum = entry_checksum(record, head.length);
    struct iovec iov[2] = {{.iov_base = &head, .iov_len = sizeof(head)},
                           {.iov_base = (void *)(uintptr_t)record, .iov_len = head.length}};
    if (writev(l->fd, iov, 2) != (ssize_t)(sizeof(head) + head.length)) {
        take_back(l);
        return false;
    }
    l->is_dirty = true;
    account(l, record->group, (uint32_t)sizeof(head) + head.length);
    if (l->bytes > 2 * l->bytes_live + ENDPOINT_LOG_SLACK_BYTES)
        return rewrite(l);
    return true;
}

bool endpoint_log_sync(struct endpoint_log *l)
{
    if (!l->is_dirty)
        return true;
    l->is_dirty = false;
    return fdatasync(l->fd) == 0;
}
