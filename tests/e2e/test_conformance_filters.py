# SPDX-License-Identifier: Apache-2.0
"""Conformance: header modifiers and rewrites, and which backend is chosen with which."""
import collections
import concurrent.futures

import conformance
from conformance_names import V1, V2, V3
from exchange import AT_ONCE, MODIFIED, TO_MODIFY, Case, ask, expect, modified
from modifiers import ANOTHER, LOWER, OTHER, REMOVED_TWO, SEVERAL, SEVERAL_DONE, THIRD_ADDED, request_cases

SHARES = {V1: 0.7, V2: 0.3, V3: 0.0}
REQUESTS, SHARE_ERROR_MAX, TRIES = 500, 0.05, 10


def lab():
    return conformance.lab("filters")


def prepare(l):
    conformance.prepare(l)


@conformance.test("HTTPRouteRequestHeaderModifier")
def httproute_request_header_modifier(l):
    with conformance.applied(l, "request-header-modifier"):
        expect(l, conformance.accepted(l, "same-namespace", "request-header-modifier"), *request_cases(V1))


@conformance.test("HTTPRouteBackendRequestHeaderModifier")
def httproute_backend_request_header_modifier(l):
    with conformance.applied(l, "request-header-modifier-backend"):
        expect(l, conformance.accepted(l, "same-namespace", "request-header-modifier"), *request_cases(V1))


@conformance.test("HTTPRouteRequestHeaderModifierBackendWeights")
def httproute_request_header_modifier_backend_weights(l):
    with conformance.applied(l, "request-header-modifier-backend-weights"):
        address = conformance.accepted(l, "same-namespace", "request-header-modifier-backend-weights")
        expect(l, address, Case("/"))
        for _ in range(100):
            said = ask(l, address, Case("/")).echo()
            assert said["headers"].get("backend") and said["pod"].startswith(said["headers"]["backend"]), said


def response_modifier_cases():
    set_, added = {"X-Header-Set": "set-overwrites-values"}, {"X-Header-Add": "add-appends-values"}
    cased = {"X-Header-Set": "header-set", "X-Header-Add": "original-val-add,header-add", **ANOTHER,
             **{f"X-{case.capitalize()}-Add{n}": f"{case}-add{n}"
                for case, n in (("lowercase", ""), ("mixedcase", "-1"), ("mixedcase", "-2"), ("uppercase", ""))}}
    echo = {"X-Header-Echo": "echo"}
    return [Case("/set", V1, backend_sets=OTHER, answer={**OTHER, **set_}),
            Case("/set", V1, backend_sets={**OTHER, "X-Header-Set": "some-other-value"}, answer={**OTHER, **set_}),
            Case("/add", V1, backend_sets=OTHER, answer={**OTHER, **added}),
            Case("/add", V1, backend_sets={**OTHER, "X-Header-Add": "some-other-value"},
                 answer={**OTHER, "X-Header-Add": "some-other-value,add-appends-values"}),
            Case("/remove", V1, backend_sets={"X-Header-Remove": "val"}, answer_absent=("X-Header-Remove",)),
            Case("/multiple", V1, backend_sets={**SEVERAL, "X-Header-Remove-1": "val"},
                 answer={**SEVERAL_DONE, **THIRD_ADDED}, answer_absent=REMOVED_TWO),
            Case("/case-insensitivity", V1, backend_sets={**LOWER, **ANOTHER}, answer=cased,
                 answer_absent=("x-header-remove",)),
            Case("/response-and-request-header-modifiers", V1, headers={**TO_MODIFY, **echo}, seen={**MODIFIED, **echo},
                 seen_absent=("X-Header-Remove",), answer={**SEVERAL_DONE, **echo}, answer_absent=REMOVED_TWO,
                 backend_sets={**SEVERAL, **echo, "X-Header-Remove-1": "remove-val-1"})]


@conformance.test("HTTPRouteResponseHeaderModifier")
def httproute_response_header_modifier(l):
    with conformance.applied(l, "response-header-modifier"):
        expect(l, conformance.accepted(l, "same-namespace", "response-header-modifier"), *response_modifier_cases())


@conformance.test("HTTPRouteRewriteHost")
def httproute_rewrite_host(l):
    host = "rewrite.example"
    with conformance.applied(l, "rewrite-host"):
        expect(l, conformance.accepted(l, "same-namespace", "rewrite-host"),
               Case("/one", V1, host=host, seen_host="one.example.org"),
               Case("/two", V2, host=host, seen_host="example.org"),
               modified("/rewrite-host-and-modify-headers", V2, host=host, seen_host="test.example.org"))


@conformance.test("HTTPRouteRewritePath")
def httproute_rewrite_path(l):
    more = {"X-Header-Set": "set-val"}
    with conformance.applied(l, "rewrite-path"):
        expect(l, conformance.accepted(l, "same-namespace", "rewrite-path"),
               Case("/prefix/one/two", V1, seen_path="/one/two"), Case("/strip-prefix/three", V1, seen_path="/three"),
               Case("/strip-prefix", V1, seen_path="/"), Case("/full/one/two", V1, seen_path="/one"),
               modified("/full/rewrite-path-and-modify-headers/test", V1, more, seen_path="/test"),
               modified("/prefix/rewrite-path-and-modify-headers/one", V1, more, seen_path="/prefix/one"))


def shares_seen(l, address):
    """{Deployment: its share of the requests}."""
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        pods = pool.map(lambda _: ask(l, address, Case("/")).echo()["pod"], range(REQUESTS))
        counted = collections.Counter(pod.rsplit("-", 2)[0] for pod in pods)
    return {name: counted[name] / REQUESTS for name in {*counted, *SHARES}}


@conformance.test("HTTPRouteWeight")
def httproute_weight(l):
    with conformance.applied(l, "weight"):
        address = conformance.accepted(l, "same-namespace", "weighted-backends")
        expect(l, address, Case("/"))
        for _ in range(TRIES):
            seen = shares_seen(l, address)
            assert set(seen) == set(SHARES) and seen[V3] == 0, seen
            if all(abs(seen[name] - share) <= SHARE_ERROR_MAX for name, share in SHARES.items()):
                return
        raise AssertionError(f"after {TRIES} times {REQUESTS} requests still {seen}")
