/* SPDX-License-Identifier: Apache-2.0 */
/* See house.h. */
#include "house.h"

#include "compile/image_builder.h"
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static uint64_t house_now_us(void)
{
    return 1000000;
}

void house_make(struct house *house)
{
    *house = (struct house){.h = NULL};
    strcpy(house->dir, "/tmp/sluice-house-XXXXXX");
    REQUIRE(mkdtemp(house->dir) != NULL);
}

void house_start(struct house *house)
{
    house->telemetry = telemetry_new(HOUSE_WORKERS, 0);
    house->rcu = rcu_new(HOUSE_WORKERS);
    house->endpoints = endpoint_table_new(house->rcu);
    house->obs = obs_hub_new(HOUSE_WORKERS);
    for (unsigned i = 0; i < HOUSE_WORKERS; i++)
        obs_join(house->obs, i, &house->eyes[i]);
    struct housekeeping_config config = {
        .run_dir = house->dir,
        .state_dir = house->dir,
        .workers = HOUSE_WORKERS,
        .n_ports = HOUSE_PORTS,
        .port_names = {"p0", "p1"},
        .endpoints = house->endpoints,
        .stats = telemetry_block(house->telemetry, HOUSE_WORKERS),
        .telemetry_fd = telemetry_fd(house->telemetry),
        .obs = house->obs,
        .now_us = house_now_us,
        .access = house->access,
        .ports = house->ports,
        .links = house->links,
        .has_carrier = house->has_carrier,
    };
    house->h = housekeeping_new(&config, &house->fault);
}

void house_stop(struct house *house)
{
    housekeeping_free(house->h);
    obs_hub_free(house->obs);
    endpoint_table_free(house->endpoints);
    rcu_free(house->rcu);
    telemetry_free(house->telemetry);
    house->h = NULL;
}

void house_remove(struct house *house)
{
    static const char *const names[] = {"dataplane/image",
                                        "dataplane/image.damaged",
                                        "dataplane/image.new",
                                        "dataplane/endpoints",
                                        "dataplane/endpoints.damaged",
                                        "dataplane/keys",
                                        "dataplane/keys.damaged",
                                        "dataplane"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        remove(house_path(house, names[i]));
    CHECK_EQ(rmdir(house->dir), 0); /* nothing else was left */
}

const char *house_path(const struct house *house, const char *name)
{
    static char path[160];
    snprintf(path, sizeof(path), "%s/%s", house->dir, name);
    return path;
}

uint64_t house_stat(const struct house *house, enum stat_id id)
{
    return telemetry_block(house->telemetry, HOUSE_WORKERS)->counters[id];
}

void house_workers_follow(struct house *house)
{
    struct generation_set *s = housekeeping_generations(house->h);
    for (unsigned worker = 0; worker < HOUSE_WORKERS; worker++)
        generation_report(s, worker, generation_current(s));
}

int house_connect(struct house *house)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int s = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", house->dir, CONTROL_SOCKET_NAME);
    REQUIRE(connect(s, (const struct sockaddr *)&address, sizeof(address)) == 0);
    housekeeping_poll(house->h, 0);
    return s;
}

void house_send(struct house *house, int s, enum control_type type, uint64_t id, const void *body,
                uint32_t length, int fd)
{
    struct control_msg msg = {.magic = CONTROL_MAGIC,
                              .version = CONTROL_VERSION,
                              .type = (uint16_t)type,
                              .id = id,
                              .length = length};
    struct iovec iov[2] = {{.iov_base = &msg, .iov_len = sizeof(msg)},
                           {.iov_base = (void *)(uintptr_t)body, .iov_len = length}};
    _Alignas(struct cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))] = {0};
    struct msghdr header = {.msg_iov = iov, .msg_iovlen = 2};
    if (fd >= 0) {
        header.msg_control = ancillary;
        header.msg_controllen = sizeof(ancillary);
        struct cmsghdr *c = CMSG_FIRSTHDR(&header);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(fd));
    }
    CHECK(sendmsg(s, &header, MSG_NOSIGNAL) >= 0);
    housekeeping_poll(house->h, 0);
}

