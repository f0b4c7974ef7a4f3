#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Random objects and requests: the image's answers beside the specification's; see README.md.

    run.py PROGRAM [--seeds N | --pairs N] [--from SEED] [--jobs N]

A seed is one set of objects and REQUESTS_PER_SEED requests to it; a pair is a request with its set. Prints what each
disagreement needs, smallest first, and ends in "N passed, N failed", which counts seeds."""

import argparse
import json
import multiprocessing
import os
import random
import sys
import time

import make_objects
import make_requests
from check import check_all
from image import Image
from shrink import shrink

REQUESTS_PER_SEED = 200
EXPLAINED_PER_SEED = 10  # of these requests
CONNECTIONS_PER_SEED = 40  # to sets with a listener that passes some on
SHOWN_MAX = 5  # disagreements that are made small and shown
PROGRESS_S = 10
# Objects that say something about a disagreement.
OURS = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute", "Gateway")

image = None  # of this process


def begin(program):
    global image
    image = Image(program)


def make(seed):
    rng = random.Random(seed)
    objects = make_objects.make(rng)
    requests = make_requests.make(rng, objects, REQUESTS_PER_SEED)
    passes_on = any(o["kind"] in ("TLSRoute", "TCPRoute") for o in objects)
    return objects, requests, make_requests.make_connections(rng, objects, CONNECTIONS_PER_SEED * passes_on)


def check_seed(seed):
    """(seed, how many pairs, the disagreements)"""
    objects, requests, connections = make(seed)
    found = check_all(image, objects, requests + connections, EXPLAINED_PER_SEED)
    return seed, len(requests), found


def find(objects, request):
    return check_all(image, objects, [request] if request is not None else [], 1)


def describe(seed, disagreement):
    """The disagreement with the least that it needs."""
    objects, _, _ = make(seed)
    objects, disagreement = shrink(objects, disagreement, find)
    lines = [f"seed {seed}: {disagreement.kind}"]
    lines += [f"  {json.dumps({key: o[key] for key in ('kind', 'metadata', 'spec')}, ensure_ascii=False)}"
              for o in objects if o["kind"] in OURS]
    if disagreement.request is not None:
        request = disagreement.request
        lines.append(f"  to {request.address} port {request.port}: {request.head()!r}")
    return "\n".join(lines + [f"  {line}" for line in disagreement.text.splitlines()])


def run(arguments, seeds):
    """Prints as it goes; how many seeds failed, and of those that are to be shown one disagreement each."""
    failed, shown, pairs, begun = 0, [], 0, time.monotonic()
    told = begun
    with multiprocessing.Pool(arguments.jobs, begin, (arguments.program,)) as pool:
        for done, (seed, n, found) in enumerate(pool.imap_unordered(check_seed, seeds, chunksize=4), 1):
            pairs += n
            failed += bool(found)
            if found:
                print(f"seed {seed}: {len(found)} disagreements, the first is of kind: {found[0].kind}", flush=True)
                shown.append((seed, found[0]))
            if time.monotonic() - told > PROGRESS_S:
                told = time.monotonic()
                print(f"{done} of {len(seeds)} seeds, {pairs} pairs, {failed} failed", flush=True)
        pool.close()
        pool.join()
    print(f"{pairs} pairs of routes and request in {time.monotonic() - begun:.0f} s")
    return failed, sorted(shown)[:SHOWN_MAX]


def seeds_for(pairs):
    return -(-int(pairs) // REQUESTS_PER_SEED)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--pairs", type=seeds_for, dest="seeds", help="so many seeds that there are at least N pairs")
    parser.add_argument("--from", type=int, default=1, dest="first", metavar="SEED")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    failed, shown = run(arguments, range(arguments.first, arguments.first + arguments.seeds))
    begin(arguments.program)
    for seed, disagreement in shown:
        print(describe(seed, disagreement), flush=True)
        print(f"  again: ./dev test oracle --from {seed} --seeds 1")
    image.close()
    print(f"{arguments.seeds - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
