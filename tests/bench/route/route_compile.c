/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs mgmtd to make a route image of a store with many routes, from nothing and after
 * one change. The store is a real one, on disk; the dataplane is a socket that takes the image and
 * checks it as the real one does.
 *
 *   compile_full   the objects in the store -> the image's bytes: what they mean (attach_run()) and
 *                  compile_image(), with nothing known from before, regular expressions neither
 *   one_changed    a route's path is another -> commit -> the image is with the dataplane, checked
 *   one_endpoint   an endpoint is another -> commit -> its record is with the dataplane
 *
 * Where the first takes seconds (regular expressions, which Hyperscan compiles) it is done once,
 * and the others are left out.
 *
 * Times are the process's CPU time, so that a busy machine does not matter, and that of the
 * processes that compiled for it once they have ended: they do within compile_full, which forgets
 * all it knew, and not within the others. `_wall` has what passed, with the disk's part.
 *
 * usage: route_compile OBJECTS IMAGE    prints `name value` lines, and writes the image
 */
#include "abi/image.h"
#include "compile/compile.h"
#include "compile/regex_cache.h"
#include "fake_dataplane.h"
#include "loop/loop.h"
#include "reconcile/reconcile.h"
#include "reconcile/reconcile_priv.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define ROUTE "httproutes.gateway.networking.k8s.io"
#define SLICE "endpointslices.discovery.k8s.io"
#define NS "table"
#define PUT_AT_ONCE 10000u
#define FULL_RUNS 3u
#define FULL_LONG_MS 5000.0 /* one run is enough, and nothing is changed then */
#define CHANGES 15u

static const char *objects_path, *image_path;
static char dir[64];
static struct loop *loop;
static struct store *store;
static struct reconcile *reconcile;
static struct fake_dataplane dataplane;

struct times {
    double cpu_ms;
    double wall_ms;
};

static double clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static struct times times_now(void)
{
    struct rusage ended;
    REQUIRE(getrusage(RUSAGE_CHILDREN, &ended) == 0);
    double children_ms = (double)(ended.ru_utime.tv_sec + ended.ru_stime.tv_sec) * 1e3 +
                         (double)(ended.ru_utime.tv_usec + ended.ru_stime.tv_usec) / 1e3;
    return (struct times){clock_ms(CLOCK_PROCESS_CPUTIME_ID) + children_ms,
                          clock_ms(CLOCK_MONOTONIC)};
}

static struct times times_since(struct times began)
{
    struct times now = times_now();
    return (struct times){now.cpu_ms - began.cpu_ms, now.wall_ms - began.wall_ms};
}

