#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench tcp: size and speed of our TCP, then its goodput beside Linux' (goodput.py, whose options it takes).

    idle_flow_bytes          what a worker's memory grows by for one more connection     flow_memory.c
    timewait_bytes           likewise for one in TIME_WAIT, its place in the table apart flow_memory.c
    rx_segment_instructions  from the ethernet header to tcp's queues                    callgrind on the simulator
    tx_segment_instructions  from a connection's turn to the port                        callgrind on the simulator
    flow_lookup_ns           finding a flow among 1,000 to 4 million, one by one and     flow_lookup.c
                             as a burst is handled (prefetch 0, 1); as fast as it goes,
                             and with the work of a segment behind each (work 0, 1)
    flow_touch_ns            then touching its connection, which costs this also where
                             nobody has to find it
    goodput_ratio_linux      our goodput over Linux'

docs/perf-budget.md says what is in these numbers and what they were.
"""
import os
import subprocess
import sys

import callgrind
import goodput

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SLUICE_BUILD", os.path.join(TOP, "build"))
LOOKUP_FLOWS = (1000, 10000, 100000, 1000000, 4000000)
LINUX_FLOW = ("TCP", "sock_inode_cache", "filp")  # what each accepted connection has of; files and buffers not counted
LINUX_TIMEWAIT = ("tw_sock_TCP",)


def program(*parts):
    return os.path.join(BUILD, "tests", *parts)


def numbers_of(*argv):
    """The `name value` lines of a program."""
    lines = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=300).stdout.splitlines()
    return [words for words in (line.split() for line in lines) if len(words) >= 2]


def slab_bytes(names):
    """What Linux' slabs give an object of each of these; None: not to be seen here."""
    try:
        with open("/proc/slabinfo") as f:
            sizes = {words[0]: int(words[3]) for words in map(str.split, f) if len(words) > 3 and words[3].isdigit()}
    except OSError:
        return None
    return sum(sizes[n] for n in names) if set(names) <= set(sizes) else None


def tell(write, name, unit, value, peer_value=None, **params):
    """One line, and the same as an object."""
    said = {"name": name, "params": params, "unit": unit, "value": value}
    text = " ".join([name, *(f"{k} {v}" for k, v in params.items()), f"{value:.6g} {unit}"])
    if peer_value:
        said.update(peer="linux", peer_value=peer_value, ratio=value / peer_value)
        text += f", Linux {peer_value:.6g}, ratio {value / peer_value:.3f}"
    print(text, flush=True)
    write({**said, "spread": 0, "runs": 1})


def memory(write):
    found = {words[0]: float(words[1]) for words in numbers_of(program("bench", "tcp", "flow_memory"))
             if words[0].endswith("_bytes")}
    parts = ", ".join(f"{n} {found[n + '_bytes']:g}" for n in ("conn", "rare", "sender_share", "table_share"))
    print(f"an idle flow: {parts}; measured {found['idle_flow_measured_bytes']:g}", flush=True)
    tell(write, "idle_flow_bytes", "bytes", found["idle_flow_bytes"], slab_bytes(LINUX_FLOW))
    print(f"a TIME_WAIT: measured with its share of the table {found['timewait_measured_bytes']:g}", flush=True)
    tell(write, "timewait_bytes", "bytes", found["timewait_bytes"], slab_bytes(LINUX_TIMEWAIT))


def instructions(write):
    """One body of 16 MiB comes in on one side and goes out on the other: as many segments each way."""
    costs = callgrind.run("worker_poll", program("sim", "sim"), "--world", "bulk")
    received, sent = costs.of("tcp_input")[1], costs.of("net_output")[1]
    merge, handle = costs.of("gro_merge")[0], costs.of("net_input")[0]
    tell(write, "rx_segment_instructions", "instructions", (merge + handle) / received, segments=received)
    tell(write, "tx_segment_instructions", "instructions", costs.of("tcp_output")[0] / sent, segments=sent)


def lookup(write):
    for words in numbers_of(program("bench", "tcp", "flow_lookup"), *map(str, LOOKUP_FLOWS)):
        if words[0] in ("flow_lookup_ns", "flow_touch_ns"):
            tell(write, words[0], "ns", float(words[2]), flows=int(words[1]), prefetch=int(words[3]),
                 work=int(words[4]))
        elif words[0] == "flow_refused" and int(words[2]):
            print(f"the table for {words[1]} flows refused {words[2]} while it was filled", flush=True)


def numbers(write):
    memory(write)
    instructions(write)
    lookup(write)


if __name__ == "__main__":
    sys.exit(goodput.main(sys.argv[1:], numbers))
