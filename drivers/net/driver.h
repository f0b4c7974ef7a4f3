/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Drivers of network ports. One row a kind: it says how DPDK names the device that a port option
 * asks for, and what the kind of device can and cannot do; all else is the same for all kinds
 * (ethdev.c). The order of calls:
 *
 *   net_options_parse()    each --port option, before DPDK starts
 *   net_driver_describe()  -> the EAL argument (an allow-list: nothing else is probed)
 *   rte_eal_init()
 *   net_port_open()        finds or makes the device, configures and starts it -> struct port_setup
 *   net_port_close()       after the workers ended
 *
 * Owner: the composer. Thread: one, before the workers start and after they ended. What is wrong
 * comes back as a sentence for a person.
 */
#pragma once

#include "core/port_setup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rte_mempool;

#define NET_DESCRIPTORS                                                                            \
    1024u /* of a queue: two polls' worth of a burst storm; devices may round                      \
           */

/* Largest MTU: a frame with two VLAN tags must fit into one packet buffer, or (jumbo frames) into
 * the chain of them that a device may be sent. 9,216 is what switches have. */
#define NET_MTU_MAX 2026u
#define NET_JUMBO_MTU_MAX 9216u
#define NET_MTU_MIN 1280u /* what IPv6 needs (RFC 8200, section 5) */

struct net_fault {
    char text[200];
};

/* A port as asked for: "name=p0,driver=af_xdp,iface=veth0". */
struct net_options {
    char name[32];
    char driver[16];
    char iface[16];   /* af_xdp: the kernel's interface to attach to; tap: the one to make */
    char tap[11];     /* the kernel's interface beside it, for daemons (a VLAN's: ".4094" behind
                       * it); empty: none */
    char members[64]; /* bond, active-backup: the kernel's interfaces, "eth1:eth2" */
    char pci[32];     /* pci: the address, 0000:00:05.0 */
    uint16_t queues;  /* 0: as many as the device and the workers have use for */
    uint16_t mtu;     /* 0: the interface's (at most what the driver takes), else 1500 */
    uint32_t without; /* abilities of the device that are not used: bits by enum port_ability */
};

/* A device before DPDK has it. */
struct net_device {
    char eal_option[8];     /* "--vdev", "-a", or empty: nothing to tell the EAL */
    char eal_value[128];    /* its argument */
    char dpdk_name[64];     /* as rte_eth_dev_get_port_by_name() knows it */
    uint16_t queues;        /* wanted pairs */
    uint16_t mtu;           /* wanted */
    bool has_paired_queues; /* the device insists on as many send as receive queues */
};

/* Do devices give a frame that is longer than a packet buffer in several? Without, NET_MTU_MAX is
 * the end; with, NET_JUMBO_MTU_MAX. */
enum net_scatter {
    NET_SCATTER_NEVER,
    NET_SCATTER_OFFERED, /* those that offer it */
    NET_SCATTER_ALWAYS,  /* unasked */
};

struct net_driver {
    const char *name;
    const char *help;  /* the options that it takes, for the usage text */
    bool may_have_rss; /* a real NIC; everything else is spread in software */
    bool has_dma;      /* reads packets by physical addresses: none may lie across two pages */
    uint32_t without;  /* abilities that its devices claim and do not have: by port_ability */
    uint32_t with;     /* abilities that its devices have and do not claim: likewise */
    enum net_scatter scatter;
    bool wants_calls;       /* its send queues are called also when there is nothing to send */
    bool needs_packed_pool; /* takes the packets to lie in one piece without gaps */
    /* Fills *ret from the options; `index` is the port's number. False: *ret_fault says why not. */
    bool (*describe)(const struct net_options *options, unsigned index, unsigned workers,
                     struct net_device *ret, struct net_fault *ret_fault);
    /* Makes the device after the EAL's start, or the members: they are set in *ret. NULL: the EAL
     * has made it. */
    bool (*create)(const struct net_device *device, struct port_setup *ret,
                   struct net_fault *ret_fault);
    /* Does what the driver has to do to the running device, or its members; NULL: nothing. */
    bool (*start)(const struct net_device *device, const struct port_setup *port,
                  struct net_fault *ret_fault);
    /* Frees what create() made, after the device was closed; NULL: nothing. */
    void (*destroy)(const struct net_device *device);
};

/* All kinds, ended by NULL. */
extern const struct net_driver *const net_drivers[];

/* The driver of that name; NULL: there is none. */
const struct net_driver *net_driver_find(const char *name);

/* Parses a port option. Every key at most once; name and driver are required. */
bool net_options_parse(const char *text, struct net_options *ret, struct net_fault *ret_fault);

/* Describes the device that the options ask for; see struct net_driver. */
bool net_driver_describe(const struct net_options *options, unsigned index, unsigned workers,
                         struct net_device *ret, struct net_fault *ret_fault);

/* Configures and starts the device with packets from `mbufs`, and reads back what it can do. */
bool net_port_open(const struct net_options *options, const struct net_device *device,
                   unsigned index, unsigned workers, struct rte_mempool *mbufs,
                   struct port_setup *ret, struct net_fault *ret_fault);

/* Makes the TAP beside an open port, if the options ask for one: in the namespace `netns` (a
 * name, as `ip netns` has them), with the port's MAC and MTU (PORT_TAP_MTU_MAX at most). False:
 * *ret_fault says why not. */
bool net_beside_open(const struct net_options *options, const char *netns,
                     struct rte_mempool *mbufs, struct port_setup *port,
                     struct net_fault *ret_fault);

/* Frees it, if there is one. Before net_port_close(). */
void net_beside_close(struct port_setup *port);

/* What the port is and does, in a line for a person. Always ends in NUL. */
void net_port_describe(const struct port_setup *port, char *ret, size_t bytes);

/* Stops and frees the device. */
void net_port_close(const struct net_options *options, const struct net_device *device,
                    const struct port_setup *port);

/* Writes the sentence and returns false, so that a check is one line. */
bool net_fault_set(struct net_fault *ret_fault, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
