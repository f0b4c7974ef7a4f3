# SPDX-License-Identifier: Apache-2.0
"""Conformance: paths, headers, query parameters and methods, within a route and across routes."""
import conformance
from conformance_names import V1, V2, V3
from exchange import Case, expect

VERSION_1, VERSION_2 = {"Version": "one"}, {"Version": "two"}
NAMED = {n: {"version": n} for n in ("one", "two", "three", "four")}


def lab():
    return conformance.lab("matching")


def prepare(l):
    conformance.prepare(l)


@conformance.test("HTTPRouteSimpleSameNamespace")
def httproute_simple_same_namespace(l):
    with conformance.applied(l, "simple-same-namespace"):
        expect(l, conformance.accepted(l, "same-namespace", "gateway-conformance-infra-test"), Case("/", V1))


@conformance.test("HTTPRouteExactPathMatching")
def httproute_exact_path_matching(l):
    with conformance.applied(l, "exact-path-matching"):
        expect(l, conformance.accepted(l, "same-namespace", "exact-matching"),
               Case("/one", V1), Case("/two", V2), Case("/", status=404), Case("/one/example", status=404),
               Case("/two/", status=404), Case("/Two", status=404))


@conformance.test("HTTPRouteMatching")
def httproute_matching(l):
    with conformance.applied(l, "matching"):
        expect(l, conformance.accepted(l, "same-namespace", "matching"),
               Case("/", V1), Case("/example", V1), Case("/", V1, headers=VERSION_1), Case("/v2", V2),
               Case("/v2/example", V2), Case("/", V2, headers=VERSION_2), Case("/v2/", V2),
               Case("/v2example", V1), Case("/foo/v2/example", V1))


@conformance.test("HTTPRouteMatchingAcrossRoutes")
def httproute_matching_across_routes(l):
    com, net = "example.com", "example.net"
    with conformance.applied(l, "matching-across-routes"):
        expect(l, conformance.accepted(l, "same-namespace", "matching-part1", "matching-part2"),
               Case("/", V1, host=com), Case("/example", V1, host=com), Case("/example", V1, host=net),
               Case("/example", V1, host=com, headers=VERSION_1), Case("/v2", V2, host=com), Case("/v2", V1, host=net),
               Case("/v2/example", V2, host=com), Case("/", V2, host=com, headers=VERSION_2))


@conformance.test("HTTPRoutePathMatchOrder")
def httproute_path_match_order(l):
    with conformance.applied(l, "path-match-order"):
        expect(l, conformance.accepted(l, "same-namespace", "path-matching-order"),
               Case("/match/exact/one", V3), Case("/match/exact", V2), Case("/match", V1),
               Case("/match/prefix/one/any", V2), Case("/match/prefix/any", V1), Case("/match/any", V3))


@conformance.test("HTTPRouteHeaderMatching")
def httproute_header_matching(l):
    both = {c: {**VERSION_2, "Color": c} for c in ("orange", "blue")}
    colours = {c: {"Color": c} for c in ("orange", "blue", "green", "red", "yellow", "purple")}
    with conformance.applied(l, "header-matching"):
        expect(l, conformance.accepted(l, "same-namespace", "header-matching"),
               Case("/", V1, headers=VERSION_1), Case("/", V2, headers=VERSION_2),
               Case("/", V1, headers=both["orange"]), Case("/", V2, headers=both["blue"]),
               Case("/", status=404, headers=colours["orange"]),
               Case("/", status=404, headers={"Some-Other-Header": "one"}),
               Case("/", V1, headers=colours["blue"]), Case("/", V1, headers=colours["green"]),
               Case("/", V2, headers=colours["red"]), Case("/", V2, headers=colours["yellow"]),
               Case("/", status=404, headers=colours["purple"]))


@conformance.test("HTTPRouteQueryParamMatching")
def httproute_query_param_matching(l):
    with conformance.applied(l, "query-param-matching"):
        expect(l, conformance.accepted(l, "same-namespace", "query-param-matching"),
               Case("/?animal=whale", V1), Case("/?animal=dolphin", V2), Case("/?animal=dolphin&color=blue", V3),
               Case("/?ANIMAL=Whale", V3), Case("/?animal=whale&otherparam=irrelevant", V1),
               Case("/?animal=dolphin&color=yellow", V2), Case("/?color=blue", status=404),
               Case("/?animal=dog", status=404), Case("/?animal=whaledolphin", status=404), Case("/", status=404),
               # together with other matches
               Case("/path1?animal=whale", V1), Case("/?animal=whale", V2, headers=NAMED["one"]),
               Case("/path2?animal=whale", V3, headers=NAMED["two"]),
               # of matches side by side one is enough, of conditions in a match all are needed
               Case("/path3?animal=shark", V1), Case("/path4?animal=kraken", V1, headers=NAMED["three"]),
               Case("/?animal=shark", status=404), Case("/path4?animal=kraken", status=404),
               # precedence
               Case("/path5?animal=hydra", V1), Case("/?animal=hydra", V3, headers=NAMED["four"]))


@conformance.test("HTTPRouteMethodMatching")
def httproute_method_matching(l):
    with conformance.applied(l, "method-matching"):
        expect(l, conformance.accepted(l, "same-namespace", "method-matching"),
               Case("/", V1, method="POST"), Case("/", V2), Case("/", status=404, method="HEAD"),
               # together with other matches
               Case("/path1", V1), Case("/", V2, method="PUT", headers=NAMED["one"]),
               Case("/path2", V3, method="POST", headers=NAMED["two"]),
               # of matches side by side one is enough, of conditions in a match all are needed
               Case("/path3", V1, method="PATCH"), Case("/path4", V1, method="DELETE", headers=NAMED["three"]),
               Case("/", status=404, method="PUT"), Case("/path4", status=404, method="DELETE"),
               # precedence
               Case("/path5", V1, method="PATCH"), Case("/", V2, method="PATCH", headers=NAMED["four"]))


@conformance.test("HTTPRouteNamedRule")
def httproute_named_rule(l):
    with conformance.applied(l, "named-rule"):
        expect(l, conformance.accepted(l, "same-namespace", "http-named-rules"), Case("/named"), Case("/unnamed"))
