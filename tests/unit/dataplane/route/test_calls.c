/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of gRPC: what is one, and which match of GRPCRoutes takes it (GRPCRouteRule.matches). */
#include "base/container.h"
#include "compile/image_builder.h"
#include "route/explain.h"
#include "route/route.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define MANY 40u

/* A match, each in a rule of its own. */
struct wanted {
    const char *path; /* with `is_exact` all of it */
    bool is_exact;
    const char *method;
    const char *header; /* of value "1" */
};

static const struct ip_addr vip = {.bytes = {[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18}};

struct fixture {
    void *data;
    struct image_view v;
};

static void add_match(struct image_builder *b, const struct wanted *w)
{
    const struct image_pair header = {w->header, "1"};
    REQUIRE(
        image_builder_match(b, &(struct image_match_spec){
                                   .path_kind = w->is_exact ? IMAGE_PATH_EXACT : IMAGE_PATH_PREFIX,
                                   .path = w->path,
                                   .method = w->method,
                                   .headers = &header,
                                   .n_headers = w->header != NULL}) == 0);
}

/* A GRPCRoute with these, and an HTTPRoute of the same name and age on a host of its own. */
static void open_matches(struct fixture *f, const struct wanted *list, size_t n)
{
    struct image_builder *b = image_builder_new();
    size_t len;
    struct image_fault_info info;
    static const struct wanted everything = {"/", false, NULL, NULL};
    REQUIRE(b != NULL && image_builder_listener(b, "n/gw/l", "", IMAGE_PROTOCOL_HTTP, 80) == 0);
    REQUIRE(image_builder_bind(b, &vip, 80, 0) == 0);
    REQUIRE(image_builder_route(b, "n/r", 1) == 0);
    REQUIRE(image_builder_rule(b, 0) != IMAGE_NONE);
    add_match(b, &everything);
    REQUIRE(image_builder_attach(b, 0, "pages.example.com") == 0);
    CHECK(image_builder_route(b, "n/r", 1) != 0);
    REQUIRE(image_builder_route_of(b, IMAGE_ROUTE_GRPC, "n/r", 1) == 0);
    for (size_t i = 0; i < n; i++) {
        REQUIRE(image_builder_rule(b, (uint16_t)i) != IMAGE_NONE);
        add_match(b, &list[i]);
    }
    REQUIRE(image_builder_attach(b, 0, "grpc.example.com") == 0);
    CHECK(image_builder_route_of(b, IMAGE_ROUTE_GRPC, "n/r", 1) != 0);
    REQUIRE(image_builder_finish(b, 1, &f->data, &len) == 0);
    CHECK_STR(image_fault_name(image_check(f->data, len, &info)), "OK");
    image_view_init(&f->v, f->data);
    image_builder_free(b);
}

static struct route_request request_of(const struct fixture *f, const char *method,
                                       const char *path)
{
    static const struct route_field fields[] = {{SLICE_LIT("X"), SLICE_LIT("1")}};
    struct route_request request = {.host = SLICE_LIT("grpc.example.com"),
                                    .path = slice_of_str(path),
                                    .method = slice_of_str(method),
                                    .fields = fields,
                                    .n_fields = 1};
    REQUIRE(route_bind_find(&f->v, &vip, 80, &request.bind));
    return request;
}

/* The rule that takes the request; -1: none. */
static int taker(const struct fixture *f, const char *method, const char *path)
{
    struct route_request request = request_of(f, method, path);
    struct route_result result;
    route_match(&f->v, &request, &result);
    return result.outcome == ROUTE_OUTCOME_RULE ? f->v.rules[result.rule].index : -1;
}

TEST(only_a_post_to_a_service_and_its_method_is_a_call)
{
    struct fixture f;
    const struct wanted all = {"/", false, NULL, NULL};
    open_matches(&f, &all, 1);
    CHECK_EQ(taker(&f, "POST", "/a.Service/Method"), 0);
    static const char *const others[] = {"/", "/a", "/a/", "//b", "/a/b/", "/a/b/c", "/a//b", "//"};
    for (size_t i = 0; i < array_len(others); i++)
        CHECK_EQ(taker(&f, "POST", others[i]), -1);
    static const char *const methods[] = {"GET", "OPTIONS", "PUT", "post", "POSTS", ""};
    for (size_t i = 0; i < array_len(methods); i++)
        CHECK_EQ(taker(&f, methods[i], "/a.Service/Method"), -1);
    free(f.data);
}

TEST(a_service_counts_before_a_method_and_that_before_headers)
{
    static const struct wanted list[] = {
        {"/", false, NULL, NULL},       {"/", false, NULL, "x"},
        {"/", false, "Get", NULL},      {"/", false, "Get", "x"},
        {"/a.S", false, NULL, NULL},    {"/a.S", false, NULL, "x"},
        {"/a.S/Put", true, NULL, NULL}, {"/a.S/Put", true, NULL, "absent"},
    };
    struct fixture f;
    open_matches(&f, list, array_len(list));
    CHECK_EQ(taker(&f, "POST", "/a.S/Put"), 6);
    CHECK_EQ(taker(&f, "POST", "/a.S/Get"), 5);
    CHECK_EQ(taker(&f, "POST", "/b.S/Get"), 3);
    CHECK_EQ(taker(&f, "POST", "/b.S/Put"), 1);
    CHECK_EQ(taker(&f, "POST", "/a.s/get"), 1);
    free(f.data);
    open_matches(&f, list, 7); /* without headers that hold at all */
    CHECK_EQ(taker(&f, "POST", "/a.S/Put"), 6);
    free(f.data);
}

TEST(of_many_methods_of_one_path_the_one_that_is_called_is_found)
{
    struct fixture f;
    struct wanted list[MANY];
    char names[MANY][8];
    for (unsigned i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "M%u", i);
        list[i] = (struct wanted){"/", false, i + 1 < MANY ? names[i] : NULL, NULL};
    }
    open_matches(&f, list, MANY);
    REQUIRE(f.v.n_guards > 0);
    for (unsigned i = 0; i < MANY; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/a.Service/M%u", i);
        CHECK_EQ(taker(&f, "POST", path), (int)i);
        CHECK_EQ(taker(&f, names[i], path), -1);
    }
    CHECK_EQ(taker(&f, "POST", "/M1/M1/M1"), -1);
    free(f.data);
}

static void note_loss(void *arg, const struct route_candidate *candidate)
{
    enum route_loss *losses = arg;
    if (candidate->match != IMAGE_NONE)
        losses[candidate->match] = candidate->loss;
}

TEST(what_is_no_call_is_explained)
{
    static const struct wanted list[] = {{"/a.S", false, "Get", NULL}};
    struct fixture f;
    enum route_loss losses[4] = {0};
    struct route_result result;
    open_matches(&f, list, 1);
    REQUIRE(f.v.n_matches == 2);
    uint32_t match = f.v.matches[0].is_grpc ? 0 : 1;
    struct route_request request = request_of(&f, "GET", "/a.S/Get");
    route_explain(&f.v, &request, &result, note_loss, losses);
    CHECK_EQ(losses[match], ROUTE_LOSS_CALL);
    request = request_of(&f, "POST", "/a.S/Put");
    route_explain(&f.v, &request, &result, note_loss, losses);
    CHECK_EQ(losses[match], ROUTE_LOSS_METHOD);
    free(f.data);
}

UNIT_MAIN("route/calls", T(only_a_post_to_a_service_and_its_method_is_a_call),
          T(a_service_counts_before_a_method_and_that_before_headers),
          T(of_many_methods_of_one_path_the_one_that_is_called_is_found),
          T(what_is_no_call_is_explained))
