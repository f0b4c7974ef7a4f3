/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a BackendTLSPolicy says (GEP-1897), as spec.tls of a Backend does, and the Gateways by which
 * its Services are reached: they are what its status speaks of. A policy without a valid CA decides
 * nevertheless, and nobody may connect: not in the clear, either.
 */
#include "attach/attach_priv.h"

#include "base/assert.h"
#include "tls/digest.h"

#include <string.h>

#define PARTS_MAX (2u + 2u * IMAGE_SANS_PER_TLS_MAX) /* of what a digest is made of */

/* What connections are told apart by: all that they depend on, each part with its length. */
static void derive_id(struct plan_backend_tls *tls)
{
    uint32_t lengths[PARTS_MAX];
    struct slice parts[2 * PARTS_MAX];
    uint32_t n = 0;
    uint8_t digest[DIGEST_BYTES];
    struct slice texts[PARTS_MAX];
    texts[n++] = slice_of_str(tls->hostname);
    texts[n++] = slice_of(&tls->bundle.id, sizeof(tls->bundle.id));
    for (uint32_t i = 0; i < tls->n_sans; i++) {
        texts[n++] = slice_of_str(tls->sans[i].is_uri ? "URI" : "Hostname");
        texts[n++] = slice_of_str(tls->sans[i].text);
    }
    ASSERT(n <= PARTS_MAX);
    for (uint32_t i = 0; i < n; i++) {
        lengths[i] = (uint32_t)texts[i].len;
        parts[2 * i] = slice_of(&lengths[i], sizeof(lengths[i]));
        parts[2 * i + 1] = texts[i];
    }
    bool is_done = digest_sha256(parts, 2 * n, digest);
    ASSERT(is_done);
    memcpy(tls->id, digest, sizeof(tls->id));
}

/* The names that are good; without any, the one that is asked for. */
static void read_sans(struct attach *a, const json_t *list, struct plan_backend_tls *tls)
{
    struct plan_san *sans = ARENA_ARRAY(a->arena, struct plan_san, json_array_size(list) + 1);
    size_t i;
    const json_t *san;
    json_array_foreach(list, i, san)
    {
        bool is_uri = strcmp(text_at(san, "type"), "URI") == 0;
        if (tls->n_sans < IMAGE_SANS_PER_TLS_MAX) {
            sans[tls->n_sans++] = (struct plan_san){
                .text = text_at(san, is_uri ? "uri" : "hostname"), .is_uri = is_uri};
        }
    }
    if (tls->n_sans == 0) {
        sans[tls->n_sans++] = (struct plan_san){.text = tls->hostname};
    }
    tls->sans = sans;
}

/* The CAs that come with the box. */
static void read_well_known(struct attach *a, const char *place, const char *which,
                            struct at_secured *ret)
{
    if (strcmp(which, "System") != 0) {
        ret->unmet =
            VERDICT("False", "Invalid",
                    arena_printf(a->arena, "%s.wellKnownCACertificates: %s is not known, System is",
                                 place, which));
    } else if (a->system_cas.len == 0) {
        ret->unmet =
            VERDICT("False", "Invalid",
                    arena_printf(a->arena, "%s.wellKnownCACertificates: this box has none", place));
    } else {
        ret->tls.bundle = (struct plan_bundle){.name = "System", .pem = a->system_cas};
        authority_name(&ret->tls.bundle);
    }
}

void secured_read(struct attach *a, const struct at_meta *meta, const char *kind, const char *place,
                  const json_t *validation, struct at_secured *ret)
{
    const char *well_known = text_at(validation, "wellKnownCACertificates");
    const struct authority_reading in = {
        .kind = kind,
        .namespace = meta->namespace,
        .place = arena_printf(a->arena, "%s.caCertificateRefs", place),
        .reason_of_kind = "InvalidKind",
    };
    struct verdict fault = {0};
    ret->tls.name = meta->full_name;
    ret->tls.hostname = text_at(validation, "hostname");
    read_sans(a, json_object_get(validation, "subjectAltNames"), &ret->tls);
    ret->resolved = VERDICT("True", "ResolvedRefs", "all references are resolved");
    if (well_known[0] != '\0') {
        read_well_known(a, place, well_known, ret);
    } else if (!authority_read(a, &in, json_object_get(validation, "caCertificateRefs"),
                               &ret->tls.bundle, &fault)) {
        ret->unmet = VERDICT("False", "NoValidCACertificate", fault.message);
    }
    if (fault.reason != NULL) {
        ret->resolved = fault;
    }
    derive_id(&ret->tls);
}

void policy_tls_read(struct attach *a, struct at_policy *p)
{
    secured_read(a, &p->meta, "BackendTLSPolicy", "spec.validation",
                 at_path(p->meta.obj, "spec", "validation"), &p->secured);
}

/* ---- the Gateways ---- */

static void add_gateway(struct at_group *g, const struct at_gateway *gateway)
{
    for (uint32_t i = 0; i < g->n_gateways; i++) {
        if (g->gateways[i] == gateway) {
            return;
        }
    }
    if (g->n_gateways < AT_GROUP_GATEWAYS_MAX) {
        g->gateways[g->n_gateways++] = gateway;
    }
}

static void add_route(const struct at_route *r)
{
    for (uint32_t i = 0; i < r->n_parents; i++) {
        const struct at_parent *p = &r->parents[i];
        bool is_gateway = p->gateway != NULL && p->gateway->class != NULL;
        if (!is_gateway || strcmp(p->accepted.status, "True") != 0) {
            continue;
        }
        for (const struct at_use *use = r->uses; use != NULL; use = use->next) {
            add_gateway(use->group, p->gateway);
        }
    }
}

void policy_tls_find_gateways(struct attach *a)
{
    if (a->tls_policies.n == 0) {
        return;
    }
    for (uint32_t i = 0; i < AT_GROUP_BUCKETS; i++) {
        for (struct at_group *g = a->groups[i]; g != NULL; g = g->next) {
            g->n_gateways = 0;
        }
    }
    for (uint32_t i = 0; i < a->n_routes; i++) {
        add_route(a->routes[i]);
    }
}
