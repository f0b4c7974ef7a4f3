/* SPDX-License-Identifier: Apache-2.0 */
/* A thread beside the main one: signals are for that one, whose poll() they must wake. */
#pragma once

#include <pthread.h>
#include <stdbool.h>

/* Starts `run(arg)` in a thread that takes no signal. False: there can be no thread now. */
bool thread_start(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);
