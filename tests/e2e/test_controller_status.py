# SPDX-License-Identifier: Apache-2.0
"""What sluice-controller writes to a cluster: statuses, Events, what stands for a Gateway, finalizers, and its Lease.
The cluster is lab/apiserver.py."""
import api
import cluster
import fake_cluster
import lab as labs
import objects
import suite
import test_controller

NS, HOST, CLASS = "shop", "shop.example.com", "foo-lb"
OURS = "sluice.internal/gateway-controller"
FINALIZER = "gateway-exists-finalizer.gateway.networking.k8s.io"
SLOW_S = 15    # what goes by the appliance and back
LEASE_S = 40   # a holder that was killed: its 15 s, and what machines with two cores add
it = {}


def lab():
    return labs.Lab("controller_status", backends=1)


def prepare(l):
    l.start_backends()
    l.appliance.start()
    l.appliance.ctl("apply", "-f", "-", input=test_controller.box_of())
    it["cluster"] = c = fake_cluster.FakeCluster(l)
    c.start()
    it["controller"] = fake_cluster.Controller(c, [l.appliance], "--mesh", "--watch-secrets")
    it["controller"].start()
    test_controller.apply_shop(c.api)


def cluster_api():
    return it["cluster"].api


def read(kind, name, ns=NS):
    """The object in the cluster; None: it is gone."""
    return cluster_api().find(kind, name, ns)


def says(kind, name, condition, wanted, ns=NS):
    """Waits until the object's own condition has that status and speaks of its generation; the object."""
    def check():
        obj = read(kind, name, ns)
        c = objects.condition(obj["status"], condition)
        return c["status"] == wanted and c.get("observedGeneration") == obj["metadata"]["generation"] and obj
    return suite.eventually(check, f"{kind} {name} says {condition}: {wanted} of its generation", SLOW_S)


def parents(name, controller=OURS):
    return [p for p in (read("HTTPRoute", name).get("status") or {}).get("parents", [])
            if p["controllerName"] == controller]


def route_says(name, condition, wanted):
    """The same of the one parent of ours that a route has; its entry."""
    def check():
        mine, generation = parents(name), read("HTTPRoute", name)["metadata"]["generation"]
        c = objects.condition(mine[0], condition) if len(mine) == 1 else {"status": "missing"}
        return c["status"] == wanted and c["observedGeneration"] == generation and mine[0]
    return suite.eventually(check, f"route {name} says {condition}: {wanted} of its generation", SLOW_S)


def idle():
    """Waits until no status waits to be looked at or written."""
    suite.eventually(lambda: it["controller"].metrics()["sluice_controller_status_pending"] == 0, "nothing is pending")


@suite.test("#8")
def statuses_of_all_kinds_come_back_to_the_cluster(l):
    gateway = says("Gateway", "gw", "Programmed", "True")
    there = l.appliance.api.get("Gateway", "gw", NS)
    assert gateway["status"]["addresses"] == there["status"]["addresses"] != [], gateway["status"]
    assert objects.condition(gateway["status"]["listeners"][0], "Programmed")["status"] == "True", gateway["status"]
    entry = route_says("app", "Accepted", "True")
    assert entry["parentRef"]["name"] == "gw", entry
    assert objects.condition(entry, "ResolvedRefs")["status"] == "True", entry
    suite.eventually(lambda: read("Gateway", "gw")["status"]["listeners"][0]["attachedRoutes"] == 1,
                     "the route is counted")
    said = says("GatewayClass", CLASS, "Accepted", "True", None)
    features = [f["name"] for f in said["status"]["supportedFeatures"]]
    assert {"HTTPRoute", "GatewayInfrastructurePropagation"} <= set(features) and features == sorted(features), features
    assert FINALIZER in said["metadata"]["finalizers"], said["metadata"]


@suite.test("#8")
def a_route_that_is_accepted_is_on_the_wire(l):
    test_controller.serves(l)


