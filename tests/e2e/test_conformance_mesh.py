# SPDX-License-Identifier: Apache-2.0
"""Conformance: routes attached to Services (GAMMA), asked by pods of two namespaces."""
import collections
import concurrent.futures
import functools

import calls
import conformance
import exchange
import mesh
import suite
from exchange import AT_ONCE, ask, expect, modified
from mesh import MESH, V1, V2
from modifiers import request_cases

Case = functools.partial(exchange.Case, namespace=MESH)
SET, NOT_SET = {"answer": {"X-Header-Set": "set"}}, {"answer_absent": ("X-Header-Set",)}
ECHO = "/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/Echo"
SHARES, SHARE_ERROR_MAX, TIMES, TRIES = {V1: 0.7, V2: 0.3}, 0.05, 500, 10
test = functools.partial(conformance.test, rows="S21")


def lab():
    return mesh.lab("suite")


def prepare(l):
    l.grpc = calls.program()
    mesh.prepare(l)


def answers(l, manifest, route, *cases):
    """While the suite's manifest holds, a pod of the Service's namespace asks Service echo."""
    with mesh.applied(l, manifest):
        expect(l.v1, mesh.attached(l, "echo", route), *cases)


def redirected(asked, status=302, **to):
    return Case(asked, status=status, host="echo", redirect=to)


def address_of(l, name):
    return l.services[MESH, name][0]


@test("MeshBasic")
def mesh_basic(l):
    expect(l.v1, address_of(l, "echo"), Case("/"))


@test("MeshFrontend")
def mesh_frontend(l):
    with mesh.applied(l, "mesh-frontend"):
        expect(l.v1, mesh.attached(l, V2, "mesh-split-v1"), Case("/", V2, **SET))
        expect(l.v1, mesh.labs.backend_address(2), Case("/", V2, **NOT_SET), port=mesh.HTTP)


@test("MeshFrontendHostname")
def mesh_frontend_hostname(l):
    with mesh.applied(l, "mesh-frontend"):
        expect(l.v1, mesh.attached(l, V2, "mesh-split-v1"), Case("/", V2, host="echo-v1", **SET))
        expect(l.v1, address_of(l, V1), Case("/", V1, host="echo-v2", **NOT_SET))


@test("MeshPorts")
def mesh_ports(l):
    with mesh.applied(l, "mesh-ports"):
        expect(l.v1, mesh.attached(l, V1, "mesh-split-v1"), Case("/", V1, answer={"X-Header-Set": "v1"}))
        expect(l.v1, address_of(l, V1), Case("/", V1, **NOT_SET), port=8080)
        expect(l.v1, mesh.attached(l, V2, "mesh-split-v2"), Case("/", V2, answer={"X-Header-Set": "v2"}))
        expect(l.v1, address_of(l, V2), Case("/", V2, answer={"X-Header-Set": "v2"}), port=8080)


@test("MeshTrafficSplit")
def mesh_traffic_split(l):
    answers(l, "mesh-split", "mesh-split", Case("/v1", V1), Case("/v2", V2), Case("/v3", status=404))


@test("MeshConsumerRoute")
def mesh_consumer_route(l):
    with mesh.applied(l, "mesh-consumer-route"):
        address = mesh.attached(l, V1, "mesh-echo-add-header", namespace=mesh.CONSUMER)
        expect(l.consumer, address, Case("/", V1, **SET))
        expect(l.v1, address, Case("/", V1, **NOT_SET))


@test("MeshHTTPRouteSimpleSameNamespace")
def mesh_http_route_simple_same_namespace(l):
    answers(l, "httproute-simple-same-namespace", "gateway-conformance-mesh-test", Case("/", V1))


@test("MeshHTTPRouteMatching")
def mesh_http_route_matching(l):
    one, two = {"Version": "one"}, {"Version": "two"}
    answers(l, "httproute-matching", "mesh-matching", Case("/", V1), Case("/example", V1), Case("/", V1, headers=one),
            Case("/v2", V2), Case("/v2/example", V2), Case("/", V2, headers=two), Case("/v2/", V2),
            Case("/v2example", V1), Case("/foo/v2/example", V1))


@test("MeshHTTPRouteNamedRule")
def mesh_http_route_named_rule(l):
    answers(l, "httproute-named-rule", "mesh-http-named-rules", Case("/named", V1), Case("/unnamed", V2))


@test("MeshHTTPRouteQueryParamMatching")
def mesh_http_route_query_param_matching(l):
    answered = [("/?animal=whale", V1), ("/?animal=dolphin", V2), ("/?animal=whale&otherparam=irrelevant", V1),
                ("/?animal=dolphin&color=yellow", V2), ("/path1?animal=whale", V1), ("/path3?animal=shark", V1),
                ("/path5?animal=hydra", V1)]
    refused = ("/?color=blue", "/?animal=dog", "/?animal=whaledolphin", "/", "/?animal=shark", "/path4?animal=kraken")
    answers(l, "httproute-query-param-matching", "mesh-query-param-matching",
            *[Case(path, backend) for path, backend in answered], *[Case(path, status=404) for path in refused],
            Case("/?animal=whale", V2, headers={"version": "one"}),
            Case("/path4?animal=kraken", V1, headers={"version": "three"}))


