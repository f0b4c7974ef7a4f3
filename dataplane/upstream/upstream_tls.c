/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that are secured by TLS, and what they are told apart by. A PROXY protocol header
 * goes before the handshake, in the clear: who reads it stands before whoever ends TLS (HAProxy's
 * proxy-protocol.txt, section 2).
 */
#include "abi/image.h"
#include "base/assert.h"
#include "tls/tls_crypto.h"
#include "upstream/upstream_priv.h"

static_assert((unsigned)IMAGE_SANS_PER_TLS_MAX <= TLS_SANS_MAX, "all names can be asked for");
static_assert((unsigned)IMAGE_SAN_BYTES_MAX <= TLS_SAN_BYTES_MAX, "likewise");
static_assert((unsigned)IMAGE_SERVER_NAME_BYTES_MAX <= TLS_SAN_BYTES_MAX, "likewise");

bool upstream_secure(struct upstream *u, const struct upstream_ask *ask, struct stream **stream)
{
    struct stream *lower = *stream, *top = NULL;
    ASSERT(ask->tls != NULL);
    bool is_told =
        ask->preface.len == 0 || stream_write(lower, &ask->preface, 1) == ask->preface.len;
    if (is_told)
        top = tls_connect_to(u->tls, lower, &u->core->wheel, &ask->tls->peer);
    if (top == NULL) {
        stream_abort(lower);
        stream_release(lower);
        return false;
    }
    tls_use_crypto(top, u->core->crypto);
    *stream = top;
    return true;
}

void upstream_tls_read(const struct image_view *v, const struct tls_trust *const *trusts,
                       uint32_t index, struct tls_san sans[TLS_SANS_MAX], struct upstream_tls *ret)
{
    ASSERT(index < v->n_backend_tls);
    const struct image_backend_tls *tls = &v->backend_tls[index];
    for (uint32_t i = 0; i < tls->n_sans; i++) {
        const struct image_san *san = &v->sans[tls->first_san + i];
        sans[i] = (struct tls_san){.text = image_text(v, san->text),
                                   .is_uri = san->kind == IMAGE_SAN_URI};
    }
    *ret = (struct upstream_tls){
        .id = {{tls->id[0], tls->id[1]}},
        .peer = {.server_name = image_text(v, tls->server_name),
                 .trust = trusts[tls->bundle],
                 .sans = sans,
                 .n_sans = tls->n_sans},
    };
}

bool upstream_conn_is_secured(const struct upstream_conn *c)
{
    static const struct upstream_tls_id none;
    return memcmp(&c->tls, &none, sizeof(none)) != 0;
}

struct upstream_tls_id upstream_tls_of(const struct upstream_ask *ask)
{
    return ask->tls != NULL ? ask->tls->id : (struct upstream_tls_id){{0}};
}

bool upstream_is_asked(const struct upstream_tls_id *tls, const struct upstream_ask *ask)
{
    struct upstream_tls_id wanted = upstream_tls_of(ask);
    return memcmp(tls, &wanted, sizeof(wanted)) == 0;
}
