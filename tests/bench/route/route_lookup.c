/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a match costs on an image: requests of all routes in a random order, as the proxy asks. The
 * image and the requests come from files (route_compile, table.py), so that callgrind sees little
 * else.
 *
 * A worker begins the matches of all requests that one poll brings and then ends them
 * (exchanges_route()), here BURST at a time: with 100 connections that are never idle a poll that
 * does anything brings 10, with 32 of them 5, with 256 of them 27. Once more they are matched at
 * once, each by itself.
 *
 * Time is measured a burst at a time and the median is told: on a machine that others use those
 * that were interrupted do not count. What is told is how it goes on, not how it begins: all
 * requests are made once before the clock runs, so that no line is read for the first time. The
 * request lies in a place of its own, as one that the parser has just read does; all requests lie
 * close together in the order in which they are made, for a worker has no list of them that takes
 * room in the caches. Once as fast as it goes, and once behind other work: a worker does 25,000
 * instructions between two matches, which go through connections, buffers and tables, so that what
 * a match needs has mostly left the near caches until the next one comes, with few routes as with
 * many.
 *
 * usage: route_lookup IMAGE REQUESTS LOOKUPS    prints `route_match_ns NANOSECONDS`,
 * `route_match_at_once_ns NANOSECONDS` for each by itself, and `route_match_work_ns NANOSECONDS`
 * for the burst behind other work
 */
#include "base/rng.h"
#include "core/pages.h"
#include "route/route.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TEXT_BYTES_MAX 128u
#define LINE_BYTES 64u
#define BURST 8u
#define WORK_LINES 512u        /* that a worker touches for a request, in sum 32 KiB */
#define WORK_BYTES (64u << 20) /* of connections and buffers; another part each time */

static const char *image_path, *requests_path;
static uint32_t n_lookups;

/* A request in its own place. */
struct asked {
    char host[TEXT_BYTES_MAX];
    char path[TEXT_BYTES_MAX];
};

/* All requests in the order in which they are made: host and path, each with its NUL. */
struct script {
    char *text;
    size_t bytes;
    size_t at; /* of the next */
    uint32_t n;
};

static void *file_load(const char *path, size_t *ret_len)
{
    FILE *f = fopen(path, "rb");
    REQUIRE(f != NULL && fseek(f, 0, SEEK_END) == 0);
    size_t len = (size_t)ftell(f);
    rewind(f);
    void *data = pages_map(len); /* as the dataplane does, see image_intake_copy() */
    REQUIRE(data != NULL && fread(data, 1, len, f) == len);
    fclose(f);
    *ret_len = len;
    return data;
}

static struct asked *requests_load(uint32_t *ret_n)
{
    FILE *f = fopen(requests_path, "r");
    struct asked *list = NULL, next;
    uint32_t n = 0, room = 0;
    REQUIRE(f != NULL);
    while (fscanf(f, "%127s %127s", next.host, next.path) == 2) {
        if (n == room) {
            room = room == 0 ? 1024 : 2 * room;
            list = realloc(list, room * sizeof(*list));
            REQUIRE(list != NULL);
        }
        list[n++] = next;
    }
    fclose(f);
    REQUIRE(n > 0);
    *ret_n = n;
    return list;
}

static void append(struct script *s, const char *text)
{
    size_t bytes = strlen(text) + 1;
    memcpy(s->text + s->bytes, text, bytes);
    s->bytes += bytes;
}

/* The requests of the file, shuffled. */
static struct script script_load(void)
{
    struct script s = {.n = 0};
    struct asked *list = requests_load(&s.n);
    struct rng rng = {s.n};
    s.text = malloc((size_t)s.n * sizeof(*list));
    REQUIRE(s.text != NULL);
    for (uint32_t left = s.n; left > 0; left--) {
        uint32_t chosen = rng_below(&rng, left);
        append(&s, list[chosen].host);
        append(&s, list[chosen].path);
        list[chosen] = list[left - 1];
    }
    free(list);
    return s;
}

static void next_text(struct script *s, char *to)
{
    size_t bytes = strlen(s->text + s->at) + 1;
    memcpy(to, s->text + s->at, bytes);
    s->at += bytes;
}

/* The next request; behind the last comes the first. */
static void script_next(struct script *s, struct asked *ret)
{
    if (s->at == s->bytes)
        s->at = 0;
    next_text(s, ret->host);
    next_text(s, ret->path);
}

static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static int compare_times(const void *x, const void *y)
{
    const double *a = x, *b = y;
    return *a < *b ? -1 : *a > *b;
}

