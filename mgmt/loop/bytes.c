/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of bytes.h. Memory is held only while there is content: idle connections cost little. */
#include "loop/bytes.h"

#include "base/assert.h"

#include <stdlib.h>

bool bytes_reserve(struct bytes *b)
{
    if (b->memory == NULL)
        b->memory = malloc(BYTES_CAPACITY);
    return b->memory != NULL;
}

void bytes_drop(struct bytes *b)
{
    free(b->memory);
    *b = (struct bytes){0};
}

size_t bytes_room(const struct bytes *b)
{
    ASSERT_HOT(b->n <= BYTES_CAPACITY);
    return BYTES_CAPACITY - b->n;
}

unsigned bytes_peek(const struct bytes *b, struct slice ret[2])
{
    if (b->n == 0)
        return 0;
    size_t first = BYTES_CAPACITY - b->at;
    if (first >= b->n) {
        ret[0] = slice_of(b->memory + b->at, b->n);
        return 1;
    }
    ret[0] = slice_of(b->memory + b->at, first);
    ret[1] = slice_of(b->memory, b->n - first);
    return 2;
}

unsigned bytes_space(const struct bytes *b, struct iovec ret[2])
{
    ASSERT(b->memory != NULL);
    size_t room = bytes_room(b);
    size_t from = (b->at + b->n) % BYTES_CAPACITY;
    if (room == 0)
        return 0;
    size_t first = BYTES_CAPACITY - from < room ? BYTES_CAPACITY - from : room;
    ret[0] = (struct iovec){b->memory + from, first};
    ret[1] = (struct iovec){b->memory, room - first};
    return first < room ? 2 : 1;
}

void bytes_added(struct bytes *b, size_t n)
{
    ASSERT(n <= bytes_room(b));
    b->n += n;
}

void bytes_consume(struct bytes *b, size_t n)
{
    ASSERT(n <= b->n);
    b->at = (b->at + n) % BYTES_CAPACITY;
    b->n -= n;
    if (b->n == 0)
        bytes_drop(b);
}

size_t bytes_append(struct bytes *b, struct slice s)
{
    struct iovec space[2];
    unsigned parts = bytes_space(b, space);
    size_t taken = 0;
    for (unsigned i = 0; i < parts && taken < s.len; i++) {
        size_t n = s.len - taken < space[i].iov_len ? s.len - taken : space[i].iov_len;
        memcpy(space[i].iov_base, s.ptr + taken, n);
        taken += n;
    }
    bytes_added(b, taken);
    return taken;
}