@test("MeshHTTPRouteRedirectHostAndStatus")
def mesh_http_route_redirect_host_and_status(l):
    answers(l, "httproute-redirect-host-and-status", "mesh-redirect-host-and-status",
            redirected("/hostname-redirect", host="example.org"),
            redirected("/host-and-status", 301, host="example.org"))


@test("MeshHTTPRouteRedirectPath")
def mesh_http_route_redirect_path(l):
    answers(l, "httproute-redirect-path", "mesh-redirect-path",
            redirected("/original-prefix/lemon", path="/replacement-prefix/lemon"),
            redirected("/full/path/original", path="/full-path-replacement"),
            redirected("/path-and-host", host="example.org", path="/replacement-prefix"),
            redirected("/path-and-status", 301, path="/replacement-prefix"),
            redirected("/full-path-and-host", host="example.org", path="/replacement-full"),
            redirected("/full-path-and-status", 301, path="/replacement-full"))


@test("MeshHTTPRouteRedirectPort")
def mesh_http_route_redirect_port(l):
    answers(l, "httproute-redirect-port", "mesh-redirect-port", redirected("/port", port=8083),
            redirected("/port-and-host", host="example.org", port=8083),
            redirected("/port-and-status", 301, port=8083),
            redirected("/port-and-host-and-status", 302, host="example.org", port=8083))


@test("MeshHTTPRouteSchemeRedirect")
def mesh_http_route_scheme_redirect(l):
    answers(l, "httproute-redirect-scheme", "mesh-redirect-scheme", redirected("/scheme", scheme="https"),
            redirected("/scheme-and-host", host="example.org", scheme="https"),
            redirected("/scheme-and-status", 301, scheme="https"),
            redirected("/scheme-and-host-and-status", 302, host="example.org", scheme="https"))


@test("MeshHTTPRoute303Redirect")
def mesh_http_route_303_redirect(l):
    answers(l, "httproute-303-redirect", "mesh-303-redirect", redirected("/redirect", 303, path="/redirect"))


@test("MeshHTTPRoute307Redirect")
def mesh_http_route_307_redirect(l):
    answers(l, "httproute-307-redirect", "mesh-307-redirect", redirected("/temporary", 307, path="/temporary"))


@test("MeshHTTPRoute308Redirect")
def mesh_http_route_308_redirect(l):
    answers(l, "httproute-308-redirect", "mesh-308-redirect", redirected("/permanent", 308, path="/permanent"))


@test("MeshHTTPRouteRequestHeaderModifier")
def mesh_http_route_request_header_modifier(l):
    answers(l, "httproute-request-header-modifier", "mesh-request-header-modifier", *request_cases(V1, namespace=MESH))


@test("MeshHTTPRouteBackendRequestHeaderModifier")
def mesh_http_route_backend_request_header_modifier(l):
    answers(l, "httproute-request-header-modifier-backend", "mesh-request-header-modifier",
            *request_cases(V1, namespace=MESH))


@test("MeshHTTPRouteRewritePath")
def mesh_http_route_rewrite_path(l):
    answers(l, "httproute-rewrite-path", "mesh-rewrite-path", Case("/prefix/one/two", V1, seen_path="/one/two"),
            Case("/strip-prefix/three", V1, seen_path="/three"), Case("/strip-prefix", V1, seen_path="/"),
            Case("/full/one/two", V1, seen_path="/one"),
            *[modified(path, V1, {"X-Header-Set": "set-val"}, namespace=MESH, seen_path=seen) for path, seen in
              (("/full/rewrite-path-and-modify-headers/test", "/test"),
               ("/prefix/rewrite-path-and-modify-headers/one", "/prefix/one"))])


def has_shares(ask_all):
    """One of some rounds of TIMES answers is shared as it should be; `ask_all` gives the pods of a round."""
    for _ in range(TRIES):
        counted = collections.Counter(pod.rsplit("-", 2)[0] for pod in ask_all())
        if counted.keys() == SHARES.keys() and \
                all(abs(counted[v] / TIMES - share) <= SHARE_ERROR_MAX for v, share in SHARES.items()):
            return
    raise AssertionError(f"after {TRIES} times {TIMES} still {counted}")


@test("MeshHTTPRouteWeight")
def mesh_http_route_weight(l):
    with mesh.applied(l, "httproute-weight"):
        address = mesh.attached(l, "echo", "mesh-weighted-backends")
        expect(l.v1, address, Case("/"))
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            has_shares(lambda: pool.map(lambda _: ask(l.v1, address, Case("/")).echo()["pod"], range(TIMES)))


@test("MeshGRPCRouteWeight")
def mesh_grpc_route_weight(l):
    with mesh.applied(l, "grpcroute-weight"):
        route = "mesh-grpc-weighted-backends"  # one of its backends is not there, and gets nothing
        to = f"{mesh.attached(l, 'echo', route, kind='GRPCRoute', are_resolved=False)}:{mesh.GRPC}"
        suite.eventually(lambda: calls.one(l.v1, to, ECHO)["code"] == "OK", "calls are answered")
        has_shares(lambda: [said["pod"] for said in calls.call(l.v1, to, ECHO, options=["-times", str(TIMES)])])
