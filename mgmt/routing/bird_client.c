/* SPDX-License-Identifier: Apache-2.0 */
/* See bird_client.h. */
#include "routing/bird_client.h"

#include "base/container.h"
#include "loop/loop.h"
#include "routing/bird_routes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define CODE_DIGITS 4u
#define CODE_PROTOCOL 1002    /* a row of `show protocols` */
#define CODE_ERROR_FIRST 8000 /* and above: what was asked could not be done */

/* What was asked last. */
enum step {
    STEP_NONE,
    STEP_GREETING,
    STEP_CONFIGURE,
    STEP_PROTOCOLS,
    STEP_ROUTES,
};

struct bird_client {
    struct loop *loop;
    struct sockaddr_un address;
    struct bird_upcalls upcalls;
    struct loop_io io;
    enum step step;
    bool has_new_config;
    int code;       /* of the last line that had one */
    size_t n_bytes; /* of a line that is not whole yet */
    size_t n_reply; /* of the whole answer */
    struct bird_routes routes;
    char bytes[1024];
};

int bird_client_new(struct loop *loop, const char *path, const struct bird_upcalls *upcalls,
                    struct bird_client **ret)
{
    struct bird_client *c = calloc(1, sizeof(*c));
    if (c == NULL) {
        return -ENOMEM;
    }
    c->loop = loop;
    c->upcalls = *upcalls;
    c->address.sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(c->address.sun_path)) {
        free(c);
        return -ENAMETOOLONG;
    }
    strcpy(c->address.sun_path, path);
    *ret = c;
    return 0;
}

static void hang_up(struct bird_client *c)
{
    if (c->step == STEP_NONE) {
        return;
    }
    loop_io_remove(&c->io);
    close(c->io.fd);
    c->step = STEP_NONE;
}

static void end(struct bird_client *c, bool is_whole)
{
    hang_up(c);
    c->upcalls.on_end(c->upcalls.owner, is_whole);
}

/* The next command, or the end. */
static void go_on(struct bird_client *c)
{
    static const char *const commands[] = {[STEP_CONFIGURE] = "configure\n",
                                           [STEP_PROTOCOLS] = "show protocols\n",
                                           [STEP_ROUTES] = "show route where source = RTS_BGP\n"};
    if (c->step == STEP_ROUTES) {
        end(c, true);
        return;
    }
    bool is_past = c->step == STEP_GREETING && !c->has_new_config;
    c->step = is_past ? STEP_PROTOCOLS : (enum step)(c->step + 1);
    c->n_reply = 0;
    const char *command = commands[c->step];
    if (send(c->io.fd, command, strlen(command), MSG_NOSIGNAL | MSG_DONTWAIT) !=
        (ssize_t)strlen(command)) {
        end(c, false);
    }
}

/* "peer-a  BGP  ---  up  12:00:00.000  Established": the name, and what stands in the sixth column
 * and behind it. */
static void on_row(struct bird_client *c, char *row)
{
    char name[80];
    int info_at = -1;
    if (sscanf(row, "%79s %*s %*s %*s %*s %n", name, &info_at) == 1 && info_at > 0) {
        c->upcalls.on_protocol(c->upcalls.owner, name, row + info_at);
    }
}

static void on_route_line(struct bird_client *c, const char *line)
{
    struct bird_route route;
    if (bird_routes_line(&c->routes, line, &route)) {
        c->upcalls.on_route(c->upcalls.owner, &route);
    }
}

/* A whole line without its end. */
static void on_line(struct bird_client *c, char *line)
{
    bool has_code = strlen(line) > CODE_DIGITS && line[0] >= '0' && line[0] <= '9';
    bool is_last = has_code && line[CODE_DIGITS] == ' ';
    if (has_code) {
        c->code = atoi(line);
    }
    char *text = has_code ? line + CODE_DIGITS + 1 : line + 1;
    if (line[0] != '\0' && c->step == STEP_PROTOCOLS && c->code == CODE_PROTOCOL) {
        on_row(c, text);
    } else if (line[0] != '\0' && c->step == STEP_ROUTES && c->code < CODE_ERROR_FIRST) {
        on_route_line(c, text);
    }
    if (!is_last) {
        return;
    }
    if (c->step == STEP_CONFIGURE) {
        c->upcalls.on_configured(c->upcalls.owner, c->code < CODE_ERROR_FIRST,
                                 line + CODE_DIGITS + 1);
    }
    go_on(c);
}

static void take_lines(struct bird_client *c)
{
    char *newline;
    while (c->step != STEP_NONE && (newline = memchr(c->bytes, '\n', c->n_bytes)) != NULL) {
        char line[sizeof(c->bytes)];
        size_t len = (size_t)(newline - c->bytes);
        memcpy(line, c->bytes, len);
        line[len] = '\0';
        c->n_bytes -= len + 1;
        memmove(c->bytes, newline + 1, c->n_bytes);
        on_line(c, line);
    }
}

static void on_ready(struct loop_io *io, uint32_t ready)
{
    struct bird_client *c = container_of(io, struct bird_client, io);
    ssize_t n = recv(io->fd, c->bytes + c->n_bytes, sizeof(c->bytes) - c->n_bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        end(c, false);
        return;
    }
    c->n_bytes += (size_t)n;
    c->n_reply += (size_t)n;
    take_lines(c);
    size_t reply_max = c->step == STEP_ROUTES ? BIRD_ROUTES_BYTES_MAX : BIRD_REPLY_BYTES_MAX;
    bool is_too_much = c->n_bytes == sizeof(c->bytes) || c->n_reply > reply_max;
    if (c->step != STEP_NONE && is_too_much) {
        end(c, false);
    }
}

void bird_client_ask(struct bird_client *c, bool has_new_config)
{
    hang_up(c);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool is_open = fd >= 0 && connect(fd, (struct sockaddr *)&c->address, sizeof(c->address)) == 0;
    c->io = (struct loop_io){.on_ready = on_ready};
    if (!is_open || loop_io_add(c->loop, &c->io, fd, EPOLLIN) != 0) {
        if (fd >= 0) {
            close(fd);
        }
        c->upcalls.on_end(c->upcalls.owner, false);
        return;
    }
    c->step = STEP_GREETING;
    c->has_new_config = has_new_config;
    c->n_bytes = 0;
    c->n_reply = 0;
    c->code = 0;
    c->routes = (struct bird_routes){0};
}

void bird_client_free(struct bird_client *c)
{
    if (c == NULL) {
        return;
    }
    hang_up(c);
    free(c);
}
