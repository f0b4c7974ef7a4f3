/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the controller share while it runs, and the order in which they are made: a row
 * a part in main.c, init down the list, done up.
 *
 * Owner: main(). Thread: the loop's.
 */
#pragma once

#include "controller/mirror.h"
#include "controller/options.h"
#include "controller/source.h"

struct loop;
struct writers;

struct controller {
    struct options options;
    struct loop *loop;
    struct kube *kube; /* of the cluster */
    struct source *source;
    struct mirror *mirror;
    struct writers *writers;
};
