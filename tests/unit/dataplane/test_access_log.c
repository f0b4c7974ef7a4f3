/* SPDX-License-Identifier: Apache-2.0 */
/* The access log from workers that are only eyes to its file: names are there even when their image
 * goes at once, and what is lost is counted. */
#include "abi/access.h"
#include "abi/observe.h"
#include "access/access_line.h"
#include "compile/image_builder.h"
#include "house.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static struct house house;
static struct reply reply;
static char path[160];
static char text[1 << 20];

static uint64_t fields_of(const char *names)
{
    uint64_t fields = 0;
    CHECK(access_fields_parse(names, &fields));
    return fields;
}

/* With a log of these fields, in the house's directory or in `file`. */
static void up(const char *fields, const char *file)
{
    house_make(&house);
    snprintf(path, sizeof(path), "%s/access.log", house.dir);
    house.access = (struct housekeeping_access){.file = file != NULL ? file : path,
                                                .one_in = 1,
                                                .has_errors = true,
                                                .fields = fields_of(fields)};
    house_start(&house);
    REQUIRE(house.h != NULL);
    for (unsigned i = 0; i < HOUSE_WORKERS; i++)
        obs_poll(&house.eyes[i]);
}

/* Ends it; what the log has then is in `text`. */
static void down(void)
{
    house_stop(&house);
    FILE *file = fopen(path, "r");
    size_t n = 0;
    if (file != NULL) {
        n = fread(text, 1, sizeof(text) - 1, file);
        fclose(file);
    }
    text[n] = '\0';
    remove(path);
    house_remove(&house);
}

/* The worker tells of a request that the first rule of this generation took. False: no room. */
static bool tell_lane(unsigned worker, struct obs_lane *lane, uint64_t generation,
                      uint16_t client_port)
{
    struct obs *eye = &house.eyes[worker];
    REQUIRE(lane != NULL);
    struct access_record *r = obs_take(eye, lane, OBSERVE_RECORD_REQUEST, (uint32_t)sizeof(*r), 42);
    if (r == NULL) {
        obs_lose(lane);
        return false;
    }
    memset((uint8_t *)r + sizeof(r->head), 0, sizeof(*r) - sizeof(r->head));
    r->client_port = client_port;
    r->end = STAT_proxy_end_complete;
    r->generation = generation;
    obs_put(eye, lane, r);
    return true;
}

/* The log's. */
static struct obs_lane *first_lane(unsigned worker)
{
    return obs_lane_next(&house.eyes[worker], OBSERVE_REQUESTS, NULL);
}

static bool tell(unsigned worker, uint64_t generation, uint16_t client_port)
{
    return tell_lane(worker, first_lane(worker), generation, client_port);
}