static double median(double *values, uint32_t n)
{
    qsort(values, n, sizeof(*values), compare_times);
    return values[n / 2];
}

/* What looking at the clock takes. */
static double clock_ns(void)
{
    double took[1001];
    for (unsigned i = 0; i < 1001; i++) {
        double began = now_ns();
        took[i] = now_ns() - began;
    }
    return median(took, 1001);
}

/* Writes to lines that nobody touched for long; NULL: there is no other work. */
static void work(uint8_t *memory)
{
    static uint32_t at;
    for (unsigned i = 0; memory != NULL && i < WORK_LINES; i++) {
        memory[at]++;
        at = (at + LINE_BYTES) % WORK_BYTES;
    }
}

/* The next request like that one, whose texts are in `asked`. */
static struct route_request next_request(const struct route_request *like, struct script *script,
                                         struct asked *asked)
{
    struct route_request request = *like;
    script_next(script, asked);
    request.host = slice_of_str(asked->host);
    request.path = slice_of_str(asked->path);
    return request;
}

/* Nanoseconds that it takes by itself. */
static double one_by_itself(const struct image_view *v, const struct route_request *like,
                            struct script *script)
{
    struct asked asked;
    struct route_request request = next_request(like, script, &asked);
    struct route_result result;
    double began = now_ns();
    route_match(v, &request, &result);
    double took = now_ns() - began;
    CHECK_EQ(result.outcome, ROUTE_OUTCOME_RULE);
    return took;
}

/* Nanoseconds that the next BURST take, all in all. */
static double one_burst(const struct image_view *v, const struct route_request *like,
                        struct script *script)
{
    struct asked asked[BURST];
    struct route_request requests[BURST];
    struct route_ahead ahead[BURST];
    struct route_result results[BURST];
    for (unsigned i = 0; i < BURST; i++)
        requests[i] = next_request(like, script, &asked[i]);
    double began = now_ns();
    for (unsigned i = 0; i < BURST; i++)
        route_look_ahead(v, &requests[i], &ahead[i]);
    for (unsigned i = 0; i < BURST; i++)
        route_match_ahead(v, &requests[i], &ahead[i], &results[i]);
    double took = now_ns() - began;
    for (unsigned i = 0; i < BURST; i++)
        CHECK_EQ(results[i].outcome, ROUTE_OUTCOME_RULE);
    return took;
}

typedef double (*timed)(const struct image_view *v, const struct route_request *like,
                        struct script *script);

/* Nanoseconds that `n` matches take which `fn` does at a time. */
static double measure(const struct image_view *v, const struct route_request *like,
                      struct script *script, timed fn, uint32_t n, uint8_t *memory)
{
    uint32_t times = n_lookups / n;
    double *took = calloc(times, sizeof(*took));
    REQUIRE(took != NULL && times > 0);
    for (uint32_t i = 0; i < times; i++) {
        work(memory);
        took[i] = fn(v, like, script);
    }
    double ns = median(took, times) - clock_ns();
    free(took);
    return ns / n;
}

TEST(requests_find_their_routes)
{
    size_t len;
    char fault[128];
    struct image_view v;
    struct route_patterns *patterns;
    void *image = file_load(image_path, &len);
    struct script script = script_load();
    REQUIRE(image_check(image, len, NULL) == IMAGE_FAULT_OK);
    image_view_init(&v, image);
    REQUIRE(v.n_binds == 1);
    REQUIRE(route_patterns_new(&v, 1, &patterns, fault, sizeof(fault)));
    struct route_request like = {
        .bind = 0, .method = slice_of_str("GET"), .reader = {.patterns = patterns, .number = 0}};
    uint8_t *memory = calloc(1, WORK_BYTES);
    REQUIRE(memory != NULL);
    for (uint32_t i = 0; i < script.n; i++)
        one_by_itself(&v, &like, &script);
    printf("route_match_ns %.1f\n", measure(&v, &like, &script, one_burst, BURST, NULL));
    printf("route_match_at_once_ns %.1f\n", measure(&v, &like, &script, one_by_itself, 1, NULL));
    printf("route_match_work_ns %.1f\n", measure(&v, &like, &script, one_burst, BURST, memory));
    free(memory);
    route_patterns_free(patterns);
    pages_unmap(image, len);
    free(script.text);
}

int main(int argc, char **argv)
{
    static const struct unit_test test = T(requests_find_their_routes);
    if (argc != 4)
        return 2;
    image_path = argv[1];
    requests_path = argv[2];
    n_lookups = (uint32_t)strtoul(argv[3], NULL, 10);
    return unit_run("bench/route/route_lookup", &test, 1, 1, argv);
}
