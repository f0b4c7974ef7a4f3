/* SPDX-License-Identifier: Apache-2.0 */
/* See ctl/telemetry.h. */
#include "ctl/telemetry.h"

#include "publish/control_io.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TELEMETRY_WAIT_MS 2000

/* The telemetry descriptor of the dataplane behind `socket`, or a negative errno. */
static int ask_telemetry(int socket, struct control_received *answer)
{
    struct control_hello hello = {.role = CONTROL_OBSERVER, .pid = (uint32_t)getpid()};
    struct pollfd wait = {.fd = socket, .events = POLLIN};
    int result = control_send(socket, CONTROL_HELLO, 1, &hello, sizeof(hello), -1);
    if (result != 0)
        return result;
    if (poll(&wait, 1, TELEMETRY_WAIT_MS) != 1)
        return -ETIMEDOUT;
    result = control_receive(socket, answer);
    if (result != 0)
        return result;
    return answer->msg.type == CONTROL_WELCOME && answer->fd >= 0 ? answer->fd : -EPROTO;
}

bool ctl_telemetry_open(const struct ctl_options *o, struct stats_map *ret)
{
    struct control_received *answer = malloc(sizeof(*answer));
    int socket = answer != NULL ? control_connect(o->run_dir) : -ENOMEM;
    int result = socket < 0 ? socket : ask_telemetry(socket, answer);
    if (result >= 0) {
        int telemetry = result;
        result = stats_map_open(telemetry, ret);
        close(telemetry);
    }
    if (socket >= 0)
        close(socket);
    free(answer);
    if (result != 0)
        fprintf(stderr, "sluicectl: no telemetry from %s/" CONTROL_SOCKET_NAME ": %s\n", o->run_dir,
                strerror(-result));
    return result == 0;
}