@suite.test("#8")
def programmed_is_not_said_of_what_no_worker_has_confirmed(l):
    l.appliance.dataplane.kill()
    before = says("Gateway", "gw", "Programmed", "True")
    cluster_api().patch("Gateway", "gw", {"spec": {"listeners": [
        *before["spec"]["listeners"], {"name": "more", "port": 8080, "protocol": "HTTP"}]}}, NS)
    says("Gateway", "gw", "Accepted", "True")
    said = read("Gateway", "gw")
    assert objects.condition(said["status"], "Programmed")["status"] == "Unknown", said["status"]
    l.appliance.start_dataplane()
    after = says("Gateway", "gw", "Programmed", "True")
    assert [x["name"] for x in after["status"]["listeners"]] == ["web", "more"], after["status"]
    accepted = [objects.condition(o["status"], "Accepted") for o in (before, after)]
    assert accepted[0]["lastTransitionTime"] == accepted[1]["lastTransitionTime"], accepted


@suite.test("#8")
def entries_of_other_controllers_stay_as_and_where_they_are(l):
    theirs = {"parentRef": {"name": "gw"}, "controllerName": "example.com/other", "conditions": [
        {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "theirs", "observedGeneration": 1,
         "lastTransitionTime": "2020-01-01T00:00:00Z"}]}
    url = api.path("HTTPRoute", NS, "app") + "/status"
    mine = parents("app")
    cluster_api().call("PATCH", url, {"status": {"parents": [theirs, *mine]}}, api.MERGE_PATCH)
    cluster_api().patch("HTTPRoute", "app", {"spec": {"hostnames": [HOST, "www.example.com"]}}, NS)
    route_says("app", "Accepted", "True")
    said = read("HTTPRoute", "app")["status"]["parents"]
    assert said[0] == theirs and len(said) == 2, said
    cluster_api().call("PATCH", url, {"status": {"parents": []}}, api.MERGE_PATCH)
    suite.eventually(lambda: len(parents("app")) == 1, "what somebody took away comes again")


@suite.test("#8")
def an_object_that_the_appliance_refuses_says_why_and_stops_no_other(l):
    bad = objects.gateway(NS, "bad")
    bad["spec"]["listeners"][0]["port"] = 70000
    cluster_api().put(bad)
    said = says("Gateway", "bad", "Accepted", "False")
    assert "spec.listeners[0].port" in objects.condition(said["status"], "Accepted")["message"], said["status"]
    assert objects.condition(said["status"], "Programmed")["status"] == "False", said["status"]
    cluster_api().put(objects.route(NS, "bad", [f"{NS}/gw"], [{"matches": [{"path": {"value": "no-slash"}}],
                                                             **objects.to("one")}], "bad.example.com"))
    entry = route_says("bad", "Accepted", "False")
    assert "spec.rules[0].matches[0].path" in objects.condition(entry, "Accepted")["message"], entry
    test_controller.serves(l)
    cluster_api().patch("Gateway", "bad", {"spec": {"listeners": objects.gateway(NS, "bad")["spec"]["listeners"]}}, NS)
    says("Gateway", "bad", "Programmed", "True")
    for kind in ("HTTPRoute", "Gateway"):
        cluster_api().delete(kind, "bad", NS)


@suite.test("#8")
def a_refused_route_whose_only_parent_is_a_service_says_why(l):
    parent = {"group": "", "kind": "Service", "name": "one"}
    cluster_api().put(objects.route(NS, "mesh", [parent], [{"matches": [{"path": {"value": "no-slash"}}],
                                                           **objects.to("one")}]))
    entry = route_says("mesh", "Accepted", "False")
    assert entry["parentRef"] == parent, entry
    assert "spec.rules[0].matches[0].path" in objects.condition(entry, "Accepted")["message"], entry
    cluster_api().put(objects.route(NS, "mesh", [parent], [objects.to("one")]))
    suite.eventually(lambda: not parents("mesh"), "no Service is served here: nothing more is said of it")
    cluster_api().delete("HTTPRoute", "mesh", NS)


@suite.test("#8")
def a_route_that_leaves_has_no_entry_of_ours_any_more(l):
    cluster_api().put(objects.route(NS, "leaving", [f"{NS}/gw"], [objects.to("one")], "leaving.example.com"))
    route_says("leaving", "Accepted", "True")
    cluster_api().patch("HTTPRoute", "leaving", {"spec": {"parentRefs": [{"name": "nobody"}]}}, NS)
    suite.eventually(lambda: not parents("leaving"), "the entry is gone")
    cluster_api().delete("HTTPRoute", "leaving", NS)


