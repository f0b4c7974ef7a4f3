/* SPDX-License-Identifier: Apache-2.0 */
/* See netns.h. */
#include "drivers/net/netns.h"

#include "base/assert.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define NETNS_DIR "/run/netns"

bool netns_enter(const char *name, int *ret_back)
{
    char path[300];
    snprintf(path, sizeof(path), NETNS_DIR "/%.255s", name);
    int back = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = open(path, O_RDONLY | O_CLOEXEC);
    bool is_there = back >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0;
    int fault = errno;
    if (there >= 0)
        close(there);
    if (!is_there && back >= 0)
        close(back);
    if (is_there)
        *ret_back = back;
    errno = fault;
    return is_there;
}

void netns_leave(int back)
{
    int fault = setns(back, CLONE_NEWNET);
    ASSERT(fault == 0); /* it was ours, and we hold it */
    close(back);
}
