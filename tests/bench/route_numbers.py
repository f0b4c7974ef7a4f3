#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench route [--sizes N...] [--regex-sizes N...] [--dear-regex-sizes N...] [--wire N...] [--skip PART...]
[--json FILE]: what routes cost as their number grows.

    route_match_ns            of requests of all routes in a random order, eight a poll;  route/route_lookup.c
                              work 1: each poll behind what a worker does besides
    route_match_at_once_ns    one a poll
    route_match_instructions  the same by callgrind
    image_bytes_per_route
    compile_full_ms           objects in the store -> image, CPU time                    route/route_compile.c
    compile_one_changed_ms    commit of one route -> its image is with the dataplane and checked, CPU time
    route_match_growth_ns     what a match costs beyond one in a table of one route, beside HAProxy, nginx, Envoy (ratio
                              above 1: we are dearer)                                    route/rivals.py
    endpoint_to_wire_ms       API call -> first answer of the new endpoint, in the lab    route/wire.py
    route_to_wire_ms          API call -> first answer by the changed route

`regex` 1, 2: each route has a regular expression in place of a prefix; 50 routes a host either way (route/table.py).
docs/perf-budget.md says what these numbers were.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(HERE, "route"), os.path.join(HERE, "..", "lab"), os.path.join(HERE, "..", "e2e")]

import callgrind  # noqa: E402 (its folder is known only now)
import cleanup  # noqa: E402
import rivals  # noqa: E402
import table  # noqa: E402
import wire  # noqa: E402

BUILD = os.environ.get("SLUICE_BUILD", os.path.join(TOP, "build"))
SIZES = (1, 100, 1000, 10000, 100000)
REGEX_SIZES = (1, 100, 1000, 10000, 100000)
DEAR_REGEX_SIZES = (1, 100, 1000)  # Hyperscan takes 1 ms an expression of `regex` 2
REGEX_COUNTED_MAX = 100  # compiled under valgrind: half a minute
WIRE_SIZES = (1, 10000)
LOOKUPS, LOOKUPS_COUNTED = 1 << 16, 1 << 10
RUNS = 5
LIMIT_S = 600
PARTS = ("regex", "peers", "wire")


class Results:
    """Lines for the reader and objects for --json."""

    def __init__(self):
        self.objects = []
        self.match_ns = {}

    def tell(self, name, unit, value, spread=0, runs=1, peer=None, peer_value=None, **params):
        said = {"name": name, "params": params, "unit": unit, "value": value}
        text = " ".join([name, *(f"{k} {v}" for k, v in params.items()), f"{value:.6g} {unit}"])
        if peer:
            ratio = value / peer_value if peer_value > 0 else None  # it did not grow beyond its noise
            said.update(peer=peer, peer_value=peer_value, ratio=ratio)
            text += f", {peer} {peer_value:.6g}" + (f", ratio {ratio:.3g}" if ratio else "")
        print(text + (f", spread {spread:.0%}" if runs > 1 else ""), flush=True)
        self.objects.append({**said, "spread": spread, "runs": runs})

    def write(self, path):
        with open(path, "w") as f:
            f.writelines(json.dumps(o) + "\n" for o in self.objects)


def program_path(name):
    return os.path.join(BUILD, "tests", "bench", "route", name)


def numbers_of(program, *argv):
    """{name: [numbers]} of the `name value...` lines of a program of ours."""
    run = subprocess.run([program_path(program), *argv], capture_output=True, text=True, timeout=LIMIT_S)
    assert run.returncode == 0, run.stdout + run.stderr
    return {words[0]: [float(w) for w in words[1:]] for words in map(str.split, run.stdout.splitlines())
            if words and not words[0].endswith(":")}


def spread_of(values):
    return (max(values) - min(values)) / statistics.median(values)


def image_to_count(objects, image, n, regex):
    """The image for callgrind, whose processor has no AVX-512: regular expressions have to be compiled on it, too.
    None: that takes too long."""
    if regex == 0:
        return image
    if n > REGEX_COUNTED_MAX:
        return None
    subprocess.run(["valgrind", "--tool=none", program_path("route_compile"), objects, image + ".avx2"], check=True,
                   capture_output=True, timeout=LIMIT_S)
    return image + ".avx2"


