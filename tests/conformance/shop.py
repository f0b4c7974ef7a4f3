# SPDX-License-Identifier: Apache-2.0
"""A shop in a cluster: a Gateway, routes that are asked all the time, changes that go on all the time, and what has to
be true of it when all is said and done.

    s = shop.Shop(l); s.open()
    with s.traffic(), s.changes(seed) as changes: ...
    s.settle()
"""
import contextlib
import http.client
import random
import threading

import api
import beside
import lab as labs
import load
import objects
import rig
import suite

NS = "shop"
ROUTES = 5
SETTLE_S = 150  # the longest back-off is a minute, and a program may be just starting
RATE = 40       # requests a second of each route that is asked
ASKED = 3       # so many of them
EXTRAS = 6      # routes that come and go
PAUSE_S = 0.25  # between two changes
KEPT = ("Gateway", "HTTPRoute", "Service", "EndpointSlice", "Secret")
UNREACHABLE = (OSError, http.client.HTTPException, api.Refused)


def host(name):
    return f"{name}.example.com"


def versioned(version):
    """A route's rules that say who they are."""
    return [{**objects.to("one"), "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": {
        "set": [{"name": "X-Version", "value": version}]}}]}]


def version_of(route):
    return route["spec"]["rules"][0]["filters"][0]["responseHeaderModifier"]["set"][0]["value"]


def bare(obj):
    """As somebody would have kept it outside of the cluster."""
    kept = {k: obj["metadata"][k] for k in ("name", "namespace", "labels", "annotations") if k in obj["metadata"]}
    return {**{k: v for k, v in obj.items() if k != "status"}, "metadata": kept}


def insist(call, what, limit_s=60):
    """Calls until the API server takes it."""
    def tried():
        try:
            return call() or True
        except UNREACHABLE as e:
            raise AssertionError(str(e)) from e
    return suite.eventually(tried, what, limit_s)


