#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench l4: tables for hashes, and what forwarding a packet costs.

    maglev_over_percent     how much more than the mean the most loaded of 1,000 endpoints has (params table), and
    maglev_under_percent    how much less the least loaded: the paper's figure 11          l4/maglev_numbers.c
    maglev_disruption_percent  the share of all places that change although their endpoint is still there when so
                            many of 1,000 fail at once (params table, failed): its figure 12
    maglev_fill_ms          CPU of filling a table
    l4_cycles_per_packet    the worker's whole round, by the TSC (params kind, flows, vips), from a memory port to a
                            memory port, and what that makes Mpps a core                   l4/l4_forward.c
    l3fwd_cycles_per_packet the least that a router does with the same frames on the same port: DPDK's l3fwd, by
                            longest prefix, in the same program (Debian packages no dpdk-l3fwd)
    testpmd_cycles_per_packet  the real dpdk-testpmd on a memory port (param mode)         l4_limit.py
    l4_instructions_per_packet  the worker's round under callgrind, with few flows
    l4_wire_*               over af_xdp beside HAProxy, nginx, nftables, IPVS              l4_wire.py

kind: udp and tcp are packets of flows that are there, by chance; new: each packet begins one. A TSC tells time, not
work: on a busy machine cycles say little, instructions the same as ever.

    l4_numbers.py [--json FILE] [--flows N ...] [--vips N ...] [--kind K ...] [--skip PART ...]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

import callgrind
import l4_limit

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lab"), os.path.join(HERE, "..", "e2e")]

import cleanup  # noqa: E402 (its folder is known only now)
import l4_wire  # noqa: E402

TOP = os.path.dirname(os.path.dirname(HERE))
BUILD = os.environ.get("SLUICE_BUILD", os.path.join(TOP, "build"))
FLOWS = (1000, 100000, 1000000, 4000000)
VIPS = (1, 1000, 10000)
FAILED = (1, 2, 5, 10, 20, 30, 50, 100)  # of 1,000 endpoints at once
COUNTED = ("200", "1", "8192")  # flows, VIPs, packets a round under callgrind
PARTS = ("maglev", "limit", "cycles", "instructions", "wire")
ROUNDS = 9
LIMIT_S = 600


def program(name):
    return os.path.join(BUILD, "tests", "bench", "l4", name)


def lines_of(name, *args):
    run = subprocess.run([program(name), *map(str, args)], capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return [line.split() for line in run.stdout.splitlines()]


class Results:
    def __init__(self):
        self.objects = []

    def tell(self, name, unit, value, spread, runs, **params):
        text = " ".join([name, *(f"{k} {v}" for k, v in params.items()), f"{value:.6g} {unit}, spread {spread:.0%}"])
        print(text, flush=True)
        self.objects.append({"name": name, "params": params, "unit": unit, "value": value, "peer": None,
                             "peer_value": None, "ratio": None, "spread": spread, "runs": runs})
        return self.objects[-1]

    def tell_beside(self, name, unit, mine, others, **params):
        """Medians of runs: ours, and an object for each peer."""
        value = statistics.median(mine)
        said = self.tell(name, unit, value, (max(mine) - min(mine)) / value, len(mine), **params)
        for peer, runs in others.items():
            its = statistics.median(runs)
            print(f"    {peer} {its:.6g}, ratio {value / its:.3g}", flush=True)
            self.objects.append({**said, "peer": peer, "peer_value": its, "ratio": value / its})


def maglev(results):
    for name, table, *rest in lines_of("maglev_numbers", *FAILED):
        *failed, value, spread = map(float, rest)
        params = {"table": int(table), **({"failed": int(failed[0])} if failed else {})}
        results.tell(name, "ms" if name.endswith("_ms") else "percent", value, spread, 5, **params)


def limit(results):
    for mode in l4_limit.MODES:
        found = l4_limit.cycles(mode, 3)
        if found:
            value = statistics.median(found)
            results.tell("testpmd_cycles_per_packet", "cycles", value, (max(found) - min(found)) / value, len(found),
                         mode=mode)
        else:
            print(f"# there is no {l4_limit.PROGRAM} here", flush=True)


def measure(results, kind, flows, vips):
    found = {words[0]: [float(w) for w in words[1:]] for words in lines_of("l4_forward", kind, flows, vips)}
    params = {"kind": kind, "flows": flows, "vips": vips}
    ours = results.tell("l4_cycles_per_packet", "cycles", *found["l4_cycles_per_packet"], ROUNDS, **params)
    results.tell("l4_mpps_per_core", "Mpps", found["tsc_mhz"][0] / ours["value"], ours["spread"], ROUNDS, **params)
    peer = results.tell("l3fwd_cycles_per_packet", "cycles", *found["l3fwd_cycles_per_packet"], ROUNDS, **params)
    ours.update(peer="l3fwd", peer_value=peer["value"], ratio=ours["value"] / peer["value"])


def cycles(results, given):
    for kind in given.kind:
        for flows in given.flows:
            if kind != "new" or flows >= 100000:  # fewer are over before they can be timed
                measure(results, kind, flows, 1)
    for vips in given.vips:
        if vips > 1:
            measure(results, given.kind[0], 100000, vips)


def instructions(results, kind):
    costs = callgrind.run("l4_input", program("l4_forward"), kind, *COUNTED)
    counted, _ = costs.of("l4_input")
    results.tell("l4_instructions_per_packet", "instructions", counted / (int(COUNTED[2]) * ROUNDS), 0, 1, kind=kind)


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("--json")
    args.add_argument("--flows", type=int, nargs="*", default=FLOWS)
    args.add_argument("--vips", type=int, nargs="*", default=VIPS)
    args.add_argument("--kind", nargs="*", default=("udp", "tcp", "new"))
    args.add_argument("--skip", nargs="*", default=(), choices=PARTS)
    given = args.parse_args()
    cleanup.end_on_signals()
    results = Results()
    todo = {"maglev": lambda: maglev(results), "limit": lambda: limit(results),
            "cycles": lambda: cycles(results, given),
            "instructions": lambda: [instructions(results, k) for k in ("udp", "tcp") if k in given.kind],
            "wire": lambda: l4_wire.bench(results.tell_beside)}
    for part in PARTS:
        if part not in given.skip:
            todo[part]()
    if given.json:
        with open(given.json, "w", encoding="utf-8") as f:
            f.writelines(json.dumps(o) + "\n" for o in results.objects)


if __name__ == "__main__":
    main()
