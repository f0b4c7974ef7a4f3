# SPDX-License-Identifier: Apache-2.0
"""Conformance: redirects, and time limits."""
import conformance
from exchange import Case, expect

SAME, ORG = "same-namespace", "example.org"


def lab():
    return conformance.lab("redirects")


def prepare(l):
    conformance.prepare(l)


def redirects(l, name, *cases):
    """The manifests redirect-NAME have a route called so."""
    with conformance.applied(l, f"redirect-{name}"):
        expect(l, conformance.accepted(l, SAME, f"redirect-{name}"), *cases)


def to(asked, status=302, **where):
    return Case(asked, status=status, redirect=where)


def is_redirected(l, status, path, method="GET"):
    with conformance.applied(l, f"{status}-redirect"):
        expect(l, conformance.accepted(l, SAME, f"{status}-redirect"),
               Case(path, status=status, method=method, redirect={"path": path}))


@conformance.test("HTTPRoute303Redirect")
def httproute_303_redirect(l):
    is_redirected(l, 303, "/see-other", "POST")


@conformance.test("HTTPRoute307Redirect")
def httproute_307_redirect(l):
    is_redirected(l, 307, "/temporary")


@conformance.test("HTTPRoute308Redirect")
def httproute_308_redirect(l):
    is_redirected(l, 308, "/permanent")


@conformance.test("HTTPRouteRedirectHostAndStatus")
def httproute_redirect_host_and_status(l):
    redirects(l, "host-and-status", to("/hostname-redirect", host=ORG), to("/host-and-status", 301, host=ORG))


@conformance.test("HTTPRouteRedirectPath")
def httproute_redirect_path(l):
    redirects(l, "path", to("/original-prefix/lemon", path="/replacement-prefix/lemon"),
              to("/full/path/original", path="/full-path-replacement"),
              to("/path-and-host", host=ORG, path="/replacement-prefix"),
              to("/path-and-status", 301, path="/replacement-prefix"),
              to("/full-path-and-host", host=ORG, path="/replacement-full"),
              to("/full-path-and-status", 301, path="/replacement-full"))


@conformance.test("HTTPRouteRedirectPort")
def httproute_redirect_port(l):
    redirects(l, "port", to("/port", port=8083), to("/port-and-host", host=ORG, port=8083),
              to("/port-and-status", 301, port=8083), to("/port-and-host-and-status", host=ORG, port=8083))


@conformance.test("HTTPRouteRedirectScheme")
def httproute_redirect_scheme(l):
    redirects(l, "scheme", to("/scheme", scheme="https"), to("/scheme-and-host", scheme="https", host=ORG),
              to("/scheme-and-status", 301, scheme="https"),
              to("/scheme-and-host-and-status", scheme="https", host=ORG))


@conformance.test("HTTPRouteRedirectPortAndScheme")
def httproute_redirect_port_and_scheme(l):
    with conformance.applied(l, "redirect-port-and-scheme"):
        expect(l, conformance.accepted(l, SAME, "http-route-for-listener-on-port-80"),
               to("/scheme-nil-and-port-nil", host=ORG), to("/scheme-nil-and-port-80", host=ORG),
               to("/scheme-nil-and-port-8080", host=ORG, port=8080),
               to("/scheme-https-and-port-nil", host=ORG, scheme="https"),
               to("/scheme-https-and-port-443", host=ORG, scheme="https"),
               to("/scheme-https-and-port-8443", host=ORG, scheme="https", port=8443))
        expect(l, conformance.accepted(l, f"{SAME}-with-http-listener-on-8080", "http-route-for-listener-on-port-8080"),
               to("/scheme-nil-and-port-nil", host=ORG, port=8080), to("/scheme-nil-and-port-80", host=ORG),
               to("/scheme-https-and-port-nil", host=ORG, scheme="https"), port=8080)
        address, tls = conformance.https(l, "http-route-for-listener-on-port-443")
        cases = (("scheme-nil-and-port-nil", {}), ("scheme-nil-and-port-443", {}),
                 ("scheme-nil-and-port-8443", {"port": 8443}), ("scheme-http-and-port-nil", {"scheme": "http"}),
                 ("scheme-http-and-port-80", {"scheme": "http"}),
                 ("scheme-http-and-port-8080", {"scheme": "http", "port": 8080}))
        expect(l, address, *[Case(f"/{path}", status=302, host=ORG, redirect={"host": ORG, **where})
                             for path, where in cases], port=443, tls=tls)


def is_limited(l, which, route, path):
    with conformance.applied(l, f"timeout-{which}"):
        expect(l, conformance.accepted(l, SAME, route), Case(f"/{path}"), Case(f"/{path}?delay=1s", status=504),
               Case(f"/disable-{path}?delay=1s"))


@conformance.test("HTTPRouteTimeoutRequest")
def httproute_timeout_request(l):
    is_limited(l, "request", "request-timeout", "request-timeout")


@conformance.test("HTTPRouteTimeoutBackendRequest")
def httproute_timeout_backend_request(l):
    is_limited(l, "backend-request", "backend-request-timeout", "backend-timeout")
