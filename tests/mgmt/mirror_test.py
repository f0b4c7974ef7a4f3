#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a cluster's mirror may do: a Token of role controller, and one that is bound to its cluster.

    python3 tests/mgmt/mirror_test.py [BUILD] [NAME...]
"""
import sys

import api_test
from api_test import GATEWAY, MERGE, SLUICE, config_map, issue, maps, names, namespace, route, routes, version

TESTS = []
OLD, YOUNG = "2021-01-01T00:00:00Z", "2022-02-02T00:00:00Z"


def test(f):
    TESTS.append(f)
    return f


def token_of(name, cluster, role="controller"):
    made = api_test.token(name, role)
    return {**made, "spec": {**made["spec"], "cluster": cluster}}


def bound(m, name, cluster):
    """A client with a new token of the cluster's mirror."""
    made = m.client().ok("POST", f"{SLUICE}/tokens", token_of(name, cluster))
    return m.client(made["status"]["token"])


def aged(obj, created):
    return {**obj, "metadata": {**obj["metadata"], "creationTimestamp": created}}


def attached(name, **ref):
    """A route with this reference to its Gateway."""
    return route(name, parentRefs=[{"name": "gw", **ref}])


def changes(*items):
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def placed(obj, ns):
    return {**obj, "metadata": {**obj["metadata"], "namespace": ns}}


@test
def a_mirror_says_how_old_a_copy_is_also_of_one_that_is_there(m, c):
    mirror, chihiro = issue(m, "mirror", "controller"), issue(m, "chihiro", "cluster-operator")
    made = mirror.ok("POST", routes(), aged(route("r"), OLD))
    assert made["metadata"]["creationTimestamp"] == OLD, made
    young = mirror.ok("PUT", routes(name="r"), aged(made, YOUNG))["metadata"]
    assert young["creationTimestamp"] == YOUNG, young
    assert (young["uid"], young["generation"]) == (made["metadata"]["uid"], 1), young
    assert int(young["resourceVersion"]) > int(version(made)), "who watches hears of it"
    same = mirror.ok("PUT", routes(name="r"), route("r"))["metadata"]
    assert same == young, "who says nothing of it changes nothing"
    set_ = mirror.ok("POST", f"{SLUICE}/changesets", changes(aged(placed(route("r"), "apps"), OLD)))["items"][0]
    assert set_["metadata"]["creationTimestamp"] == OLD, set_
    said = chihiro.refused(422, "Invalid", "PUT", routes(name="r"), aged(route("r"), YOUNG))
    assert "metadata.creationTimestamp" in said["message"] and "immutable" in said["message"], said
    for wrong in ("yesterday", 7, "2022-02-30"):
        said = mirror.refused(422, "Invalid", "PUT", routes(name="r"), aged(route("r"), wrong))
        assert said["details"]["causes"][0]["field"] == "metadata.creationTimestamp", said


@test
def the_mirrors_of_two_clusters_reach_nothing_of_each_other(m, c):
    west, east = bound(m, "west", "west"), bound(m, "east", "east")
    for mirror, ns in ((west, "west-apps"), (east, "east-apps")):
        mirror.ok("POST", "/api/v1/namespaces", namespace(ns))
        mirror.ok("POST", routes(ns), route("r"))
        mirror.ok("PATCH", routes(ns, "r") + "/status", {"status": {"parents": []}}, MERGE)
        mirror.ok("POST", f"{SLUICE}/changesets", changes(placed(config_map("cm", a=ns), ns)))
    for method, path, body in (
            ("GET", routes("east-apps", "r"), None), ("GET", routes("east-apps"), None),
            ("DELETE", routes("east-apps", "r"), None), ("POST", routes("east-apps"), route("x")),
            ("PUT", routes("east-apps", "r"), route("r")), ("PATCH", routes("east-apps", "r"), {"spec": {}}),
            ("PATCH", routes("east-apps", "r") + "/status", {"status": {"parents": []}}),
            ("GET", maps("apps"), None), ("GET", maps("west-"), None), ("GET", maps("westapps"), None),
            ("GET", "/api/v1/namespaces/east-apps", None), ("DELETE", "/api/v1/namespaces/east-apps", None),
            ("POST", "/api/v1/namespaces", namespace("other")), ("POST", "/api/v1/namespaces", namespace("west-")),
            ("POST", f"{SLUICE}/changesets", changes(placed(route("x"), "east-apps"))),
            ("POST", f"{SLUICE}/changesets", changes(namespace("west-new"), namespace("new")))):
        said = west.refused(403, "Forbidden", method, path, body, MERGE if method == "PATCH" else "application/json")
        assert '"west"' in said["message"] and "west-" in said["message"], said
    said = west.refused(403, "Forbidden", "POST", f"{SLUICE}/changesets",
                        changes(placed(route("a"), "west-apps"), placed(route("x"), "east-apps")))
    assert "items[1].metadata.namespace" in said["message"], said
    assert names(c.ok("GET", routes("west-apps"))) == names(c.ok("GET", routes("east-apps"))) == ["r"]
    for ns in ("default", "kube-system"):  # which appliance it is; never more
        assert west.raw("GET", f"/api/v1/namespaces/{ns}")[0] in (200, 404)
        west.refused(403, "Forbidden", "DELETE", f"/api/v1/namespaces/{ns}")


