/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of how connections to backends are secured. */
#include "abi/image_check.h"

bool image_is_server_name(struct slice name)
{
    return name.len > 0 && name.len <= IMAGE_SERVER_NAME_BYTES_MAX && name.ptr[0] != '*' &&
           image_is_text(name, IMAGE_TEXT_HOST);
}

bool image_is_san(struct slice text, uint32_t kind)
{
    if (text.len == 0 || text.len > IMAGE_SAN_BYTES_MAX)
        return false;
    if (kind == IMAGE_SAN_HOST)
        return image_is_text(text, IMAGE_TEXT_HOST);
    return kind == IMAGE_SAN_URI && image_is_text(text, IMAGE_TEXT_NAME);
}

enum image_fault image_local_san(const struct image_view *v, uint32_t i)
{
    const struct image_san *e = &v->sans[i];
    if (e->kind != IMAGE_SAN_HOST && e->kind != IMAGE_SAN_URI)
        return IMAGE_FAULT_VALUE;
    enum image_fault fault = image_check_text(v, e->text, IMAGE_TEXT_NAME);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    return image_is_san(image_text(v, e->text), e->kind) ? IMAGE_FAULT_OK : IMAGE_FAULT_TEXT;
}

enum image_fault image_local_backend_tls(const struct image_view *v, uint32_t i)
{
    const struct image_backend_tls *e = &v->backend_tls[i];
    if (e->reserved != 0)
        return IMAGE_FAULT_RESERVED;
    if (e->n_sans == 0 || e->n_sans > IMAGE_SANS_PER_TLS_MAX)
        return IMAGE_FAULT_VALUE;
    if (e->bundle >= v->n_bundles || !image_is_range(e->first_san, e->n_sans, v->n_sans))
        return IMAGE_FAULT_INDEX;
    enum image_fault fault = image_check_text(v, e->name, IMAGE_TEXT_NAME);
    if (fault == IMAGE_FAULT_OK)
        fault = image_check_text(v, e->server_name, IMAGE_TEXT_HOST);
    if (fault != IMAGE_FAULT_OK)
        return fault;
    return image_is_server_name(image_text(v, e->server_name)) ? IMAGE_FAULT_OK : IMAGE_FAULT_TEXT;
}

enum image_fault image_cross_backend_tls(const struct image_view *v, uint32_t i)
{
    const struct image_backend_tls *e = &v->backend_tls[i];
    uint32_t expected = i == 0 ? 0 : e[-1].first_san + e[-1].n_sans;
    return e->first_san == expected ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}

enum image_fault image_whole_backend_tls(const struct image_view *v)
{
    uint32_t end = 0;
    if (v->n_backend_tls != 0)
        end = v->backend_tls[v->n_backend_tls - 1].first_san +
              v->backend_tls[v->n_backend_tls - 1].n_sans;
    return end == v->n_sans ? IMAGE_FAULT_OK : IMAGE_FAULT_OWNER;
}
