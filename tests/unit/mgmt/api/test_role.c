/* SPDX-License-Identifier: Apache-2.0 */
/* The table of rights, said a second time and in other words: per role and resource R, W or
 * nothing, everywhere (RW) or in the token's own namespaces (rw). */
#include "test_api.h"

#include "api/api_priv.h"
#include "unit.h"

#include <string.h>

static const struct {
    const char *group, *plural;
    const char *rights[API_ROLES]; /* provider, operator, developer, controller */
} wanted[] = {
    {"", "namespaces", {"RW", "RW", "", "RW"}},
    {"", "services", {"RW", "RW", "rw", "RW"}},
    {"", "secrets", {"RW", "RW", "", "RW"}},
    {"", "configmaps", {"RW", "RW", "", "RW"}},
    {"", "nodes", {"RW", "R", "", "RW"}},
    {"", "pods", {"RW", "R", "", "RW"}},
    {"discovery.k8s.io", "endpointslices", {"RW", "RW", "rw", "RW"}},
    {"gateway.networking.k8s.io", "gatewayclasses", {"RW", "R", "", "RW"}},
    {"gateway.networking.k8s.io", "gateways", {"RW", "RW", "r", "RW"}},
    {"gateway.networking.k8s.io", "listenersets", {"RW", "RW", "rw", "RW"}},
    {"gateway.networking.k8s.io", "httproutes", {"RW", "RW", "rw", "RW"}},
    {"gateway.networking.k8s.io", "grpcroutes", {"RW", "RW", "rw", "RW"}},
    {"gateway.networking.k8s.io", "tlsroutes", {"RW", "RW", "rw", "RW"}},
    {"gateway.networking.k8s.io", "tcproutes", {"RW", "RW", "rw", "RW"}},
    {"gateway.networking.k8s.io", "udproutes", {"RW", "RW", "rw", "RW"}},
    {"gateway.networking.k8s.io", "referencegrants", {"RW", "RW", "rw", "RW"}},
    {"gateway.networking.k8s.io", "backendtlspolicies", {"RW", "RW", "rw", "RW"}},
    {"sluice.internal", "interfaces", {"RW", "", "", ""}},
    {"sluice.internal", "staticroutes", {"RW", "", "", ""}},
    {"sluice.internal", "clusternetworks", {"RW", "", "", ""}},
    {"sluice.internal", "addresspools", {"RW", "", "", ""}},
    {"sluice.internal", "transportpolicies", {"RW", "RW", "r", "RW"}},
    {"sluice.internal", "healthpolicies", {"RW", "RW", "rw", "RW"}},
    {"sluice.internal", "ratelimits", {"RW", "RW", "rw", "RW"}},
    {"sluice.internal", "accesspolicies", {"RW", "RW", "rw", "RW"}},
    {"sluice.internal", "backends", {"RW", "RW", "rw", "RW"}},
    {"sluice.internal", "dnsroutes", {"RW", "RW", "rw", "RW"}},
    {"sluice.internal", "tokens", {"RW", "", "", ""}},
};

static struct identity identity_of(enum api_role role)
{
    return (struct identity){.role = role, .name = "x", .namespaces = json_pack("[s]", "own")};
}

void each_role_has_just_its_rights(void)
{
    static const enum api_verb reads[] = {VERB_GET, VERB_LIST, VERB_WATCH};
    static const enum api_verb writes[] = {VERB_CREATE, VERB_UPDATE, VERB_PATCH, VERB_DELETE};
    REQUIRE(model_init() == 0);
    for (unsigned role = 0; role < API_ROLES; role++) {
        struct identity who = identity_of((enum api_role)role);
        for (size_t i = 0; i < array_len(wanted); i++) {
            const char *rights = wanted[i].rights[role];
            const struct resource_type *type =
                model_type_find(wanted[i].group, "v1", wanted[i].plural);
            REQUIRE(type != NULL);
            bool reads_own = strchr(rights, 'R') != NULL || strchr(rights, 'r') != NULL;
            bool writes_own = strchr(rights, 'W') != NULL || strchr(rights, 'w') != NULL;
            for (size_t v = 0; v < array_len(reads); v++) {
                CHECK_EQ(role_may(&who, reads[v], type, "own", false), reads_own);
                CHECK_EQ(role_may(&who, reads[v], type, "other", false),
                         strchr(rights, 'R') != NULL);
            }
            for (size_t v = 0; v < array_len(writes); v++) {
                CHECK_EQ(role_may(&who, writes[v], type, "own", false), writes_own);
                CHECK_EQ(role_may(&who, writes[v], type, "other", false),
                         strchr(rights, 'W') != NULL);
            }
            CHECK(!role_may(&who, VERB_NONE, type, "own", false));
        }
        json_decref(who.namespaces);
    }
    model_done();
}

void developer_sees_nothing_without_a_namespace(void)
{
    REQUIRE(model_init() == 0);
    struct identity ana = identity_of(API_DEVELOPER);
    struct identity nobody = {.role = API_DEVELOPER};
    const struct resource_type *type = model_type_find("", "v1", "services");
    CHECK(!role_may(&ana, VERB_LIST, type, "", false));
    CHECK(!role_may(&ana, VERB_WATCH, type, "", false));
    CHECK(!role_may(&nobody, VERB_GET, type, "own", false));
    json_decref(ana.namespaces);
    model_done();
}

void status_is_written_by_provider_and_controller_only(void)
{
    REQUIRE(model_init() == 0);
    const struct resource_type *type =
        model_type_find("gateway.networking.k8s.io", "v1", "httproutes");
    static const bool may[API_ROLES] = {[API_PROVIDER] = true,
                                        [API_OPERATOR] = false,
                                        [API_DEVELOPER] = false,
                                        [API_CONTROLLER] = true};
    for (unsigned role = 0; role < API_ROLES; role++) {
        struct identity who = identity_of((enum api_role)role);
        CHECK_EQ(role_may(&who, VERB_UPDATE, type, "own", true), may[role]);
        CHECK_EQ(role_may(&who, VERB_PATCH, type, "own", true), may[role]);
        CHECK(role_may(&who, VERB_GET, type, "own", true));
        json_decref(who.namespaces);
    }
    model_done();
}