@test
def lists_and_watches_show_a_bound_mirror_its_own_alone(m, c):
    west = bound(m, "west", "west")
    for ns in ("west-apps", "west-2", "east-apps"):
        c.ok("POST", "/api/v1/namespaces", namespace(ns))
        c.ok("POST", routes(ns), route(f"in-{ns}"))
    everywhere = f"{GATEWAY}/httproutes"
    assert names(west.ok("GET", "/api/v1/namespaces")) == ["west-2", "west-apps"]
    assert names(west.ok("GET", everywhere)) == ["in-west-2", "in-west-apps"]
    first = west.ok("GET", f"{everywhere}?limit=1")
    rest = west.ok("GET", f"{everywhere}?limit=1&continue={first['metadata']['continue']}")
    assert names(first) + names(rest) == ["in-west-2", "in-west-apps"] and "continue" not in rest["metadata"]
    assert names(west.ok("GET", f"{everywhere}?fieldSelector=metadata.namespace%3Deast-apps")) == []
    w = west.watch(everywhere, resourceVersion=version(first), timeoutSeconds=20)
    c.ok("POST", routes("east-apps"), route("unseen"))
    c.ok("DELETE", routes("east-apps", "unseen"))
    c.ok("DELETE", routes("west-2", "in-west-2"))
    kind, obj = w.next()
    assert (kind, obj["metadata"]["name"]) == ("DELETED", "in-west-2"), obj
    w.close()


@test
def what_a_bound_mirror_writes_leads_nowhere_else(m, c):
    west = bound(m, "west", "west")
    for ns in ("west-apps", "west-infra"):
        west.ok("POST", "/api/v1/namespaces", namespace(ns))
    west.ok("POST", routes("west-apps"), attached("own", namespace="west-infra"))
    west.ok("POST", routes("west-apps"), attached("near"))
    backend = {"backendRefs": [{"name": "svc", "port": 80, "namespace": "east-apps"}]}
    mirrored = {"filters": [{"type": "RequestMirror", "requestMirror": {
        "backendRef": {"name": "svc", "port": 80, "namespace": "east-apps"}}}]}
    for field, body in (("spec.parentRefs[0].namespace", attached("x", namespace="east-infra")),
                        ("spec.rules[0].backendRefs[0].namespace", route("x", rules=[backend])),
                        ("spec.rules[0].filters[0].requestMirror.backendRef.namespace",
                         route("x", rules=[mirrored]))):
        said = west.refused(403, "Forbidden", "POST", routes("west-apps"), body)
        assert field in said["message"] and '"east-' in said["message"], said
    west.refused(403, "Forbidden", "PUT", routes("west-apps", "own"), attached("own", namespace="east-infra"))
    gateway = api_test.gateway("gw", "web")
    gateways = f"{GATEWAY}/namespaces/west-infra/gateways"
    said = west.refused(403, "Forbidden", "POST", gateways, gateway)
    assert "spec.gatewayClassName" in said["message"], said
    gateway["spec"]["gatewayClassName"] = "west-c"
    labels = {"namespace": "anything", "name": "x"}  # is no reference
    gateway["spec"]["listeners"][0]["allowedRoutes"] = {"namespaces": {"from": "Selector", "selector": {
        "matchLabels": labels}}}
    west.ok("POST", gateways, gateway)


@test
def a_token_s_cluster_is_a_mirror_s_and_apart_from_all_others(m, c):
    bound(m, "west", "west")
    bound(m, "west-again", "west")  # for a second controller of the same cluster
    bound(m, "western", "western")
    for cluster in ("west-2", "west-2-b"):
        said = c.refused(422, "Invalid", "POST", f"{SLUICE}/tokens", token_of("x", cluster))
        assert "spec.cluster" in said["message"] and '"west"' in said["message"], said
    c.refused(422, "Invalid", "PATCH", f"{SLUICE}/tokens/western", {"spec": {"cluster": "west-3"}}, MERGE)
    for cluster in ("", "W", "-a", "a" * 33):
        said = c.refused(422, "Invalid", "POST", f"{SLUICE}/tokens", token_of("x", cluster))
        assert said["details"]["causes"][0]["field"] == "spec.cluster", said
    said = c.refused(422, "Invalid", "POST", f"{SLUICE}/tokens", token_of("x", "x", "cluster-operator"))
    assert "role controller" in said["message"], said
    mirror = bound(m, "north", "north")
    mirror.ok("POST", "/api/v1/namespaces", namespace("north-apps"))
    c.ok("PATCH", f"{SLUICE}/tokens/north", {"spec": {"cluster": "south"}}, MERGE)
    mirror.refused(403, "Forbidden", "GET", maps("north-apps"))


if __name__ == "__main__":
    sys.exit(api_test.main(TESTS, "mgmt/mirror"))
