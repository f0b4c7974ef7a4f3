/* SPDX-License-Identifier: Apache-2.0 */
/* URLs: through the same parser that reads them from the wire. */
#include "test_api.h"

#include "api/api_priv.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GW "/apis/gateway.networking.k8s.io/v1"

/* What a request's first line means; the code of the refusal, 0 if it was found. */
static int find(const char *method, const char *path, struct target *ret)
{
    static struct api api;
    static struct http_head head;
    uint8_t text[1024];
    struct api_call call = {.api = &api};
    int n = snprintf((char *)text, sizeof(text), "%s %s HTTP/1.1\r\nHost: x\r\n\r\n", method, path);
    REQUIRE(http_parse_request(text, (size_t)n, &head) == HTTP_FAULT_none);
    REQUIRE(params_parse(&call.params, head.query));
    bool found = target_find(&call, &head);
    int code = call.code;
    CHECK_EQ(found, code == 0);
    *ret = call.target;
    call_done(&call);
    return code;
}

void paths_name_their_targets(void)
{
    static const struct {
        const char *method, *path;
        enum target_kind kind;
        enum api_verb verb;
        const char *plural, *namespace_, *name;
        bool is_status;
    } rows[] = {
        {"GET", "/livez", TARGET_HEALTH, VERB_NONE, NULL, "", "", false},
        {"GET", "/version", TARGET_VERSION, VERB_NONE, NULL, "", "", false},
        {"GET", "/api", TARGET_CORE_VERSIONS, VERB_NONE, NULL, "", "", false},
        {"GET", "/apis", TARGET_GROUPS, VERB_NONE, NULL, "", "", false},
        {"GET", "/apis/", TARGET_GROUPS, VERB_NONE, NULL, "", "", false},
        {"GET", "/apis/sluice.internal", TARGET_GROUP, VERB_NONE, NULL, "", "", false},
        {"GET", "/api/v1", TARGET_RESOURCES, VERB_NONE, NULL, "", "", false},
        {"GET", GW, TARGET_RESOURCES, VERB_NONE, NULL, "", "", false},
        {"GET", "/api/v1/namespaces", TARGET_OBJECTS, VERB_LIST, "namespaces", "", "", false},
        {"GET", "/api/v1/namespaces/a", TARGET_OBJECTS, VERB_GET, "namespaces", "", "a", false},
        {"PUT", "/api/v1/namespaces/a/status", TARGET_OBJECTS, VERB_UPDATE, "namespaces", "", "a",
         true},
        {"GET", "/api/v1/namespaces/a/services", TARGET_OBJECTS, VERB_LIST, "services", "a", "",
         false},
        {"HEAD", "/api/v1/namespaces/a/services/b", TARGET_OBJECTS, VERB_GET, "services", "a", "b",
         false},
        {"GET", "/api/v1/services?watch=1", TARGET_OBJECTS, VERB_WATCH, "services", "", "", false},
        {"GET", "/api/v1/services?watch=false", TARGET_OBJECTS, VERB_LIST, "services", "", "",
         false},
        {"POST", GW "/namespaces/a/httproutes", TARGET_OBJECTS, VERB_CREATE, "httproutes", "a", "",
         false},
        {"PATCH", GW "/namespaces/a/httproutes/b/status", TARGET_OBJECTS, VERB_PATCH, "httproutes",
         "a", "b", true},
        {"DELETE", GW "/gatewayclasses/b", TARGET_OBJECTS, VERB_DELETE, "gatewayclasses", "", "b",
         false},
        {"POST", "/apis/sluice.internal/v1/changesets", TARGET_CHANGESET, VERB_NONE, NULL, "", "",
         false},
    };
    REQUIRE(model_init() == 0);
    for (size_t i = 0; i < array_len(rows); i++) {
        struct target t;
        CHECK_EQ(find(rows[i].method, rows[i].path, &t), 0);
        CHECK_EQ(t.kind, rows[i].kind);
        CHECK_EQ(t.verb, rows[i].verb);
        CHECK_STR(t.type != NULL ? t.type->plural : "",
                  rows[i].plural != NULL ? rows[i].plural : "");
        CHECK_STR(t.namespace_, rows[i].namespace_);
        CHECK_STR(t.name, rows[i].name);
        CHECK_EQ(t.is_status, rows[i].is_status);
    }
    model_done();
}