/* Publishes an image of one listener and one route, whose name is `route`. */
static void publish(int s, uint64_t generation, const char *route)
{
    size_t length;
    void *image;
    struct image_builder *b = image_builder_new();
    uint32_t listener = image_builder_listener(b, "ns/gw/http", "", IMAGE_PROTOCOL_HTTP, 80);
    image_builder_route(b, route, 1);
    image_builder_rule(b, 0);
    image_builder_backend(b, "ns/cart:80", 1, 1);
    image_builder_match(b, &(struct image_match_spec){.path_kind = IMAGE_PATH_PREFIX, .path = "/"});
    image_builder_attach(b, listener, NULL);
    REQUIRE(image_builder_finish(b, generation, &image, &length) == 0);
    image_builder_free(b);
    int fd = house_memfd(image, length, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    struct control_publish body = {.generation = generation, .length = length};
    free(image);
    house_send(&house, s, CONTROL_PUBLISH, 9, &body, sizeof(body), fd);
    close(fd);
    do
        REQUIRE(house_receive(&house, s, &reply));
    while (reply.msg.type != CONTROL_RESULT);
    REQUIRE(reply.body.result.fault == 0);
}

TEST(a_request_is_a_line_with_the_names_of_its_image_even_if_that_goes_at_once)
{
    up("route,generation,client_port", NULL);
    int s = house_manager(&house);
    publish(s, 1, "ns/first");
    house_workers_follow(&house);
    housekeeping_poll(house.h, 0);
    publish(s, 2, "ns/second");
    CHECK(tell(0, 1, 10)); /* by a worker that has yet to move */
    house_workers_follow(&house);
    CHECK(tell(1, 2, 11));
    CHECK_EQ(generation_set_reap(housekeeping_generations(house.h)), 1); /* before anybody looked */
    housekeeping_poll(house.h, 0);
    CHECK_EQ(house_stat(&house, STAT_core_access_lines), 2);
    close(s);
    down();
    CHECK_STR(text, "{\"client_port\":10,\"route\":\"ns/first\",\"generation\":1}\n"
                    "{\"client_port\":11,\"route\":\"ns/second\",\"generation\":2}\n");
}

TEST(the_last_requests_are_written_when_the_process_ends)
{
    up("client_port,listener", NULL);
    int s = house_manager(&house);
    publish(s, 1, "ns/first");
    CHECK(tell(0, 1, 10));
    close(s);
    down();
    CHECK_STR(text, "{\"client_port\":10,\"listener\":\"ns/gw/http\"}\n");
}

TEST(what_housekeeping_was_too_slow_for_is_counted)
{
    up("client_port", NULL);
    uint64_t told = 0;
    while (tell(0, 0, 1))
        told++;
    housekeeping_poll(house.h, 0);
    CHECK_EQ(told, OBS_RING_BYTES_MAX / sizeof(struct access_record));
    CHECK_EQ(house_stat(&house, STAT_core_access_lost_ring), 1);
    CHECK_EQ(house_stat(&house, STAT_core_access_lines), told);
    CHECK(tell(0, 0, 1));
    down();
    CHECK_EQ(strlen(text), (told + 1) * strlen("{\"client_port\":1}\n"));
}

TEST(a_file_that_cannot_be_written_loses_lines_counts_them_and_stops_nothing)
{
    up("client_port,time,local,worker,total_us", "/dev/full");
    for (unsigned i = 0; i < 60; i++) {
        while (tell(0, 0, 1))
            ;
        housekeeping_poll(house.h, 0);
    }
    CHECK(house_stat(&house, STAT_core_access_lost_file) > 0);
    while (house_stat(&house, STAT_core_access_faults) == 0)
        housekeeping_poll(house.h, 1);
    int s = house_manager(&house);
    CHECK_EQ(house_publish(&house, s, 1), 0);
    close(s);
    down();
}

TEST(without_a_file_no_worker_looks)
{
    house_make(&house);
    house_start(&house);
    obs_poll(&house.eyes[0]);
    CHECK(!obs_watches(&house.eyes[0], OBSERVE_REQUESTS));
    down();
}

TEST(who_looks_over_the_socket_gets_the_same_lines)
{
    up("client_port", NULL);
    int s = house_connect(&house);
    struct control_observe request = {.kind = OBSERVE_REQUESTS,
                                      .workers = 1,
                                      .records_max = 1000,
                                      .bytes_max = 100000,
                                      .ms_max = 60000,
                                      .one_in = 1};
    house_send(&house, s, CONTROL_OBSERVE, 5, &request, sizeof(request), -1);
    obs_poll(&house.eyes[0]);
    REQUIRE(house_receive(&house, s, &reply));
    CHECK_EQ(reply.body.result.fault, OBSERVE_FAULT_OK);
    CHECK(tell_lane(0, obs_lane_next(&house.eyes[0], OBSERVE_REQUESTS, first_lane(0)), 0, 77));
    REQUIRE(house_receive(&house, s, &reply));
    CHECK_EQ(reply.msg.type, CONTROL_RECORDS);
    const struct observe_line *l = (const struct observe_line *)reply.body.bytes;
    CHECK_EQ(l->head.type, OBSERVE_RECORD_LINE);
    CHECK_EQ(l->head.bytes, reply.msg.length);
    REQUIRE(l->line_bytes <= reply.msg.length - sizeof(*l));
    snprintf(text, sizeof(text), "%.*s", (int)l->line_bytes, l->line);
    CHECK(strstr(text, "\"client_port\":77,") != NULL && strchr(text, '\n') != NULL);
    CHECK(strstr(text, "\"query\"") == NULL);
    close(s);
    housekeeping_poll(house.h, 0);
    down();
    CHECK_STR(text, ""); /* that record was the other's */
}

TEST(the_log_takes_no_place_of_those_who_look_over_the_socket)
{
    int peers[OBS_PEERS_MAX + 1];
    struct control_observe request = {.kind = OBSERVE_REQUESTS,
                                      .workers = 1,
                                      .records_max = 1,
                                      .bytes_max = 1,
                                      .ms_max = 60000,
                                      .one_in = 1};
    up("time", NULL);
    for (unsigned i = 0; i <= OBS_PEERS_MAX; i++) {
        peers[i] = house_connect(&house);
        house_send(&house, peers[i], CONTROL_OBSERVE, 5, &request, sizeof(request), -1);
        obs_poll(&house.eyes[0]);
        REQUIRE(house_receive(&house, peers[i], &reply));
        CHECK_EQ(reply.body.result.fault,
                 i < OBS_PEERS_MAX ? OBSERVE_FAULT_OK : OBSERVE_FAULT_BUSY);
    }
    for (unsigned i = 0; i <= OBS_PEERS_MAX; i++)
        close(peers[i]);
    housekeeping_poll(house.h, 0);
    down();
}

UNIT_MAIN("dataplane/access_log",
          T(a_request_is_a_line_with_the_names_of_its_image_even_if_that_goes_at_once),
          T(the_last_requests_are_written_when_the_process_ends),
          T(what_housekeeping_was_too_slow_for_is_counted),
          T(a_file_that_cannot_be_written_loses_lines_counts_them_and_stops_nothing),
          T(without_a_file_no_worker_looks), T(who_looks_over_the_socket_gets_the_same_lines),
          T(the_log_takes_no_place_of_those_who_look_over_the_socket))
