# SPDX-License-Identifier: Apache-2.0
"""Bodies to and from Linux over links that lose, reorder, duplicate, delay and corrupt: intact, and in bounded time.

In each test any two values of any two factors meet; LINK_MATRIX=full runs every combination (half an hour),
LINK_MATRIX=N so many of them, drawn by LINK_MATRIX_SEED.
"""
import concurrent.futures
import hashlib
import json
import os
import queue
import random
import time

import backend
import links
import origin
import pairs
import suite

FACTORS = {
    "loss": (0, 0.1, 1, 3, 10),     # percent of the frames, both directions
    "reorder": (0, 2, 20),          # percent that come REORDER_MS late
    "duplicate": (0, 1, 10),        # percent
    "delay_ms": (0, 10, 50, 100),   # one way: round trips of 0 to 200 ms
    "corrupt": (0, 0.1, 1),         # percent with a bit flipped
    "family": (4, 6),
}
WORST = [{"loss": 10, "reorder": 20, "duplicate": 10, "delay_ms": 100, "corrupt": 1, "family": f} for f in (4, 6)]
MISHAPS = ("lost", "reordered", "duplicated", "corrupted")  # as the link counts them
REORDER_MS = 5
KIB = 1 << 10
BODY_BYTES_MIN, BODY_BYTES_MAX = 64 * KIB, 2048 * KIB
BODY_S = 2       # a body is what such a link carries in about this time
LIMIT_S = 60     # of a transfer, connecting included
WANTED = os.environ.get("LINK_MATRIX", "pairs")
SEED = int(os.environ.get("LINK_MATRIX_SEED", "1"))


def lab():
    return links.LinkLab("link-matrix")


def prepare(l):
    l.start_backends(backend.Origin)
    l.appliance.start()
    l.addresses = l.apply_lanes()
    for family, address in l.addresses.items():
        url = f"http://{links.host(links.CLEAN, family)}/echo"
        suite.eventually(lambda u=url, a=address: l.curl(u, address=a)[0] == 200, f"it serves IPv{family}", 10)


def rows():
    """The combinations of a test."""
    if WANTED == "pairs":
        return pairs.covering(FACTORS) + WORST
    every = pairs.product(FACTORS)
    random.Random(SEED).shuffle(every)
    return every if WANTED == "full" else every[:int(WANTED)]


def body_bytes(row):
    """By the formula of Mathis et al. (1997): what TCP gets over a link is MSS / (RTT * sqrt(loss))."""
    lost = max(row["loss"] + row["corrupt"], 0.01) / 100
    rate = 1448 / (max(2 * row["delay_ms"], 1) / 1000 * lost ** 0.5)
    return int(min(max(rate * BODY_S, BODY_BYTES_MIN), BODY_BYTES_MAX))


def link_options(row, seed):
    said = ["--seed", str(seed), "--reorder_ms", str(REORDER_MS)]
    for name in ("loss", "reorder", "duplicate", "delay_ms", "corrupt"):
        said += [f"--{name}", str(row[name])]
    return said


def download(l, client, backend_number, row, n):
    status, _, body = backend.curl(l[client], f"http://{links.host(backend_number, row['family'])}/bytes/{n}",
                                   address=l.addresses[row["family"]], timeout=LIMIT_S)
    assert status == 200, f"status {status} {body[:200]}"
    assert len(body) == n, f"{len(body)} of {n} bytes"
    assert hashlib.sha256(body).hexdigest() == origin.expected_sha256(n), "damaged"


def upload(l, client, backend_number, row, n):
    url = f"http://{links.host(backend_number, row['family'])}/upload"
    source = os.path.join(l.dir, f"body-{client}-{backend_number}")
    with open(source, "wb") as f:
        f.writelines(origin.pieces(n))
    status, _, body = backend.curl(l[client], url, "-T", source, address=l.addresses[row["family"]], timeout=LIMIT_S)
    assert status == 200, f"status {status} {body[:200]}"
    assert json.loads(body) == {"length": n, "sha256": origin.expected_sha256(n)}, f"damaged: {body}"


def one(l, lane, move, is_front, row, seed):
    """One transfer over the lane's link in front of us, or behind us: (what went wrong or None, what the link did)."""
    near = f"client-{lane}" if is_front else f"b{links.backend_of(lane)}"
    client, server = (f"client-{lane}", links.CLEAN) if is_front else ("client", links.backend_of(lane))
    n, started = body_bytes(row), time.monotonic()
    link = l.start_link(near, *link_options(row, seed))
    fault = None
    try:
        move(l, client, server, row, n)
    except AssertionError as e:
        fault = f"{row} seed {seed}: {n} bytes, after {time.monotonic() - started:.1f} s: {e}"
    finally:
        link.end()
    return fault, link.counts


def run(l, move, is_front):
    """All rows, as many at a time as there are lanes."""
    lanes = queue.SimpleQueue()
    for lane in range(links.LANES):
        lanes.put(lane)

    def on_a_lane(job):
        seed, row = job
        lane = lanes.get()
        try:
            return one(l, lane, move, is_front, row, seed)
        finally:
            lanes.put(lane)

    wanted = rows()
    with concurrent.futures.ThreadPoolExecutor(links.LANES) as pool:
        done = list(pool.map(on_a_lane, enumerate(wanted, SEED)))
    faults = [f"{fault}; {counts}" for fault, counts in done if fault]
    assert not faults, f"{len(faults)} of {len(wanted)} failed:\n" + "\n".join(faults)
    did = {what: sum(c[f"there_{what}"] + c[f"back_{what}"] for _, c in done) for what in MISHAPS}
    print(f"         {len(wanted)} transfers; frames " + ", ".join(f"{w} {n}" for w, n in did.items()), flush=True)
    assert all(did.values()), "a mishap did not happen"


@suite.test("#2")
def a_client_behind_a_bad_link_downloads_intact(l):
    run(l, download, True)


@suite.test("#2")
def a_client_behind_a_bad_link_uploads_intact(l):
    run(l, upload, True)


@suite.test("#2")
def a_backend_behind_a_bad_link_answers_intact(l):
    run(l, download, False)


@suite.test("#2")
def a_backend_behind_a_bad_link_is_sent_bodies_intact(l):
    run(l, upload, False)
