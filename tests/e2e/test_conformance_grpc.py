# SPDX-License-Identifier: Apache-2.0
"""Conformance: GRPCRoutes, with the suite's gRPC echo server and Go's client."""
import collections

import calls
import conformance
import suite

SERVICE = "gateway_api_conformance.echo_basic.grpcecho.GrpcEcho"
V1, V2, V3 = "grpc-infra-backend-v1", "grpc-infra-backend-v2", "grpc-infra-backend-v3"
SAME = "same-namespace"
SHARES, SHARE_ERROR_MAX, CALLS, TRIES = {V1: 0.7, V2: 0.3, V3: 0.0}, 0.05, 500, 10


def lab():
    return conformance.lab("grpc", "grpc")


def prepare(l):
    l.grpc = calls.program()
    conformance.prepare(l, "grpc")


def asks(l, address, wanted, *metadata, method="Echo", authority=""):
    """A call is answered by a pod whose name begins with `wanted`, or has that code."""
    def is_so():
        said = calls.one(l, f"{address}:80", f"/{SERVICE}/{method}", *metadata,
                         options=["-authority", authority] if authority else [])
        if wanted[0].isupper():
            assert said["code"] == wanted, said
        else:
            assert said["code"] == "OK" and said["pod"].startswith(wanted), said
            assert said["method"] == f"/{SERVICE}/{method}", said
        return True
    suite.eventually(is_so, f"{method} {metadata} {authority}: {wanted}", conformance.STATUS_S)


@conformance.test("GRPCExactMethodMatching")
def grpc_exact_method_matching(l):
    with conformance.applied(l, "exact-method-matching", "grpcroute-"):
        address = conformance.accepted(l, SAME, "GRPCRoute:exact-matching")
        for method, wanted in (("Echo", V1), ("EchoTwo", V2), ("EchoThree", "Unimplemented")):
            asks(l, address, wanted, method=method)


@conformance.test("GRPCRouteHeaderMatching")
def grpcroute_header_matching(l):
    none = "Unimplemented"
    with conformance.applied(l, "header-matching", "grpcroute-"):
        address = conformance.accepted(l, SAME, "GRPCRoute:grpc-header-matching")
        for wanted, *metadata in (
                (V1, "version:one"), (V2, "version:two"), (V1, "version:two", "color:orange"),
                (V2, "version:two", "color:blue"), (none, "color:orange"), (none, "some-other-header:one"),
                (V1, "color:blue"), (V1, "color:green"), (V2, "color:red"), (V2, "color:yellow"),
                (none, "color:purple")):
            asks(l, address, wanted, *metadata)


@conformance.test("GRPCRouteListenerHostnameMatching")
def grpcroute_listener_hostname_matching(l):
    gateway, none = "grpcroute-listener-hostname-matching", "Unimplemented"
    with conformance.applied(l, "listener-hostname-matching", "grpcroute-"):
        conformance.accepted(l, gateway, "GRPCRoute:backend-v1", sections=["listener-1"])
        conformance.accepted(l, gateway, "GRPCRoute:backend-v2", sections=["listener-2"])
        address = conformance.accepted(l, gateway, "GRPCRoute:backend-v3", sections=["listener-3", "listener-4"])
        for host, wanted in (("bar.com", V1), ("foo.bar.com", V2), ("baz.bar.com", V3), ("boo.bar.com", V3),
                             ("multiple.prefixes.bar.com", V3), ("multiple.prefixes.foo.com", V3), ("foo.com", none),
                             ("no.matching.host", none)):
            asks(l, address, wanted, authority=host)


@conformance.test("GRPCRouteNamedRule")
def grpcroute_named_rule(l):
    with conformance.applied(l, "named-rule", "grpcroute-"):
        address = conformance.accepted(l, SAME, "GRPCRoute:grpc-named-rules")
        asks(l, address, V1)
        asks(l, address, V2, method="EchoTwo")


@conformance.test("GRPCRouteWeight")
def grpcroute_weight(l):
    with conformance.applied(l, "weight", "grpcroute-"):
        address = conformance.accepted(l, SAME, "GRPCRoute:weighted-backends")
        asks(l, address, "grpc-infra-backend")
        for _ in range(TRIES):
            said = calls.call(l, f"{address}:80", f"/{SERVICE}/Echo", options=["-times", str(CALLS)])
            counted = collections.Counter(s["pod"].rsplit("-", 2)[0] for s in said)
            if counted[V3] == 0 and all(abs(counted[v] / CALLS - n) <= SHARE_ERROR_MAX for v, n in SHARES.items()):
                return
        raise AssertionError(f"after {TRIES} times {CALLS} calls still {counted}")
