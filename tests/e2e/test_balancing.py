# SPDX-License-Identifier: Apache-2.0
"""Which endpoint is next, as a TransportPolicy's balancing says it."""
import collections

import lab as labs
import objects
import suite

NS, HOST = "balancing", "app.example.com"
N_BACKENDS, WORKERS = 3, 2
ALL = {f"backend-{n}" for n in range(1, N_BACKENDS + 1)}


def lab():
    return labs.Lab("balancing", backends=N_BACKENDS, workers=WORKERS)


def prepare(l):
    l.start_backends()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    for o in (objects.namespace(NS), objects.gateway(NS, "gw"), objects.service(NS, "app"),
              objects.slice_of(NS, "app", *[labs.backend_address(n) for n in range(1, N_BACKENDS + 1)]),
              objects.route(NS, "app", [f"{NS}/gw"], [objects.to("app")], HOST)):
        l.appliance.api.put(o)
    objects.wait_answer(l, objects.gateway_address(l, NS, "gw"), HOST, ALL)


def spread(l, n):
    """The most and the fewest requests that a backend had of n."""
    address = objects.gateway_address(l, NS, "gw")
    had = collections.Counter(objects.answers(l, address, HOST) for _ in range(n))
    assert set(had) <= ALL, had
    return max(had.values()) - (min(had.values()) if len(had) == N_BACKENDS else 0)


@suite.test("#4")
def in_turn_each_endpoint_has_as_many_requests_as_the_others(l):
    l.appliance.api.put({"apiVersion": "sluice.internal/v1", "kind": "TransportPolicy",
                         "metadata": {"namespace": NS, "name": "turns"},
                         "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "app"}],
                                  "balancing": "RoundRobin"}})
    # each worker counts for itself
    suite.eventually(lambda: spread(l, 30) <= WORKERS, "endpoints are asked in turn", 20)
    assert spread(l, 90) <= WORKERS
    objects.require_policy(l, "TransportPolicy", "turns", NS)
