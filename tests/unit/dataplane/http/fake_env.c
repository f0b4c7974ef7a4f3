/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_env.h. */
#include "fake_env.h"

#include "base/assert.h"

#include <stdlib.h>

static struct http_head_buf *head_get(void *owner)
{
    struct fake_env *e = owner;
    if (e->bufs == e->bufs_max)
        return NULL;
    e->bufs++;
    struct http_head_buf *buf = malloc(sizeof(*buf));
    ASSERT(buf != NULL);
    memset(buf, 0xa5, sizeof(*buf)); /* as a pool gives it: full of something else */
    return buf;
}

static void head_put(void *owner, struct http_head_buf *buf)
{
    struct fake_env *e = owner;
    ASSERT(e->bufs > 0);
    e->bufs--;
    free(buf);
}

static void on_fault(void *owner, enum http_fault fault, bool is_backend)
{
    struct fake_env *e = owner;
    e->faults[fault]++;
    e->n_faults++;
    e->last_fault = fault;
}

void fake_env_init(struct fake_env *e, unsigned bufs_max)
{
    *e = (struct fake_env){.env = {.head_get = head_get,
                                   .head_put = head_put,
                                   .spare_get = head_get,
                                   .on_fault = on_fault},
                           .bufs_max = bufs_max};
    e->env.owner = e;
}
