# SPDX-License-Identifier: Apache-2.0
"""The table that all are asked about: so many routes, 50 a host, each with a prefix or a regular expression of its own,
by `regex` 0, 1 or 2.

    hosts     h0.example.com, h1.example.com, ...
    0         /app7 ... each route's own within its host
    1         /app57/v[0-9]+/[a-z]+ ...: as much of it literal as of the prefix; no two hosts have a pattern in common,
              but all have the same rest behind what is literal, as people write them
    2         /v[0-9]+/app7/h3/[a-z]+ ...: nothing literal in front, so nobody can share what is compiled
    requests  /app7/h3/v2/items; /app57/v2/items; /v2/app7/h3/items
"""
import json

import objects

ROUTES_PER_HOST = 50
NS = "table"


class Route:
    def __init__(self, n, regex):
        self.n, self.host_n = n, n // ROUTES_PER_HOST
        self.is_regex = regex > 0
        self.host = f"h{self.host_n}.example.com"
        self.prefix = f"/app{n % ROUTES_PER_HOST}"
        below = f"{self.prefix}/h{self.host_n}"
        self.regex, self.request = "", f"{below}/v2/items"
        if regex == 1:
            self.regex, self.request = f"/app{n}/v[0-9]+/[a-z]+", f"/app{n}/v2/items"
        if regex == 2:
            self.regex, self.request = f"/v[0-9]+{below}/[a-z]+", f"/v2{below}/items"

    def match(self):
        kind, value = ("RegularExpression", self.regex) if self.is_regex else ("PathPrefix", self.prefix)
        return {"path": {"type": kind, "value": value}}


def routes(n, regex):
    return [Route(i, regex) for i in range(n)]


def services(n):
    """As many as hosts: the routes of a host share one."""
    return range((n + ROUTES_PER_HOST - 1) // ROUTES_PER_HOST)


def service_name(n):
    return f"svc-{n}"


def write_requests(path, table):
    """"HOST PATH" a line, for each route one, in its order."""
    with open(path, "w") as f:
        f.writelines(f"{r.host} {r.request}\n" for r in table)


def write_list(path, items):
    with open(path, "w") as f:
        json.dump({"apiVersion": "v1", "kind": "List", "items": list(items)}, f)


def appliance():
    """One port, one Gateway with one listener."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NS}},
        {"apiVersion": "sluice.internal/v1", "kind": "Interface", "metadata": {"name": "uplink"},
         "spec": {"port": "p0", "addresses": ["198.18.0.1/24"]}},
        {"apiVersion": "sluice.internal/v1", "kind": "AddressPool", "metadata": {"name": "vips"},
         "spec": {"addresses": ["198.18.0.8/29"], "interface": "uplink"}},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": "foo-lb"},
         "spec": {"controllerName": "sluice.internal/gateway-controller"}},
        objects.gateway(NS, "gw", "198.18.0.10"),
    ]


def objects_of(table, *endpoints):
    """The routes with their Services and EndpointSlices."""
    for n in services(len(table)):
        yield objects.service(NS, service_name(n))
        yield objects.slice_of(NS, service_name(n), *endpoints)
    for r in table:
        rule = objects.matching(r.match(), objects.to(service_name(r.host_n)))
        yield objects.route(NS, f"route-{r.n}", [f"{NS}/gw"], [rule], r.host)
