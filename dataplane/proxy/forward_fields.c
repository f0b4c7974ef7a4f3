/* SPDX-License-Identifier: Apache-2.0 */
/* Which fields of a head go on to the other side: end-to-end ones, as header filters leave them.
 * Pure. */
#include "base/assert.h"
#include "proxy/proxy_priv.h"
#include "route/filter.h"

void field_list_init(struct field_list *l)
{
    l->n = 0; /* and not the fields: that would write kilobytes */
    l->is_full = false;
}

void field_list_add(struct field_list *l, struct slice name, struct slice value)
{
    ASSERT_HOT(name.len > 0);
    if (l->n == array_len(l->fields)) {
        l->is_full = true;
        return;
    }
    l->fields[l->n++] = (struct http_field){name, value};
}

void field_list_drop(struct field_list *l, struct slice name)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        if (!slice_eq_nocase(l->fields[i].name, name))
            l->fields[kept++] = l->fields[i];
    }
    l->n = kept;
}

static bool is_skipped(enum http_known known, const enum http_known *skip, unsigned n_skip)
{
    for (unsigned i = 0; i < n_skip; i++) {
        if (skip[i] == known)
            return true;
    }
    return false;
}

void field_list_take(struct field_list *l, const struct http_head *head,
                     const enum http_known *skip, unsigned n_skip)
{
    for (uint32_t i = 0; i < head->n_fields; i++) {
        if (!head->is_hop[i] && !is_skipped(head->known[i], skip, n_skip))
            field_list_add(l, head->fields[i].name, head->fields[i].value);
    }
}

/* Without those that the filter sets anew or removes. */
static void drop_fields(struct field_list *l, const struct image_view *v,
                        const struct image_filter *filter)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < l->n; i++) {
        if (!route_filter_drops(v, filter, l->fields[i].name))
            l->fields[kept++] = l->fields[i];
    }
    l->n = kept;
}

void field_list_apply(struct field_list *l, const struct image_view *v,
                      const struct image_filter *filter)
{
    if (filter == NULL)
        return;
    drop_fields(l, v, filter);
    for (uint32_t i = 0; i < filter->count; i++) {
        const struct image_header_op *op = &v->header_ops[filter->first + i];
        struct slice name = image_text(v, op->name);
        if (op->kind != IMAGE_HEADER_REMOVE && !http_name_is_reserved(name))
            field_list_add(l, name, image_text(v, op->value));
    }
}
