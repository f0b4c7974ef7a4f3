/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections to backends that speak TLS (BackendTLSPolicy): whom a connection has to meet is the
 * Service's policy, who we are the Gateway's, by whose listener the request came.
 */
#include "base/assert.h"
#include "proxy/proxy_priv.h"

static_assert((unsigned)IMAGE_SANS_PER_TLS_MAX <= TLS_SANS_MAX, "all names can be asked for");
static_assert((unsigned)IMAGE_SAN_BYTES_MAX <= TLS_SAN_BYTES_MAX, "likewise");
static_assert((unsigned)IMAGE_SERVER_NAME_BYTES_MAX <= TLS_SAN_BYTES_MAX, "likewise");

static void take_sans(const struct image_view *v, const struct image_backend_tls *tls,
                      struct secure_backend *ret)
{
    for (uint32_t i = 0; i < tls->n_sans; i++) {
        const struct image_san *san = &v->sans[tls->first_san + i];
        ret->sans[i] = (struct tls_san){.text = image_text(v, san->text),
                                        .is_uri = san->kind == IMAGE_SAN_URI};
    }
}

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
    const struct image_view *v = in->image->view;
    uint32_t index = in->tls;
    if (index == IMAGE_NONE)
        return;
    ASSERT(index < v->n_backend_tls);
    const struct image_backend_tls *tls = &v->backend_tls[index];
    ret->tls = (struct upstream_tls){
        .id = {{tls->id[0], tls->id[1]}},
        .peer = {.server_name = image_text(v, tls->server_name),
                 .trust = in->image->trusts[tls->bundle],
                 .sans = ret->sans,
                 .n_sans = tls->n_sans,
                 .alpn = in->alpn},
    };
    take_sans(v, tls, ret);
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
