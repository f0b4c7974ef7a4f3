#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench l4: what forwarding a packet costs a worker, from a memory port to a memory port.

    l4_cycles_per_packet    the worker's whole round, by the TSC (params kind, flows, vips)      l4/l4_forward.c
    l3fwd_cycles_per_packet the least that a router does with the same frames on the same port: DPDK's l3fwd, by
                            longest prefix, in the same program
    l4_instructions_per_packet  the worker's round under callgrind, with few flows

kind: udp and tcp are packets of flows that are there, by chance; new: each packet begins one. A TSC tells time, not
work: on a busy machine the first two say little, the third the same as ever.

    l4_numbers.py [--json FILE] [--flows N ...] [--vips N ...] [--kind K ...]
"""
import argparse
import json
import os
import subprocess

import callgrind

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("SLUICE_BUILD", os.path.join(TOP, "build"))
PROGRAM = os.path.join(BUILD, "tests", "bench", "l4", "l4_forward")
FLOWS = (1000, 100000, 1000000, 4000000)
VIPS = (1, 1000, 4000)  # the box has 4,096 addresses at most
COUNTED = ("200", "1", "8192")  # flows, VIPs, packets a round under callgrind
ROUNDS = 9
LIMIT_S = 600


class Results:
    def __init__(self):
        self.objects = []

    def tell(self, name, unit, value, spread, runs, **params):
        text = " ".join([name, *(f"{k} {v}" for k, v in params.items()), f"{value:.6g} {unit}, spread {spread:.0%}"])
        print(text, flush=True)
        self.objects.append({"name": name, "params": params, "unit": unit, "value": value, "peer": None,
                             "peer_value": None, "ratio": None, "spread": spread, "runs": runs})
        return self.objects[-1]


def measure(results, kind, flows, vips):
    run = subprocess.run([PROGRAM, kind, str(flows), str(vips)], capture_output=True, text=True, timeout=LIMIT_S)
    assert run.returncode == 0, run.stdout + run.stderr
    found = {words[0]: [float(w) for w in words[1:]] for words in map(str.split, run.stdout.splitlines())}
    params = {"kind": kind, "flows": flows, "vips": vips}
    ours = results.tell("l4_cycles_per_packet", "cycles", *found["l4_cycles_per_packet"], ROUNDS, **params)
    peer = results.tell("l3fwd_cycles_per_packet", "cycles", *found["l3fwd_cycles_per_packet"], ROUNDS, **params)
    ours.update(peer="l3fwd", peer_value=peer["value"], ratio=ours["value"] / peer["value"])


def count(results, kind):
    costs = callgrind.run("l4_input", PROGRAM, kind, *COUNTED)
    instructions, _ = costs.of("l4_input")
    packets = int(COUNTED[2]) * ROUNDS
    results.tell("l4_instructions_per_packet", "instructions", instructions / packets, 0, 1, kind=kind)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--json")
    args.add_argument("--flows", type=int, nargs="*", default=FLOWS)
    args.add_argument("--vips", type=int, nargs="*", default=VIPS)
    args.add_argument("--kind", nargs="*", default=("udp", "tcp", "new"))
    given = args.parse_args()
    results = Results()
    for kind in given.kind:
        for flows in given.flows:
            if kind != "new" or flows >= 100000:  # fewer are over before they can be timed
                measure(results, kind, flows, 1)
    for vips in given.vips:
        if vips > 1:
            measure(results, given.kind[0], 100000, vips)
    for kind in ("udp", "tcp"):
        if kind in given.kind:
            count(results, kind)
    if given.json:
        with open(given.json, "w") as f:
            f.writelines(json.dumps(o) + "\n" for o in results.objects)


if __name__ == "__main__":
    main()