@suite.test("#8")
def a_conflict_and_failures_are_done_anew(l):
    before = it["controller"].metrics()
    it["cluster"].order("PATCH .*/httproutes/app/status", 409, 4)  # more than are done anew at once
    cluster_api().patch("HTTPRoute", "app", {"spec": {"hostnames": [HOST]}}, NS)
    route_says("app", "Accepted", "True")
    it["cluster"].order("PATCH .*/httproutes/app/status", 500, 2)
    cluster_api().patch("HTTPRoute", "app", {"spec": {"hostnames": [HOST, "second.example.com"]}}, NS)
    route_says("app", "Accepted", "True")
    after = it["controller"].metrics()
    for name in ("conflicts", "failures"):
        name = f"sluice_controller_status_{name}_total"
        assert after[name] > before[name], (name, before[name], after[name])


@suite.test("#8")
def what_says_the_same_is_not_written(l):
    idle()
    it["cluster"].forget_requests()
    cluster_api().patch("HTTPRoute", "app", {"metadata": {"annotations": {"example.com/note": "x"}}}, NS)
    cluster_api().put(objects.route(NS, "mark", [f"{NS}/gw"], [objects.to("one")], "mark.example.com"))
    route_says("mark", "Accepted", "True")
    idle()
    written = [r["path"] for r in it["cluster"].requests("PATCH", "/status")]
    assert all("/mark/" in p or "/gateways/" in p for p in written), written  # the Gateway counts the route
    assert sum("/mark/" in p for p in written) == 1, written
    cluster_api().delete("HTTPRoute", "mark", NS)


@suite.test("#8")
def what_the_server_makes_something_else_of_is_written_once_and_not_for_ever(l):
    it["cluster"].order("PATCH .*/httproutes/vain/status", -2, 0)
    it["cluster"].forget_requests()
    cluster_api().put(objects.route(NS, "vain", [f"{NS}/gw"], [objects.to("one")], "vain.example.com"))
    entry = route_says("vain", "Accepted", "True")
    assert objects.condition(entry, "Accepted")["message"] == "", entry

    def written():
        return len(it["cluster"].requests("PATCH", "/vain/status"))
    idle()
    assert written() <= 2, written()
    before = written()
    cluster_api().patch("HTTPRoute", "vain", {"spec": {"hostnames": ["vain2.example.com"]}}, NS)
    route_says("vain", "Accepted", "True")  # a change of it is news again
    idle()
    assert before < written() <= before + 2, written()
    it["cluster"].heal()
    cluster_api().delete("HTTPRoute", "vain", NS)


@suite.test("#8")
def a_secret_is_watched_by_its_name_alone(l):
    def secret(value):
        return {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NS, "name": "wanted"},
                "data": {"k": objects.encoded(value)}}

    def copied():
        return l.appliance.api.get("Secret", "wanted", NS)["data"]["k"]
    it["cluster"].forget_requests()
    cluster_api().put(secret("1"))
    gateway = objects.gateway(NS, "secret")
    gateway["spec"]["listeners"].append(objects.https("tls", "wanted"))
    cluster_api().put(gateway)

    def watched():
        return [r["path"] for r in it["cluster"].requests("GET", "/secrets?") if "watch=true" in r["path"]]
    suite.eventually(watched, "it is watched", SLOW_S)
    assert all(f"/namespaces/{NS}/secrets?" in p and "fieldSelector=metadata.name%3Dwanted" in p for p in watched()), \
        watched()
    for value in ("2", "3", "4"):
        cluster_api().put(secret(value))
        suite.eventually(lambda: copied() == objects.encoded(value), "the copy follows", SLOW_S)
    cluster_api().delete("Gateway", "secret", NS)
    cluster_api().delete("Secret", "wanted", NS)


