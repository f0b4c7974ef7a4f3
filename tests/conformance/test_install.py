# SPDX-License-Identifier: Apache-2.0
"""The controller as the real Helm installs its chart: the CRDs in a real cluster refuse what the appliance refuses, and
with its ClusterRole alone the controller does all that it does."""
import json
import os
import re

import yaml

import api
import fake_cluster
import lab as labs
import objects
import rig
import suite
import test_controller

MODEL = os.path.join(labs.TOP, "tests", "unit", "mgmt", "model")
KINDS = ("TransportPolicy", "HealthPolicy", "AccessPolicy", "RateLimit")
WHERE, NS, WAIT_S = rig.WHERE, "shop", 30
COLLECT_WAIT_S = 120  # the cluster's garbage collector looks for new kinds every 30 s
UNSAID = "203.0.113.9-203.0.113.5"  # CEL does not know which of two addresses is the first: the status says it
it = {}


def lab():
    return rig.Rig("install", backends=1)


def prepare(l):
    l.start_backends()
    l.start_cluster(pods=False)
    l.install_by_helm()
    l.start_appliance()


def set_at(obj, path, value):
    """What stands at "spec.listeners[0].port"; None removes it."""
    *way, last = [int(p) if p.isdigit() else p for p in re.findall(r"[^.\[\]]+", path)]
    for step in way:
        obj = obj.setdefault(step, {}) if isinstance(obj, dict) else obj[step]
    if value is None:
        del obj[last]
    elif isinstance(obj, list) and last == len(obj):
        obj.append(value)
    else:
        obj[last] = value


def valid():
    """{kind/name: text} of the objects of our kinds that the appliance takes, as JSON."""
    with open(os.path.join(MODEL, "valid.yaml"), encoding="utf-8") as f:
        found = [o for o in yaml.safe_load_all(f) if o and o["kind"] in KINDS]
    return {f"{o['kind']}/{o['metadata']['name']}": json.dumps(o, default=str) for o in found}


def taken(l, text):
    """Would the cluster take it? None, or what it says against it."""
    obj = json.loads(text)
    url = api.path(obj["kind"], obj["metadata"].get("namespace", "default")) + "?dryRun=All&fieldValidation=Strict"
    try:
        l.cluster.api.call("POST", url, obj)
    except api.Refused as e:
        return str(e)
    return None


def documents(text):
    """{(kind, name): object} of those that are not of a cluster's making."""
    found = [o for o in yaml.safe_load_all(text) if o and o["kind"] not in ("Namespace", "CustomResourceDefinition")]
    return {(o["kind"], o["metadata"]["name"]): o for o in found}


def secrets_rule(l):
    """What the installed ClusterRole lets the controller do with Secrets."""
    role = json.loads(l.cluster.kubectl("get", "clusterrole", "sluice-controller", "-o", "json"))
    return sorted({verb for r in role["rules"] if "secrets" in r["resources"] for verb in r["verbs"]})


@suite.test("#8")
def helm_finds_nothing_wrong_and_makes_what_the_manifest_has(l):
    l.helm("lint", "--strict", rig.CHART)
    with open(os.path.join(rig.DEPLOY, "sluice-controller.yaml"), encoding="utf-8") as f:
        manifest = documents(f.read())
    assert documents(l.helm("get", "manifest", "sluice", "--namespace", WHERE)) == manifest
    assert l.cluster.kubectl("get", "deployment", "sluice-controller", "-n", WHERE, "-o", "name")


@suite.test("#8")
def an_upgrade_changes_what_it_says_and_a_rollback_takes_it_back(l):
    assert secrets_rule(l) == ["get"]
    l.helm("upgrade", "sluice", rig.CHART, "--namespace", WHERE, "--set", "watchSecrets=true", "--set", "replicas=3")
    assert secrets_rule(l) == ["get", "watch"]
    said = json.loads(l.cluster.kubectl("get", "deployment", "sluice-controller", "-n", WHERE, "-o", "json"))["spec"]
    assert said["replicas"] == 3 and "--watch-secrets" in said["template"]["spec"]["containers"][0]["args"], said
    l.helm("rollback", "sluice", "1", "--namespace", WHERE)
    assert secrets_rule(l) == ["get"]


@suite.test("#8")
def what_the_appliance_takes_the_cluster_takes(l):
    for ns in {json.loads(text)["metadata"]["namespace"] for text in valid().values()}:
        l.cluster.api.put(objects.namespace(ns))
    against = {name: taken(l, text) for name, text in valid().items()}
    assert len(against) > 8 and not any(against.values()), {n: a for n, a in against.items() if a}


