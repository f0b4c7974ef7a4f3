/* SPDX-License-Identifier: Apache-2.0 */
/* BgpPeers of the view, and what is wrong with them. The objects are valid: the model checked
 * them. */
#include "routing/view_priv.h"

#include "model/text.h"
#include "store/resource.h"

#include <stdlib.h>
#include <string.h>

static bool is_link_local(const struct ip_addr *a)
{
    return a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

static bool refuse(struct routing_peer *p, const char *reason, const char *message)
{
    p->reason = reason;
    p->message = message;
    return false;
}

/* What TCP's MD5 signature takes and BIRD's quotes hold: no quotes, nothing that cannot be seen. */
static bool is_password(const char *text)
{
    size_t n = strlen(text);
    for (size_t i = 0; i < n; i++) {
        if (text[i] <= ' ' || text[i] > '~' || text[i] == '"') {
            return false;
        }
    }
    return n > 0 && n <= ROUTING_PASSWORD_BYTES_MAX;
}

static bool read_password(const struct store *store, const json_t *ref, struct routing_peer *p)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    const json_t *secret = store_get(store, resource_name(model_type(MODEL_SECRET), resource),
                                     text_at(ref, "namespace"), text_at(ref, "name"));
    const json_t *data = json_object_get(secret, "data");
    const char *base64 = json_string_value(json_object_get(data, text_at(ref, "key")));
    char *password = base64 != NULL ? text_base64_decode(base64) : NULL;
    bool is_good = password != NULL && is_password(password);
    if (is_good) {
        strcpy(p->password, password);
    }
    if (password != NULL) {
        explicit_bzero(password, strlen(password));
    }
    free(password);
    if (base64 == NULL) {
        return refuse(p, "RefNotFound",
                      "the Secret, or its key, of passwordSecretRef is not there");
    }
    return is_good || refuse(p, "InvalidPassword",
                             "a password has 1 to 80 visible ASCII characters without quotes");
}

static void read_communities(const json_t *list, struct bird_peer *b)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        unsigned high;
        unsigned low;
        if (sscanf(json_string_value(item), "%5u:%5u", &high, &low) == 2) {
            b->communities[b->n_communities][0] = (uint16_t)high;
            b->communities[b->n_communities++][1] = (uint16_t)low;
        }
    }
}

static bool has_large_community(const json_t *list)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        unsigned high = 0;
        unsigned low = 0;
        if (sscanf(json_string_value(item), "%5u:%5u", &high, &low) == 2 &&
            (high > UINT16_MAX || low > UINT16_MAX)) {
            return true;
        }
    }
    return false;
}

/* The numbers of the spec. */
static void read_numbers(const json_t *spec, struct bird_peer *b)
{
    const json_t *bfd = json_object_get(spec, "bfd");
    b->peer_asn = view_number(spec, "peerASN");
    b->local_asn = view_number(spec, "localASN");
    b->hold_s = view_number(spec, "holdTimeSeconds");
    b->retry_s = view_number(spec, "connectRetrySeconds");
    b->multihop = view_number(spec, "multihop");
    b->prepend = view_number(spec, "prepend");
    b->has_local_preference = json_object_get(spec, "localPreference") != NULL;
    b->local_preference = view_number(spec, "localPreference");
    b->has_med = json_object_get(spec, "multiExitDiscriminator") != NULL;
    b->med = view_number(spec, "multiExitDiscriminator");
    b->bfd_ms = view_number(bfd, "intervalMilliseconds");
    b->bfd_multiplier = view_number(bfd, "multiplier");
    read_communities(json_object_get(spec, "communities"), b);
}

static void mask(struct ip_addr *addr, unsigned length)
{
    for (unsigned bit = length + (ip_addr_is_v4(addr) ? 96u : 0u); bit < 128; bit++) {
        addr->bytes[bit / 8] &= (uint8_t) ~(0x80u >> (bit % 8));
    }
}

static void read_accepts(const json_t *accept, struct bird_peer *b)
{
    size_t i;
    const json_t *item;
    b->accept_limit = view_number(accept, "limit");
    json_array_foreach(json_object_get(accept, "prefixes"), i, item)
    {
        struct bird_accept a = {0};
        unsigned length;
        if (b->n_accepts == BIRD_ACCEPTS_MAX ||
            !text_parse_cidr(text_at(item, "prefix"), &a.prefix, &length)) {
            return;
        }
        const json_t *most = json_object_get(item, "maxLength");
        mask(&a.prefix, length);
        a.length = (uint8_t)length;
        a.max_length = most != NULL ? (uint8_t)json_integer_value(most)
                                    : (ip_addr_is_v4(&a.prefix) ? 32 : 128);
        b->accepts[b->n_accepts++] = a;
    }
}

/* The address that speaks to the peer. */
static bool read_local(const struct walk *w, const json_t *spec, struct routing_peer *p,
                       struct bird_peer *b)
{
    struct view_local s = {.neighbour = &b->address, .interface = text_at(spec, "interface")};
    view_find_local(w->store, &s);
    if (is_link_local(&b->address)) {
        if (s.link[0] == '\0') {
            return refuse(p, "NoInterface", "a link-local address needs the Interface it is on");
        }
        memcpy(p->link, s.link, sizeof(p->link));
        b->link = p->link;
        return true; /* it is spoken to from the link's own address */
    }
    if (ip_addr_is_zero(&s.found)) {
        return refuse(p, "NoAddress", "no Interface has an address of the peer's family");
    }
    if (b->multihop == 0 && s.length == 0) {
        return refuse(p, "NotOnLink", "the peer is in no Interface's prefix; it needs multihop");
    }
    b->local = s.found;
    return true;
}

static bool read_peer(const struct walk *w, const json_t *object, struct routing_peer *p,
                      struct bird_peer *b)
{
    const json_t *spec = json_object_get(object, "spec");
    const json_t *secret = json_object_get(spec, "passwordSecretRef");
    if (!ip_addr_parse(text_at(spec, "address"), &b->address)) {
        return refuse(p, "InvalidAddress", "address is none");
    }
    if (strlen(p->name) > BIRD_PEER_NAME_MAX) {
        return refuse(p, "NameTooLong", "BIRD takes names of 58 characters");
    }
    if (has_large_community(json_object_get(spec, "communities"))) {
        return refuse(p, "InvalidCommunity", "each part of a community is at most 65535");
    }
    read_numbers(spec, b);
    if (!read_local(w, spec, p, b) || (secret != NULL && !read_password(w->store, secret, p))) {
        return false;
    }
    read_accepts(json_object_get(spec, "accept"), b);
    p->accept_limit = b->accept_limit;
    b->name = p->name;
    b->password = secret != NULL ? p->password : NULL;
    return true;
}

bool view_add_peer(void *arg, json_t *object)
{
    const struct walk *w = arg;
    struct routing_view *v = w->v;
    const json_t *metadata = json_object_get(object, "metadata");
    if (v->n_all == ROUTING_PEERS_MAX) {
        return false;
    }
    struct routing_peer *p = &v->all[v->n_all++];
    struct bird_peer b = {0};
    *p = (struct routing_peer){.name = text_at(metadata, "name"),
                               .generation =
                                   json_integer_value(json_object_get(metadata, "generation"))};
    if (read_peer(w, object, p, &b)) {
        v->peers[v->bird.n_peers++] = b;
    }
    return true;
}