bool house_receive(struct house *house, int s, struct reply *ret)
{
    _Alignas(struct cmsghdr) char ancillary[CMSG_SPACE(sizeof(int))];
    struct iovec iov[2] = {{.iov_base = &ret->msg, .iov_len = sizeof(ret->msg)},
                           {.iov_base = &ret->body, .iov_len = sizeof(ret->body)}};
    struct msghdr header = {.msg_iov = iov,
                            .msg_iovlen = 2,
                            .msg_control = ancillary,
                            .msg_controllen = sizeof(ancillary)};
    housekeeping_poll(house->h, 0);
    ssize_t n = recvmsg(s, &header, MSG_CMSG_CLOEXEC);
    ret->fd = -1;
    if (n <= 0)
        return false;
    CHECK_EQ(n, sizeof(ret->msg) + ret->msg.length);
    CHECK_EQ(ret->msg.magic, CONTROL_MAGIC);
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    if (c != NULL)
        memcpy(&ret->fd, CMSG_DATA(c), sizeof(ret->fd));
    return true;
}

bool house_is_closed(struct house *house, int s)
{
    char byte;
    housekeeping_poll(house->h, 0);
    return recv(s, &byte, 1, 0) == 0;
}

int house_manager(struct house *house)
{
    struct control_hello hello = {.role = CONTROL_MANAGER};
    struct reply reply;
    int s = house_connect(house);
    house_send(house, s, CONTROL_HELLO, 1, &hello, sizeof(hello), -1);
    REQUIRE(house_receive(house, s, &reply));
    CHECK_EQ(reply.msg.type, CONTROL_WELCOME);
    close(reply.fd);
    return s;
}

int house_memfd(const void *data, size_t length, int seals)
{
    int fd = memfd_create("house", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    REQUIRE(write(fd, data, length) == (ssize_t)length);
    REQUIRE(fcntl(fd, F_ADD_SEALS, seals) == 0);
    return fd;
}

void *house_image(uint64_t generation, uint16_t port, size_t *ret_length)
{
    void *image;
    struct image_builder *b = image_builder_new();
    image_builder_interface(b, "lan", port, 0, 0);
    REQUIRE(image_builder_finish(b, generation, &image, ret_length) == 0);
    image_builder_free(b);
    return image;
}

int house_publish(struct house *house, int s, uint64_t generation)
{
    struct reply reply;
    size_t length;
    void *image = house_image(generation, 0, &length);
    int fd = house_memfd(image, length, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    struct control_publish publish = {.generation = generation, .length = length};
    free(image);
    house_send(house, s, CONTROL_PUBLISH, 99, &publish, sizeof(publish), fd);
    close(fd);
    while (house_receive(house, s, &reply)) {
        if (reply.msg.type == CONTROL_RESULT && reply.msg.id == 99)
            return (int)reply.body.result.fault;
    }
    return -1;
}

static struct {
    struct endpoint_record head;
    struct endpoint endpoint;
} record;

const struct endpoint_record *house_record(uint32_t group, uint64_t version, uint16_t port)
{
    record.endpoint = (struct endpoint){
        .addr = ip_addr_from_v4("\x0a\0\0\1"), .port = port, .weight = 1, .flags = ENDPOINT_READY};
    record.head = (struct endpoint_record){
        .group = group,
        .count = 1,
        .version = version,
        .checksum = endpoints_checksum(&record.endpoint, 1),
    };
    return &record.head;
}

int house_endpoints(struct house *house, int s, const struct endpoint_record *r)
{
    struct reply reply;
    house_send(house, s, CONTROL_ENDPOINTS, 77, r,
               (uint32_t)(sizeof(*r) + r->count * sizeof(struct endpoint)), -1);
    while (house_receive(house, s, &reply)) {
        if (reply.msg.type == CONTROL_RESULT && reply.msg.id == 77)
            return (int)reply.body.result.fault;
    }
    return -1;
}
