/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Housekeeping of certificates and private keys: from mgmtd into the ring, and to the disk, so that
 * a restart can serve the last image without mgmtd. What is in memory of ours is not in core dumps
 * and not swapped out. Thread: housekeeping's.
 */
#include "housekeeping_priv.h"
#include "tls/tls_tickets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Best effort: a box without the right to lock memory still serves. */
static void guard(void *data, size_t length)
{
    mlock(data, length);
    madvise(data, length, MADV_DONTDUMP);
}

static void save_keys(struct housekeeping *h, const void *data, size_t length)
{
    if (state_file_write(h->state, KEYS_FILE_NAME, data, length))
        return;
    housekeeping_count(h, STAT_core_state_write_failed);
    housekeeping_report("keys were not written to disk: %s", strerror(errno));
}

/* What the ring took is what holds; the ticket keys come along. */
static void take_tickets(struct housekeeping *h, const void *data)
{
    if (h->tickets != NULL)
        tls_tickets_set(h->tickets, keys_tickets(data),
                        ((const struct keys_header *)data)->tickets);
}

static void refuse(struct housekeeping *h, struct control_peer *peer, const struct control_msg *msg,
                   enum keys_fault fault, uint32_t index, const char *text)
{
    housekeeping_count(h, STAT_core_keys_refused);
    housekeeping_report("keys refused at entry %u: %s", index, text);
    housekeeping_answer(peer, msg, fault, index, 0, text);
}

bool housekeeping_take_keys(struct housekeeping *h, struct control_peer *peer,
                            const struct control_msg *msg, const void *body, int fd)
{
    struct control_keys keys;
    char text[120];
    if (msg->length != sizeof(keys))
        return false;
    memcpy(&keys, body, sizeof(keys));
    void *data = sealed_map(fd, keys.length, KEYS_BYTES_MAX, text, sizeof(text));
    if (data == NULL) {
        refuse(h, peer, msg, KEYS_FAULT_LENGTH, 0, text);
        return true;
    }
    guard(data, keys.length);
    uint32_t index;
    enum keys_fault fault = keyring_begin(h->keys, data, keys.length, &index);
    if (fault != KEYS_FAULT_OK) {
        refuse(h, peer, msg, fault, index, keys_fault_help(fault));
        munmap(data, keys.length);
        return true;
    }
    h->reading =
        (struct keys_reading){.peer = peer, .msg = *msg, .data = data, .length = keys.length};
    control_hold(peer, true);
    return true;
}

static void end_reading(struct housekeeping *h)
{
    munmap(h->reading.data, h->reading.length);
    h->reading = (struct keys_reading){.peer = NULL};
}

void housekeeping_read_keys(struct housekeeping *h)
{
    const struct keys_reading *r = &h->reading;
    uint32_t index;
    enum keys_fault fault;
    if (r->peer == NULL || !keyring_step(h->keys, &fault, &index))
        return;
    control_hold(r->peer, false);
    if (fault != KEYS_FAULT_OK) {
        refuse(h, r->peer, &r->msg, fault, index, keys_fault_help(fault));
    } else {
        take_tickets(h, r->data);
        save_keys(h, r->data, r->length);
        housekeeping_count(h, STAT_core_keys_accepted);
        housekeeping_answer(r->peer, &r->msg, fault, 0, 0, keys_fault_help(fault));
    }
    end_reading(h);
}

void housekeeping_forget_keys(struct housekeeping *h, const struct control_peer *peer)
{
    if (h->reading.peer != peer)
        return;
    keyring_give_up(h->keys);
    end_reading(h);
}

void housekeeping_load_keys(struct housekeeping *h)
{
    void *data;
    size_t length;
    uint32_t index;
    if (!state_file_read(h->state, KEYS_FILE_NAME, KEYS_BYTES_MAX, &data, &length)) {
        if (errno == ENOENT)
            return;
        housekeeping_count(h, STAT_core_state_damaged);
        housekeeping_report("the last keys cannot be read: %s", strerror(errno));
        return;
    }
    guard(data, length);
    enum keys_fault fault = keyring_take(h->keys, data, length, &index);
    if (fault == KEYS_FAULT_OK) {
        take_tickets(h, data);
    } else {
        housekeeping_count(h, STAT_core_state_damaged);
        housekeeping_report("the last keys are refused at entry %u and moved aside: %s", index,
                            keys_fault_help(fault));
        state_file_set_aside(h->state, KEYS_FILE_NAME);
    }
    memset(data, 0, length);
    state_file_unmap(data, length);
}