class Shop:
    """`cluster` and `appliance` are the rig's; the client is one of its own."""

    def __init__(self, l):
        self.l, self.api, self.box = l, l.cluster.new_api(), l.appliance.new_api()
        self.names = [f"r{n}" for n in range(ROUTES)]
        self.loads = []

    # ---- what there is

    def kept(self):
        """What stays all the time; the last route refers to nothing, and its status says so."""
        crt, key = self.l.cluster.authority.server("shop", host("r0"))
        gateway = objects.gateway(NS, "gw", from_="All")
        gateway["spec"]["gatewayClassName"] = rig.CLASS
        gateway["spec"]["listeners"].append(objects.https("tls", "shop"))
        return [objects.namespace(NS), objects.tls_secret(NS, "shop", crt, key), gateway, objects.service(NS, "one"),
                objects.slice_of(NS, "one", labs.backend_address(1)), *[self.route(n) for n in self.names],
                objects.route(NS, "bad", [f"{NS}/gw"], [objects.to("nobody")], host("bad"))]

    def route(self, name, version="first", ns=NS):
        return objects.route(ns, name, [f"{NS}/gw"], versioned(version), host(name))

    def open(self):
        for o in self.kept():
            self.api.put(o)

        def address():
            status = self.api.get("Gateway", "gw", NS).get("status", {})
            return next((a["value"] for a in status.get("addresses", []) if ":" not in a["value"]), None)
        self.vip = suite.eventually(address, "the Gateway has an address", SETTLE_S)
        self.settle()
        self.uids = self.copies()

    def copies(self):
        """{(kind, name): uid} at the appliance, of what stays. One that was removed and made anew has another uid."""
        found = {}
        for kind in KEPT:
            for o in self.box.list(kind, NS):
                if not o["metadata"]["name"].startswith("extra-"):
                    found[kind, o["metadata"]["name"]] = o["metadata"]["uid"]
        return found

    def require_untouched(self):
        now = self.copies()
        assert now == self.uids, f"removed at the appliance: {set(self.uids.items()) - set(now.items())}"

    # ---- load and changes

    @contextlib.contextmanager
    def traffic(self):
        """Asks all the time; at the end nothing may have failed."""
        with contextlib.ExitStack() as stack:
            self.loads = [stack.enter_context(load.Load(self.l, self.vip, host(name), connections=4, rate=RATE))
                          for name in self.names[:ASKED]]
            yield
        for one in self.loads:
            one.require_clean(1)

    def requests(self):
        """(ok, failed, connections closed) of the load that has ended."""
        return tuple(sum(one.end()[what] for one in self.loads) for what in ("ok", "failed", "closed"))

    def changes(self, seed):
        return Changes(self.l, seed)

    # ---- what has to be true

    def settle(self, limit_s=SETTLE_S):
        """Until cluster, appliance, wire and statuses say the same."""
        insist(self.require_settled, "cluster, appliance and wire say the same", limit_s)

    def require_settled(self):
        routes = {o["metadata"]["name"]: o for o in self.api.list("HTTPRoute", NS)}
        assert set(self.names) <= set(routes), sorted(routes)
        there = {o["metadata"]["name"] for o in self.box.list("HTTPRoute", NS)}
        assert there == set(routes), f"routes at the appliance {sorted(there)}, in the cluster {sorted(routes)}"
        for kind, name in (("GatewayClass", rig.CLASS), ("Gateway", "gw")):
            found = self.api.get(kind, name, NS)
            self.require_status(found, found["status"], Accepted="True",
                                **({"Programmed": "True"} if kind == "Gateway" else {}))
        for name, found in routes.items():
            said = found["status"]["parents"]
            assert len(said) == 1, said
            self.require_status(found, said[0], Accepted="True", ResolvedRefs="False" if name == "bad" else "True")
        for name in [n for n in routes if n != "bad"]:
            status, headers, _ = self.l.curl(f"http://{host(name)}/", address=self.vip)
            said, wanted = headers.get("x-version"), version_of(routes[name])
            assert (status, said) == (200, wanted), f"{name}: {status} of {said}, wanted {wanted}"
        body = self.l.curl(f"https://{host('r0')}/", "-k", address=self.vip)[2].split(b" ")[0].decode()
        asked = self.api.get("EndpointSlice", "one-ipv4", NS)["endpoints"][0]["addresses"][0]
        assert labs.backend_address(int(body.rpartition("-")[2])) == asked, f"{body} answers, {asked} is the endpoint"

    @staticmethod
    def require_status(obj, status, **wanted):
        generation = obj["metadata"]["generation"]
        for kind, value in wanted.items():
            c = objects.condition(status, kind)
            assert c["status"] == value and c["observedGeneration"] == generation, \
                f"{obj['kind']} {obj['metadata']['name']}: {kind} is {c}, of generation {generation}"


class Changes(beside.Beside):
    """Changes routes and endpoints and has routes come and go, until the block ends. What the cluster does not take is
    not done. `pause` keeps it still."""

    def __init__(self, l, seed):
        super().__init__(self.run)
        self.l, self.rng, self.api = l, random.Random(f"changes {seed}"), l.cluster.new_api()
        self.shop = Shop(l)
        self.pause = threading.Lock()
        self.taken = self.refused = 0

    def run(self):
        while not self.over.wait(PAUSE_S):
            with self.pause:
                try:
                    self.rng.choice((self.route, self.route, self.endpoint, self.come, self.go))()
                    self.taken += 1
                except UNREACHABLE:
                    self.refused += 1

    def route(self):
        self.api.patch("HTTPRoute", self.rng.choice(self.shop.names),
                       {"spec": {"rules": versioned(f"v{self.rng.randrange(10 ** 6)}")}}, NS)

    def endpoint(self):
        self.api.patch("EndpointSlice", "one-ipv4", {"endpoints": [
            {"addresses": [labs.backend_address(self.rng.choice((1, 2)))], "conditions": {"ready": True}}]}, NS)

    def come(self):
        self.api.put(self.shop.route(f"extra-{self.rng.randrange(EXTRAS)}", f"v{self.taken}"))

    def go(self):
        self.api.delete("HTTPRoute", f"extra-{self.rng.randrange(EXTRAS)}", NS)
