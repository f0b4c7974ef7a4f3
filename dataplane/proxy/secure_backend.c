/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to backends that speak TLS (BackendTLSPolicy): whom a connection has to meet is the
 * Service's policy, who we are the Gateway's, by whose listener the request came.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

/* Who we are there: nobody, unless the Gateway has a certificate for it. */
static void take_identity(const struct proxy_image *image, uint32_t listener,
                          struct secure_backend *ret)
{
    const struct image_view *v = image->view;
    uint32_t identity = v->listeners[listener].identity;
    if (identity == IMAGE_NONE)
        return;
    static_assert(sizeof(struct keys_id) == 2 * sizeof(uint64_t), "it is half of the id");
    memcpy(&ret->tls.id.v[2], &v->identities[identity].id, sizeof(struct keys_id));
    ret->tls.peer.identity = image->identities[identity];
}

void secure_backend(const struct secure_backend_ask *in, struct upstream_ask *ask,
                    struct secure_backend *ret)
{
    if (in->tls == IMAGE_NONE)
        return;
    upstream_tls_read(in->image->view, in->image->trusts, in->tls, ret->sans, &ret->tls);
    ret->tls.peer.alpn = in->alpn;
    take_identity(in->image, in->listener, ret);
    ask->tls = &ret->tls;
    ask->preface = conn_header_write(in->client, ask->header, ret->header);
}

void secure_backend_of(const struct exchange *e, uint32_t tls, struct upstream_ask *ask,
                       struct secure_backend *ret)
{
    bool is_h2 = ask->protocol == IMAGE_BACKEND_HTTP2;
    secure_backend(&(struct secure_backend_ask){.client = e->client,
                                                .image = &e->image,
                                                .listener = e->route.listener,
                                                .tls = tls,
                                                .alpn = is_h2 ? "h2" : "http/1.1"},
                   ask, ret);
}
