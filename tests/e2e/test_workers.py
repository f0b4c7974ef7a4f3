# SPDX-License-Identifier: Apache-2.0
"""One worker and two give the same answers; with two, frames are handed to the worker that owns their flow."""
import backend
import lab as labs
import load
import objects
import suite
from objects import NS1

HOST = "foo.example.com"
REQUESTS = (("/echo", ()), ("/echo", ("-I",)), ("/bytes/100000", ()), ("/chunked/100000", ()), ("/status/404", ()),
            ("/upload", ("-d", "x" * 5000)), ("/until-close/5000", ()), ("/cut/1000", ()), ("/echo", ("--http1.0",)))


def outcomes(l):
    """What each request gave, without what may differ (which backend, dates, ports)."""
    address = objects.gateway_address(l, NS1, "foo-gateway")
    suite.eventually(lambda: l.curl(f"http://{HOST}/echo", address=address)[0] == 200, "it serves")
    found = []
    for path, options in REQUESTS * 3:
        status, headers, body = l.curl(f"http://{HOST}{path}", *options, address=address)
        names = sorted(n for n in headers if n not in ("date", "x-backend"))
        found.append((path, options, status, names, len(body) if "/bytes" in path or "/chunked" in path else status))
    return found


def run(workers):
    with labs.Lab(f"workers-{workers}", backends=2, workers=workers) as l:
        l.start_backends(backend.Origin)
        objects.bring_up(l, *objects.OVERVIEW)
        found = outcomes(l)
        address = objects.gateway_address(l, NS1, "foo-gateway")
        with load.Load(l, address, HOST, path="/echo", connections=16, rate=300) as running:
            suite.eventually(lambda: l.appliance.counters()["core_rx_packets"] > 3000, "packets flow", 15)
            running.require_clean(at_least=100)
        return found, l.appliance.counters(), [w for w in range(workers) if worker_counts(l, w)["core_rx_packets"]]


def worker_counts(l, n):
    import control
    return control.hello(l.appliance.run_dir).telemetry.worker(n)


@suite.test("#6")
def one_worker_and_two_give_the_same_answers_and_two_hand_frames_over():
    one, counts_one, _ = run(1)
    two, counts_two, busy = run(2)
    assert one == two, [pair for pair in zip(one, two) if pair[0] != pair[1]]
    assert counts_one["core_handoff_rx_out"] == 0, counts_one
    assert counts_two["core_handoff_rx_out"] > 0 and counts_two["core_handoff_rx_in"] > 0, counts_two
    assert counts_two["core_handoff_rx_out"] == counts_two["core_handoff_rx_in"]
    assert busy, "no worker received anything"