@suite.test("#8")
def a_backend_is_copied_and_what_the_appliance_says_of_it_comes_back(l):
    cluster_api().put({"apiVersion": "sluice.internal/v1", "kind": "Backend",
                       "metadata": {"namespace": NS, "name": "box"},
                       "spec": {"endpoints": [{"address": labs.backend_address(1), "port": 8080}]}})
    ref = {"group": "sluice.internal", "kind": "Backend", "name": "box"}
    cluster_api().put(objects.route(NS, "box", [f"{NS}/gw"], [{"backendRefs": [ref]}], "box.example.com"))
    test_controller.serves(l, host="box.example.com", limit_s=SLOW_S)
    suite.eventually(lambda: all(c["observedGeneration"] == 1 for c in read("Backend", "box")["status"]["conditions"]),
                     "the Backend has a status")
    for kind in ("HTTPRoute", "Backend"):
        cluster_api().delete(kind, "box", NS)


@suite.test("#8")
def transitions_are_told_by_events(l):
    def told(kind, name):
        return {(e["type"], e["reason"]) for e in cluster_api().list("Event", NS)
                if (e["involvedObject"]["kind"], e["involvedObject"]["name"]) == (kind, name)}
    suite.eventually(lambda: {("Normal", "Accepted"), ("Normal", "Programmed")} <= told("Gateway", "gw"),
                     "the Gateway's")
    suite.eventually(lambda: ("Normal", "Accepted") in told("HTTPRoute", "app"), "the route's")
    suite.eventually(lambda: ("Warning", "Invalid") in told("Gateway", "bad"), "the refused Gateway's")
    suite.eventually(lambda: ("Warning", "UnsupportedValue") in told("HTTPRoute", "bad"), "the refused route's")
    event = next(e for e in cluster_api().list("Event", NS) if e["involvedObject"]["name"] == "gw")
    assert event["involvedObject"]["uid"] == read("Gateway", "gw")["metadata"]["uid"], event
    assert event["source"]["component"] == "sluice-controller", event


@suite.test("#8")
def a_gateway_has_a_name_in_the_cluster_with_its_labels_and_annotations(l):
    cluster_api().patch("Gateway", "gw", {"spec": {"infrastructure": {
        "labels": {"team": "a"}, "annotations": {"example.com/cost": "12"}}}}, NS)
    name = f"gw-{CLASS}"

    def made(kind, suffix=""):
        obj = read(kind, name + suffix)
        meta = obj["metadata"] if obj else {"labels": {}}
        return meta["labels"].get("team") == "a" and meta["annotations"].get("example.com/cost") == "12" and obj
    service = suite.eventually(lambda: made("Service"), "the Service carries them")
    gateway = read("Gateway", "gw")
    owner = service["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("Gateway", gateway["metadata"]["uid"]), owner
    assert service["metadata"]["labels"]["gateway.networking.k8s.io/gateway-name"] == "gw", service
    assert service["spec"] == {"type": "ClusterIP", "clusterIP": "None"}, service
    slice_ = suite.eventually(lambda: made("EndpointSlice", "-ipv4"), "the EndpointSlice carries them")
    addresses = [a["value"] for a in gateway["status"]["addresses"] if ":" not in a["value"]]
    assert slice_["endpoints"][0]["addresses"] == addresses, slice_
    assert slice_["metadata"]["labels"]["kubernetes.io/service-name"] == name, slice_
    cluster_api().patch("Service", name, {"metadata": {"labels": {"theirs": "stays", "team": "changed"}}}, NS)
    suite.eventually(lambda: read("Service", name)["metadata"]["labels"].get("team") == "a", "ours is put right")
    cluster_api().patch("Gateway", "gw", {"spec": {"infrastructure": {"labels": None}}}, NS)
    suite.eventually(lambda: "team" not in read("Service", name)["metadata"]["labels"], "what is asked no more goes")
    assert read("Service", name)["metadata"]["labels"]["theirs"] == "stays"


@suite.test("#8")
def a_name_that_somebody_else_has_is_left_alone(l):
    theirs = objects.service(NS, f"second-{CLASS}")
    cluster_api().put(theirs)
    cluster_api().put(objects.gateway(NS, "second"))
    says("Gateway", "second", "Accepted", "True")
    suite.eventually(lambda: any(e["reason"] == "InfrastructureNameTaken" for e in cluster_api().list("Event", NS)),
                     "an Event tells of it")
    assert "ownerReferences" not in read("Service", f"second-{CLASS}")["metadata"]
    cluster_api().delete("Gateway", "second", NS)


@suite.test("#8")
def health_and_metrics_are_served(l):
    assert it["controller"].ask("/livez") == (200, "ok\n")
    assert it["controller"].ask("/readyz") == (200, "ok\n")
    assert it["controller"].ask("/nothing")[0] == 404
    status, said = it["controller"].ask("/metrics")
    assert status == 200 and said.endswith("# EOF\n"), said[-200:]
    families = [line.split()[2] for line in said.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families)) > 20, families
    assert it["controller"].metrics()["sluice_controller_leader"] == 1