@suite.test("#8")
def what_the_appliance_refuses_of_our_kinds_the_cluster_refuses(l):
    texts = valid()
    with open(os.path.join(MODEL, "refusals.yaml"), encoding="utf-8") as f:
        cases = [c for c in yaml.safe_load(f) if c["of"] in texts]
    slipped = []
    for case in cases:
        obj = json.loads(texts[case["of"]])
        for path, value in case["set"].items():
            set_at(obj, path, value)
        if UNSAID not in case["set"].values() and taken(l, json.dumps(obj)) is None:
            slipped.append(case)
    assert len(cases) > 60 and not slipped, slipped


@suite.test("#8")
def with_its_role_alone_the_controller_does_all_that_it_does(l):
    it["controller"] = c = fake_cluster.Controller(rig.Installed(l.cluster), [l.appliance], "--lease-namespace", WHERE)
    c.start()
    suite.eventually(c.is_ready, "it is ready", WAIT_S)
    suite.eventually(l.is_class_accepted, "the class is accepted", WAIT_S)
    crt, key = l.cluster.authority.server("shop", "shop.example.com")
    gateway = objects.gateway(NS, "gw")
    gateway["spec"]["gatewayClassName"] = rig.CLASS
    gateway["spec"]["listeners"].append(objects.https("tls", "shop"))
    for o in (objects.namespace(NS), objects.tls_secret(NS, "shop", crt, key), gateway, objects.service(NS, "one"),
              objects.slice_of(NS, "one", labs.backend_address(1)),
              objects.route(NS, "app", [f"{NS}/gw"], [objects.to("one")], "shop.example.com")):
        l.cluster.api.put(o)

    def programmed():
        found = l.cluster.api.get("Gateway", "gw", NS)
        c = objects.condition(found["status"], "Programmed")
        return c["status"] == "True" and c["observedGeneration"] == found["metadata"]["generation"] and found
    address = suite.eventually(programmed, "the Gateway is Programmed", WAIT_S)["status"]["addresses"][0]["value"]
    suite.eventually(lambda: objects.answers(l, address, "shop.example.com") == "backend-1", "it serves", WAIT_S)
    name = f"gw-{rig.CLASS}"
    suite.eventually(lambda: l.cluster.api.get("Service", name, NS), "a Service stands for it", WAIT_S)
    suite.eventually(lambda: [a["value"] for a in l.cluster.api.get("Gateway", "gw", NS)["status"]["addresses"] if
                              ":" not in a["value"]] ==
                     l.cluster.api.get("EndpointSlice", f"{name}-ipv4", NS)["endpoints"][0]["addresses"],
                     "and an EndpointSlice", WAIT_S)
    suite.eventually(lambda: any(e["involvedObject"]["name"] == "gw" for e in l.cluster.api.list("Event", NS)),
                     "Events tell of it", WAIT_S)
    finalizers = l.cluster.api.get("GatewayClass", rig.CLASS)["metadata"]["finalizers"]
    assert any("gateway-exists" in f for f in finalizers), finalizers
    assert l.cluster.api.get("Lease", "sluice-controller", WHERE)["spec"]["holderIdentity"] == c.name


@suite.test("#8")
def what_stands_for_a_gateway_goes_with_it(l):
    l.cluster.api.delete("Gateway", "gw", NS)

    def is_gone():
        try:
            l.cluster.api.get("Service", f"gw-{rig.CLASS}", NS)
        except api.Refused as e:
            return e.status == 404
        return False
    suite.eventually(is_gone, "the Service is gone", COLLECT_WAIT_S)
    suite.eventually(lambda: not l.cluster.api.get("GatewayClass", rig.CLASS)["metadata"].get("finalizers"),
                     "the class has no finalizer", WAIT_S)


@suite.test("#8")
def nothing_was_forbidden(l):
    said = it["controller"].log()
    assert "forbidden" not in said.lower(), said
    it["controller"].end_in_good_order()


@suite.test("#8")
def helm_takes_away_what_it_brought_but_no_object_of_a_user(l):
    l.helm("uninstall", "sluice", "--namespace", WHERE)
    for what in ("clusterrole", "clusterrolebinding", "deployment", "serviceaccount"):
        found = l.cluster.kubectl("get", what, "-n", WHERE, "-o", "name").split()
        assert not any(name.endswith("/sluice-controller") for name in found), found
    assert l.cluster.api.get("HTTPRoute", "app", NS)["spec"], "a route is its team's"
    assert "accesspolicies.sluice.internal" in l.cluster.kubectl("get", "crd", "-o", "name"), "and so are policies"