static int compare_doubles(const void *x, const void *y)
{
    const double *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

/* The median, and how far they lie apart. */
static void tell(const char *name, double *values, uint32_t n)
{
    qsort(values, n, sizeof(values[0]), compare_doubles);
    printf("%s %.3f %.3f\n", name, values[n / 2],
           values[n / 2] > 0 ? (values[n - 1] - values[0]) / values[n / 2] : 0);
    fflush(stdout);
}

static void tell_times(const char *name, const struct times *times, uint32_t n)
{
    double cpu[CHANGES], wall[CHANGES];
    char text[64];
    REQUIRE(n <= CHANGES);
    for (uint32_t i = 0; i < n; i++) {
        cpu[i] = times[i].cpu_ms;
        wall[i] = times[i].wall_ms;
    }
    snprintf(text, sizeof(text), "%s_ms", name);
    tell(text, cpu, n);
    snprintf(text, sizeof(text), "%s_wall_ms", name);
    tell(text, wall, n);
}

/* ---- the objects ---- */

static void put(struct store_txn *txn, json_t *object)
{
    char resource[RESOURCE_NAME_BYTES_MAX];
    const struct resource_type *type =
        model_type_find_kind(json_string_value(json_object_get(object, "apiVersion")),
                             json_string_value(json_object_get(object, "kind")));
    static struct model_errors errors;
    REQUIRE(type != NULL);
    REQUIRE(model_normalize(type, object) == 0 && model_default(type, object) == 0);
    memset(&errors, 0, sizeof(errors));
    if (model_validate(type, object, NULL, &errors) != 0)
        fprintf(stderr, "%s: %s\n", errors.items[0].field, errors.items[0].message);
    REQUIRE(errors.n == 0);
    REQUIRE(store_put(txn, resource_name(type->stored, resource), object, NULL) == 0);
}

static void put_all(void)
{
    json_t *list = json_load_file(objects_path, 0, NULL);
    json_t *items = json_object_get(list, "items");
    struct store_txn *txn = NULL;
    REQUIRE(items != NULL);
    for (size_t i = 0; i < json_array_size(items); i++) {
        if (txn == NULL)
            REQUIRE(store_begin(store, &txn) == 0);
        put(txn, json_array_get(items, i));
        if ((i + 1) % PUT_AT_ONCE == 0 || i + 1 == json_array_size(items)) {
            REQUIRE(store_commit(txn) == 0);
            txn = NULL;
        }
    }
    json_decref(list);
}

/* A copy of the object of that name, to be changed. */
static json_t *copy_of(const char *resource, const char *name)
{
    json_t *object = store_get(store, resource, NS, name);
    REQUIRE(object != NULL);
    return json_deep_copy(object);
}

static void commit(const char *resource, json_t *object)
{
    struct store_txn *txn;
    REQUIRE(store_begin(store, &txn) == 0);
    REQUIRE(store_put(txn, resource, object, NULL) == 0);
    REQUIRE(store_commit(txn) == 0);
    json_decref(object);
}

/* ---- from nothing ---- */

/* The whole way from the store to an image, `*ret_length` bytes of it. */
static void *compile_all(struct times *ret_attach, size_t *ret_length)
{
    static const char *const ports[] = {"p0"};
    struct regex_cache *patterns = regex_cache_new();
    struct object_source source = store_source(store);
    struct attach_input in = {
        .source = &source, .is_pattern = regex_cache_check, .is_pattern_arg = patterns};
    struct attach *attach;
    struct times began = times_now();
    REQUIRE(attach_run(&in, &attach) == 0);
    *ret_attach = times_since(began);
    const struct plan *plan = attach_plan(attach);
    uint32_t *ids = calloc(plan->n_groups + 1, sizeof(*ids));
    REQUIRE(ids != NULL);
    for (uint32_t i = 0; i < plan->n_groups; i++)
        ids[i] = i;
    struct compile_input input = {.plan = plan,
                                  .patterns = patterns,
                                  .group_ids = ids,
                                  .port_names = ports,
                                  .n_ports = 1,
                                  .generation = 1};
    void *image;
    REQUIRE(compile_image(&input, &image, ret_length) == 0);
    free(ids);
    attach_free(attach);
    regex_cache_free(patterns);
    return image;
}

/* False: it took long. */
static bool compile_full(void)
{
    struct times all[FULL_RUNS], attach[FULL_RUNS], check[FULL_RUNS];
    void *image = NULL;
    size_t length = 0;
    uint32_t n = 0;
    do {
        free(image);
        struct times began = times_now();
        image = compile_all(&attach[n], &length);
        all[n] = times_since(began);
        began = times_now();
        CHECK_EQ(image_check(image, length, NULL), IMAGE_FAULT_OK);
        check[n++] = times_since(began);
    } while (n < FULL_RUNS && all[0].cpu_ms < FULL_LONG_MS);
    tell_times("compile_full", all, n);
    tell_times("attach_run", attach, n);
    tell_times("image_check", check, n);
    FILE *f = fopen(image_path, "wb");
    REQUIRE(f != NULL && fwrite(image, 1, length, f) == length && fclose(f) == 0);
    printf("image_bytes %zu\n", length);
    free(image);
    return all[0].cpu_ms < FULL_LONG_MS;
}

/* ---- after a change ---- */

/* Route 0 gets another path. */
static void change_route(unsigned n)
{
    char path[64];
    json_t *route = copy_of(ROUTE, "route-0");
    json_t *rules = json_object_get(json_object_get(route, "spec"), "rules");
    json_t *matches = json_object_get(json_array_get(rules, 0), "matches");
    snprintf(path, sizeof(path), "/changed-%u", n);
    json_object_set_new(json_object_get(json_array_get(matches, 0), "path"), "value",
                        json_string(path));
    commit(ROUTE, route);
}

/* Service 0 gets another endpoint. */
static void change_endpoint(unsigned n)
{
    char address[32];
    json_t *slice = copy_of(SLICE, "svc-0-ipv4");
    json_t *endpoint = json_array_get(json_object_get(slice, "endpoints"), 0);
    snprintf(address, sizeof(address), "198.18.1.%u", 100 + n);
    json_array_set_new(json_object_get(endpoint, "addresses"), 0, json_string(address));
    commit(SLICE, slice);
}

/* Nothing is due any more, and mgmtd has rested from it (mgmt/reconcile/pace.h): a change that
 * comes behind many others waits for that, one alone does not. */
static void rest(void)
{
    struct reconcile_state before, after;
    fake_serve(&dataplane, dataplane.generation);
    do {
        reconcile_state(reconcile, &before);
        for (unsigned i = 0; i < 10; i++) {
            fake_rounds(&dataplane, 1);
            usleep(before.run_us_last < 100000 ? 1000 : 30000);
        }
        reconcile_state(reconcile, &after);
    } while (after.runs != before.runs);
    usleep(4 * (useconds_t)after.run_us_last);
}

static void one_changed(void)
{
    struct times took[CHANGES];
    for (unsigned i = 0; i < CHANGES; i++) {
        rest();
        uint64_t before = dataplane.generation;
        struct times began = times_now();
        change_route(i);
        fake_wait_image(&dataplane, before);
        took[i] = times_since(began);
    }
    tell_times("compile_one_changed", took, CHANGES);
}

static void one_endpoint(void)
{
    struct times took[CHANGES];
    for (unsigned i = 0; i < CHANGES; i++) {
        rest();
        unsigned before = dataplane.records;
        struct times began = times_now();
        change_endpoint(i);
        FAKE_WAIT(&dataplane, dataplane.records > before);
        took[i] = times_since(began);
    }
    tell_times("one_endpoint", took, CHANGES);
}

/* mgmtd begins beside a dataplane that serves nothing. */
static void start(void)
{
    struct times began = times_now();
    struct reconcile_config config = {.loop = loop, .store = store, .run_dir = dir};
    REQUIRE(reconcile_new(&config, &reconcile) == 0);
    fake_welcome(&dataplane, 0, 0);
    fake_wait_image(&dataplane, 0);
    struct times took = times_since(began);
    tell_times("start", &took, 1);
    rest();
}

TEST(images_are_made)
{
    char command[128];
    const char *error;
    snprintf(dir, sizeof(dir), "/tmp/sluice-bench-route-XXXXXX");
    REQUIRE(mkdtemp(dir) != NULL);
    REQUIRE(model_init() == 0 && loop_new(&loop) == 0);
    fake_open(&dataplane, loop, dir);
    REQUIRE(store_open(dir, &store, &error) == 0);
    put_all();
    if (compile_full()) {
        start();
        one_changed();
        one_endpoint();
        reconcile_free(reconcile);
    }
    store_close(store);
    fake_close(&dataplane, dir);
    loop_free(loop);
    model_done();
    snprintf(command, sizeof(command), "rm -r %s", dir);
    CHECK_EQ(system(command), 0);
}

int main(int argc, char **argv)
{
    static const struct unit_test test = T(images_are_made);
    if (argc != 3)
        return 2;
    objects_path = argv[1];
    image_path = argv[2];
    return unit_run("bench/route/route_compile", &test, 1, 1, argv);
}
