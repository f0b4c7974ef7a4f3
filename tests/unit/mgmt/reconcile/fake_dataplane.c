/* SPDX-License-Identifier: Apache-2.0 */
/* See fake_dataplane.h. */
#include "fake_dataplane.h"

#include "loop/loop.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void fake_open(struct fake_dataplane *f, struct loop *loop, const char *dir)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memset(f, 0, sizeof(*f));
    snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/" CONTROL_SOCKET_NAME, dir);
    f->loop = loop;
    f->peer = -1;
    f->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(bind(f->listener, (const struct sockaddr *)&addr, sizeof(addr)) == 0);
    REQUIRE(listen(f->listener, 4) == 0);
}

void fake_close(struct fake_dataplane *f, const char *dir)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET_NAME, dir);
    if (f->peer >= 0)
        close(f->peer);
    close(f->listener);
    unlink(path);
}

static void take_image(struct fake_dataplane *f)
{
    struct control_publish publish;
    memcpy(&publish, f->received.body, sizeof(publish));
    REQUIRE(f->received.fd >= 0);
    void *image = mmap(NULL, publish.length, PROT_READ, MAP_SHARED, f->received.fd, 0);
    REQUIRE(image != MAP_FAILED);
    struct image_fault_info info;
    CHECK_EQ(image_check(image, publish.length, &info), IMAGE_FAULT_OK);
    const struct image_header *header = image;
    CHECK(header->generation == publish.generation && publish.generation > f->generation);
    f->generation = header->generation;
    f->content_checksum = header->content_checksum;
    f->images++;
    munmap(image, publish.length);
}

static void take_record(struct fake_dataplane *f)
{
    struct endpoint_record record;
    memcpy(&record, f->received.body, sizeof(record));
    CHECK_EQ(endpoints_check(f->received.body, f->received.msg.length), ENDPOINTS_FAULT_OK);
    f->last_group = record.group;
    f->last_count = record.count;
    f->last_flags = record.flags;
    f->records++;
}

uint64_t fake_clock_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* Says so: publish sends no more than some that nobody has answered. */
static void accept_record(struct fake_dataplane *f)
{
    struct control_result body = {.type = CONTROL_ENDPOINTS, .subject = f->last_group};
    uint64_t id = f->received.msg.id;
    REQUIRE(control_send(f->peer, CONTROL_RESULT, id, &body, sizeof(body), -1) == 0);
}

/* Takes one message; false: none is there. */
static bool take(struct fake_dataplane *f)
{
    if (f->peer < 0 || control_receive(f->peer, &f->received) != 0)
        return false;
    if (f->received.msg.type == CONTROL_PUBLISH)
        take_image(f);
    if (f->received.msg.type == CONTROL_ENDPOINTS) {
        take_record(f);
        accept_record(f);
    }
    if (f->received.fd >= 0)
        close(f->received.fd);
    return true;
}

void fake_rounds(struct fake_dataplane *f, unsigned n)
{
    while (n-- > 0) {
        REQUIRE(loop_round(f->loop, 1000) == 0);
        while (take(f))
            ;
    }
}

static bool accept_peer(struct fake_dataplane *f)
{
    if (f->peer < 0)
        f->peer = accept4(f->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return f->peer >= 0;
}

void fake_welcome(struct fake_dataplane *f, uint64_t generation, uint64_t content_checksum)
{
    struct control_welcome welcome = {.generation = generation,
                                      .image_checksum = content_checksum,
                                      .generation_newest = f->generation,
                                      .workers = 1,
                                      .n_ports = 1,
                                      .port_names = {"p0"}};
    FAKE_WAIT(f, accept_peer(f));
    f->received.msg.type = 0;
    FAKE_WAIT(f, f->received.msg.type == CONTROL_HELLO);
    REQUIRE(control_send(f->peer, CONTROL_WELCOME, 1, &welcome, sizeof(welcome), -1) == 0);
    fake_rounds(f, 5);
}

void fake_wait_image(struct fake_dataplane *f, uint64_t generation)
{
    FAKE_WAIT(f, f->generation > generation);
}

void fake_serve(struct fake_dataplane *f, uint64_t generation)
{
    struct control_generation body = {.generation = generation};
    REQUIRE(control_send(f->peer, CONTROL_GENERATION, 0, &body, sizeof(body), -1) == 0);
    fake_rounds(f, 5);
}

static void refuse(struct fake_dataplane *f, uint32_t type, uint64_t subject)
{
    struct control_result body = {
        .type = type, .fault = 1, .subject = subject, .text = "a test refuses it"};
    REQUIRE(control_send(f->peer, CONTROL_RESULT, 1, &body, sizeof(body), -1) == 0);
    fake_rounds(f, 5);
}

void fake_refuse(struct fake_dataplane *f)
{
    refuse(f, CONTROL_PUBLISH, f->generation);
}

void fake_refuse_record(struct fake_dataplane *f)
{
    refuse(f, CONTROL_ENDPOINTS, f->last_group);
}
