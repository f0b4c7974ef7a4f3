# SPDX-License-Identifier: Apache-2.0
"""What the tests of reachability share: a Service for each pod and family, and who answers for it."""
import nodes
import objects
import suite

NS = "reach"
VIP = "198.18.0.100"
WAIT_S = 15  # a neighbour that is gone is given up after seconds


def host(n, family):
    return f"pod-{n}-ipv{family}.example"


def apply_objects(l, families=(4, 6)):
    """A Gateway, and for each pod and family a Service with that pod alone, at a hostname of its own."""
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw", VIP))
    for n in (1, 2):
        for family in families:
            name = f"pod-{n}-ipv{family}"
            api.put(objects.service(NS, name))
            api.put(nodes.slices(NS, name, n, families=(family,))[0])
            api.put(objects.route(NS, name, [f"{NS}/gw"], [objects.to(name)], host(n, family)))
    objects.gateway_address(l, NS, "gw")


def answer(l, n, family):
    """Who answers, or the status; 0: nobody within seconds, for the way went while the request was on it."""
    status, _, body = l.curl(f"http://{host(n, family)}/", address=VIP, timeout=3)
    return body.split(b" ")[0].decode() if status == 200 else status


def wait_for(l, n, family, wanted, limit_s):
    said = []

    def is_wanted():
        said.append(answer(l, n, family))
        assert said[-1] in wanted, f"answers: {said[-8:]}"
        return True
    suite.eventually(is_wanted, f"pod {n} answers {wanted} by IPv{family}", limit_s)


def wait_reached(l, *which, limit_s=WAIT_S):
    """`which`: pairs of pod and family; all of both without."""
    for n, family in which or [(1, 4), (2, 4), (1, 6), (2, 6)]:
        wait_for(l, n, family, {f"backend-{n}"}, limit_s)


def wait_unreached(l, *which, limit_s=WAIT_S):
    """Its requests are answered 503 (there is no way), or 504 if one was on its way."""
    for n, family in which or [(1, 4), (2, 4), (1, 6), (2, 6)]:
        wait_for(l, n, family, {503, 504}, limit_s)
