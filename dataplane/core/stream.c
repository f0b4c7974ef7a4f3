/* SPDX-License-Identifier: Apache-2.0 */
/* What all streams share: names, and the copying move for pairs that have no better way. */
#include "core/stream.h"

#include "base/assert.h"
#include "base/container.h"
#include "base/names.h"

const char *stream_end_name(enum stream_end end)
{
    static const char *const names[] = {STREAM_END_LIST(X_NAME)};
    ASSERT((unsigned)end < array_len(names));
    return names[end];
}

size_t stream_move(struct stream *dst, struct stream *src, size_t bytes_max)
{
    if (dst->ops->move != NULL && dst->ops == src->ops)
        return dst->ops->move(dst, src, bytes_max);
    size_t moved = 0;
    while (moved < bytes_max) {
        struct slice s;
        if (stream_peek(src, &s, 1) == 0)
            break;
        if (s.len > bytes_max - moved)
            s.len = bytes_max - moved;
        size_t taken = stream_write(dst, &s, 1);
        stream_consume(src, taken);
        moved += taken;
        if (taken < s.len)
            break;
    }
    return moved;
}
