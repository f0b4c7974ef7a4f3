/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lwIP on a packet socket: the interface's MAC, our addresses, frames in and out. The kernel has no
 * address there. Thread: peer_link_open() the main one; frames come in on a thread of its own.
 */
#pragma once

/* Starts lwIP on `interface` with an IPv4 and an IPv6 address, each as ADDRESS/LEN. Ends the
 * process with a message when it cannot. */
void peer_link_open(const char *interface, const char *address4, const char *address6);

/* Says why and ends the process. */
void peer_fail(const char *what);