@suite.test("#8")
def of_two_appliances_the_one_that_lags_is_named_and_holds_programmed_back(l):
    second = cluster.Cluster(l, "second", fake_cluster.PORT + 1)  # it takes copies, and never says anything of them
    second.start()
    controller = it["controller"]
    controller.end_in_good_order()
    controller.others = [second]
    controller.start()
    said = objects.condition(says("Gateway", "gw", "Programmed", "Unknown")["status"], "Programmed")
    name = f"{cluster.ADDRESS}:{fake_cluster.PORT + 1}"
    assert said["reason"] == "Pending" and said["message"].endswith(name), said
    suite.eventually(lambda: name in objects.condition(parents("app")[0], "Accepted")["message"], "the route names it")
    test_controller.serves(l)
    controller.end_in_good_order()
    controller.others = []
    controller.start()
    says("Gateway", "gw", "Programmed", "True")


@suite.test("#8")
def two_controllers_have_one_that_writes(l):
    it["other"] = other = fake_cluster.Controller(it["cluster"], [l.appliance], name="other", port=8081)
    other.start()
    suite.eventually(other.is_ready, "the other is ready", SLOW_S)
    lease = read("Lease", "sluice-controller", "default")
    assert lease["spec"]["holderIdentity"] == "controller", lease
    cluster_api().put(objects.route(NS, "two", [f"{NS}/gw"], [objects.to("one")], "two.example.com"))
    route_says("two", "Accepted", "True")
    said = other.metrics()
    assert said["sluice_controller_leader"] == 0, said
    assert said["sluice_controller_status_writes_total"] == 0, said
    assert sum(v for k, v in said.items() if k.startswith("sluice_controller_mirror_writes_total")) == 0, said


@suite.test("#8")
def who_ends_in_good_order_gives_the_lease_to_the_other(l):
    it["controller"].end_in_good_order()
    suite.eventually(lambda: read("Lease", "sluice-controller", "default")["spec"]["holderIdentity"] == "other",
                     "the other holds it", SLOW_S)
    cluster_api().patch("HTTPRoute", "two", {"spec": {"hostnames": ["three.example.com"]}}, NS)
    route_says("two", "Accepted", "True")
    test_controller.serves(l, host="three.example.com", limit_s=SLOW_S)


@suite.test("#8")
def who_is_killed_is_followed_by_the_other(l):
    it["controller"].start()
    suite.eventually(it["controller"].is_ready, "it is there again", SLOW_S)
    it["other"].program.kill()
    suite.eventually(lambda: read("Lease", "sluice-controller", "default")["spec"]["holderIdentity"] == "controller",
                     "it takes the lease over", LEASE_S)
    cluster_api().patch("HTTPRoute", "two", {"spec": {"hostnames": ["four.example.com"]}}, NS)
    route_says("two", "Accepted", "True")
    test_controller.serves(l)


@suite.test("#8")
def a_class_goes_when_no_gateway_uses_it_and_what_stands_for_a_gateway_with_it(l):
    cluster_api().delete("GatewayClass", CLASS)
    assert "deletionTimestamp" in read("GatewayClass", CLASS, None)["metadata"]
    test_controller.serves(l)
    cluster_api().delete("Gateway", "gw", NS)
    suite.eventually(lambda: read("GatewayClass", CLASS, None) is None, "the class is gone", SLOW_S)
    suite.eventually(lambda: read("Service", f"gw-{CLASS}") is None, "the Service is gone")


@suite.test("#8")
def the_controller_ends_in_good_order(l):
    it["controller"].end_in_good_order()