void paths_that_are_none_are_not_found(void)
{
    static const char *const paths[] = {"/",
                                        "/x",
                                        "/api/v2",
                                        "/apis/x",
                                        "/apis/x/v1",
                                        GW "/x",
                                        "/api/v1/httproutes",
                                        "/api/v1/services/a",
                                        "/api/v1/namespaces/a/namespaces",
                                        "/api/v1/namespaces/a/x",
                                        "/api/v1/namespaces/a/services/b/c",
                                        "/api/v1/namespaces/a/services/b/status/d",
                                        "/api/v1/namespaces/a/secrets/b/status",
                                        GW "/namespaces/a/gatewayclasses",
                                        GW "/namespaces/a/httproutes/%20",
                                        "/livez/x",
                                        "/apis/sluice.internal/v1/changesets/x",
                                        "/1/2/3/4/5/6/7/8/9/10",
                                        "*"};
    REQUIRE(model_init() == 0);
    for (size_t i = 0; i < array_len(paths); i++) {
        struct target t;
        bool is_star = paths[i][0] == '*';
        CHECK_EQ(find(is_star ? "OPTIONS" : "GET", paths[i], &t), 404);
        CHECK_EQ(t.kind, TARGET_UNKNOWN);
    }
    char path[NAME_BYTES + 64] = "/api/v1/namespaces/";
    struct target t;
    memset(path + strlen(path), 'a', NAME_BYTES);
    path[19 + NAME_BYTES] = '\0';
    CHECK_EQ(find("GET", path, &t), 404);
    model_done();
}

void methods_that_do_not_fit_are_405(void)
{
    static const char *const rows[][2] = {
        {"POST", "/api/v1/services"},
        {"POST", "/api/v1/namespaces/a/services/b"},
        {"PUT", "/api/v1/namespaces/a/services"},
        {"DELETE", "/api/v1/namespaces/a/services"},
        {"DELETE", "/api/v1/namespaces/a/services/b/status"},
        {"OPTIONS", "/api/v1/namespaces/a/services"},
        {"TRACE", "/version"},
        {"POST", "/apis"},
        {"GET", "/apis/sluice.internal/v1/changesets"},
    };
    REQUIRE(model_init() == 0);
    for (size_t i = 0; i < array_len(rows); i++) {
        struct target t;
        CHECK_EQ(find(rows[i][0], rows[i][1], &t), 405);
    }
    model_done();
}

void queries_are_decoded(void)
{
    struct api_params p;
    REQUIRE(params_parse(&p, SLICE_LIT("a=1&b=x%3Dy%2c+z&c&&d==&watch=true&e=%e2%82%ac")));
    CHECK_STR(params_get(&p, "a"), "1");
    CHECK_STR(params_get(&p, "b"), "x=y, z");
    CHECK_STR(params_get(&p, "c"), "");
    CHECK_STR(params_get(&p, "d"), "=");
    CHECK_STR(params_get(&p, "e"), "\xe2\x82\xac");
    CHECK(params_get(&p, "f") == NULL);
    CHECK(params_is_true(&p, "watch") && params_is_true(&p, "a") && !params_is_true(&p, "c"));
    params_done(&p);
}

void broken_queries_are_refused(void)
{
    static const char *const bad[] = {"a=%", "a=%1", "a=%zz", "%00=a", "a=%00"};
    for (size_t i = 0; i < array_len(bad); i++) {
        struct api_params p;
        CHECK(!params_parse(&p, slice_of_str(bad[i])));
        params_done(&p);
    }
    char many[4 * API_PARAMS_MAX + 8] = "";
    for (unsigned i = 0; i <= API_PARAMS_MAX; i++)
        strcat(many, "a=b&");
    struct api_params p;
    CHECK(!params_parse(&p, slice_of_str(many)));
    params_done(&p);
}