def one_size(results, where, n, regex):
    """Our numbers of a table, and the files of its requests and image, which the others use."""
    params = {"routes": n, "regex": regex}
    base = os.path.join(where, f"{n}-{regex}")
    objects, image, requests = base + ".json", base + ".image", base + ".requests"
    routes = table.routes(n, regex)
    table.write_list(objects, [*table.appliance(), *table.objects_of(routes, "198.18.1.11")])
    table.write_requests(requests, routes)
    compiled = numbers_of("route_compile", objects, image)
    counted = image_to_count(objects, image, n, regex)
    os.unlink(objects)
    found = [numbers_of("route_lookup", image, requests, str(LOOKUPS)) for _ in range(RUNS)]
    for name, params_of_name in (("route_match_ns", {"work": 0}), ("route_match_work_ns", {"work": 1}),
                                 ("route_match_at_once_ns", {})):
        took = [f[name][0] for f in found]
        results.match_ns.setdefault((n, regex), statistics.median(took))
        results.tell(name.replace("_work", ""), "ns", statistics.median(took), spread_of(took), RUNS, **params,
                     **params_of_name)
    if counted:
        costs = callgrind.run("route_match", program_path("route_lookup"), counted, requests, str(LOOKUPS_COUNTED))
        instructions, calls = costs.of("route_match")
        results.tell("route_match_instructions", "instructions", instructions / calls, **params)
    results.tell("image_bytes_per_route", "bytes", compiled["image_bytes"][0] / n, **params)
    for name, runs in (("compile_full_ms", 3), ("attach_run_ms", 3), ("image_check_ms", 3),
                       ("compile_one_changed_ms", 15), ("compile_one_changed_wall_ms", 15), ("one_endpoint_ms", 15)):
        if name in compiled:
            value, spread = compiled[name]
            results.tell(name, "ms", value, spread, runs, **params)


def tell_growth(results, sizes, regex):
    if 1000 in sizes and max(sizes) > 1000 and (max(sizes), regex) in results.match_ns:
        growth = results.match_ns[max(sizes), regex] / results.match_ns[1000, regex]
        results.tell("route_match_growth", "ratio", growth, routes=max(sizes), regex=regex)


def peers_of(results, where, sizes, regex):
    for kind in rivals.KINDS:
        least = None
        for n in sorted({1, *sizes}):
            folder = tempfile.mkdtemp(dir=where)
            routes = table.routes(n, regex)
            requests = os.path.join(folder, "requests")
            table.write_requests(requests, routes)
            try:
                cost = rivals.measure(kind, routes, folder, requests)
            except (rivals.Missing, subprocess.SubprocessError) as e:
                print(f"{kind} with {n} routes, regex {regex}: left out: {e}", flush=True)
                if n == 1:
                    break
                continue
            least = cost if n == 1 else least
            print(f"{kind} with {n} routes, regex {regex}: {cost:.0f} ns of CPU a request", flush=True)
            if n > 1 and (n, regex) in results.match_ns and (1, regex) in results.match_ns:
                ours = results.match_ns[n, regex] - results.match_ns[1, regex]
                results.tell("route_match_growth_ns", "ns", ours, peer=kind, peer_value=cost - least, routes=n,
                             regex=regex)


def on_the_wire(results, sizes):
    for n in sizes:
        for name, took in zip(("endpoint_to_wire_ms", "route_to_wire_ms"), wire.measure(n)):
            results.tell(name, "ms", statistics.median(took), spread_of(took), len(took), routes=n)


def main(argv):
    parser = argparse.ArgumentParser(prog="./dev bench route")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--regex-sizes", type=int, nargs="+", default=REGEX_SIZES)
    parser.add_argument("--dear-regex-sizes", type=int, nargs="+", default=DEAR_REGEX_SIZES)
    parser.add_argument("--wire", type=int, nargs="+", default=WIRE_SIZES, help="sizes of the table in the lab")
    parser.add_argument("--skip", choices=PARTS, nargs="+", default=())
    parser.add_argument("--json")
    args = parser.parse_args(argv)
    cleanup.end_on_signals()
    results = Results()
    tables = [(0, args.sizes)]
    if "regex" not in args.skip:
        tables += [(1, args.regex_sizes), (2, args.dear_regex_sizes)]
    try:
        with tempfile.TemporaryDirectory(prefix="sluice-bench-route-") as where:
            for regex, sizes in tables:
                for n in sizes:
                    one_size(results, where, n, regex)
                tell_growth(results, sizes, regex)
                if "peers" not in args.skip:
                    peers_of(results, where, sizes, regex)
        if "wire" not in args.skip:
            on_the_wire(results, args.wire)
    except cleanup.Ended:
        return 130
    if args.json:
        results.write(args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
