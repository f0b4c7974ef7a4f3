#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench: numbers of the appliance in the lab, as `name value` lines. All, or those named.

Everything runs on one machine, clients and backends too, so the numbers compare versions of this tree on the same
machine and say little about a box of its own.
"""
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lab"), os.path.join(HERE, "..", "e2e")]

import cleanup  # noqa: E402 (its folder is known only now)
import lab as labs  # noqa: E402
import mgmt as scale  # noqa: E402
import tenants as many  # noqa: E402
from told import tell  # noqa: E402
import objects  # noqa: E402
import proxies  # noqa: E402
import steady as by_api  # noqa: E402

HOST = "foo.example.com"
SECONDS = 5
DOWNLOAD_BYTES = 512 << 20


class Cycles:
    """What the workers' own clocks say of a block: share of rounds that did something, cycles a request."""

    def __init__(self, l):
        self.l = l

    def __enter__(self):
        self.before = self.l.appliance.counters()
        return self

    def __exit__(self, *_):
        after = self.l.appliance.counters()
        self.spent = {name: after[name] - self.before[name] for name in after}

    def tell(self, name, requests):
        busy, io = self.spent["core_cycles_busy"], self.spent["core_cycles_io"]
        tell(f"{name}_busy", 100 * busy / max(1, self.spent["core_cycles_total"]), "percent")
        if requests:
            tell(f"{name}_busy_cycles_a_request", busy / requests, "cycles")
            tell(f"{name}_io_cycles_a_request", io / requests, "cycles")


def seconds_of(text):
    """wrk's "1.23ms" in microseconds."""
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6}[unit]


def wrk(l, address, name, *options):
    with Cycles(l) as cycles:
        out = l["client"].run("wrk", "-t", "1", "-d", str(SECONDS), "--latency", *options, "-H", f"Host: {HOST}",
                              f"http://{address}:80/", timeout=SECONDS + 30).stdout
    requests = int(re.search(r"(\d+) requests in", out)[1])
    tell(f"{name}_rate", float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), "requests_a_second")
    for share in ("50", "99"):
        tell(f"{name}_p{share}", seconds_of(re.search(rf"{share}%\s+(\S+)", out)[1]), "us")
    cycles.tell(name, requests)
    if "Socket errors" in out or "Non-2xx" in out:
        print(f"  (with errors: {out})")


def keepalive(l, address):
    """Small answers on 16 kept connections."""
    wrk(l, address, "keepalive", "-c", "16")


def connections(l, address):
    """A connection for each request."""
    wrk(l, address, "connections", "-c", "16", "-H", "Connection: close")


def download(l, address):
    """One large body."""
    with open(os.path.join(l.dir, "files", "big"), "wb") as f:
        f.truncate(DOWNLOAD_BYTES)
    with Cycles(l) as cycles:
        started = time.monotonic()
        got = l["client"].run("curl", "-sS", "-o", "/dev/null", "-w", "%{size_download}", "--resolve",
                              f"{HOST}:80:{address}", f"http://{HOST}/files/big", timeout=120).stdout
    assert int(got) == DOWNLOAD_BYTES, got
    tell("download", DOWNLOAD_BYTES * 8 / (time.monotonic() - started) / 1e6, "mbit_a_second")
    cycles.tell("download", 0)


def change(l, address):
    """From an API call to its effect on the wire."""
    took = []
    for n in range(50):
        rule = {**objects.to("foo-svc"), "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {
            "set": [{"name": "X-Change", "value": str(n)}]}}]}
        started = time.monotonic()
        l.appliance.api.patch("HTTPRoute", "my-route", {"spec": {"rules": [rule]}}, objects.NS2)
        answered = time.monotonic()
        while l.curl(f"http://{HOST}/", address=address)[1].get("x-change") != str(n):
            assert time.monotonic() - started < 10, "the change does not take effect"
        took.append((answered - started, time.monotonic() - started))
    took.sort()
    tell("change_answered_median", 1e3 * sorted(t[0] for t in took)[25], "ms")
    tell("change_effect_median", 1e3 * sorted(t[1] for t in took)[25], "ms")


def mgmt(l, address):
    """Thousands of objects. The one that takes minutes: only when it is named."""
    scale.mgmt(l, tell, lambda: change(l, address))


def tenants(l, _):
    """A thousand ListenerSets on one Gateway."""
    many.tenants(l, tell)


def steady(l, _):
    """Minutes of endpoint changes under load, with thousands of objects."""
    by_api.steady(l, by_api.Direct(l))


def http(l, address):
    """Beside HAProxy and nginx."""
    proxies.bench(l, address, RESULTS)


RESULTS = []  # of benches with peers, for --json
BENCHES = {"keepalive": keepalive, "connections": connections, "download": download, "change": change, "http": http}
NAMED = {"mgmt": mgmt, "tenants": tenants, "steady": steady}


def main(names):
    cleanup.end_on_signals()
    json_file = None
    if names[:1] == ["--json"]:
        json_file, names = names[1], names[2:]
    unknown = set(names) - set(BENCHES) - set(NAMED)
    if unknown:
        sys.exit(f"no such bench: {', '.join(unknown)} (there are: {', '.join([*BENCHES, *NAMED])})")
    try:
        with labs.Lab("bench", backends=2, workers=int(os.environ.get("WORKERS", "1"))) as l:
            objects.bring_up(l, *objects.OVERVIEW)
            address = objects.gateway_address(l, objects.NS1, "foo-gateway")
            objects.wait_answer(l, address, HOST, {"backend-1", "backend-2"})
            for name in names or BENCHES:
                {**BENCHES, **NAMED}[name](l, address)
    except cleanup.Ended:
        return 130
    if json_file:
        proxies.write(json_file, RESULTS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
