# SPDX-License-Identifier: Apache-2.0
"""A mesh in a real cluster, with the controller as its chart installs it: an admission policy leaves Services to the
appliance, and with its ClusterRole alone the controller learns whose client is who."""
import os
import subprocess

import api
import fake_cluster
import lab as labs
import mesh
import objects
import rig
import suite
from test_controller_mesh import CLIENT, SHOP, WEB, asked, consumer, pod, there

MANIFESTS = os.path.join(rig.DEPLOY, "manifests")
SERVICES4, WAIT_S = "198.19.0.0/16", 30
it = {}


def lab():
    return rig.Rig("mesh", backends=2)


def prepare(l):
    l.start_backends()
    for n in (1, CLIENT):
        l[f"backend-{n}"].ip("route", "add", SERVICES4, "via", mesh.WAY4)
    l.start_cluster(pods=False)
    l.leave_services_to_appliance()
    l.install()
    l.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=subprocess.run(
        [MANIFESTS, "--print", "mesh=true"], check=True, capture_output=True, text=True).stdout)
    l.start_appliance()
    it["controller"] = fake_cluster.Controller(rig.Installed(l.cluster), [l.appliance], "--mesh",
                                               "--lease-namespace", rig.WHERE)
    it["controller"].start()
    for o in (objects.namespace(SHOP, **{"gateway-conformance": "mesh"}), objects.namespace(WEB),
              objects.service(SHOP, "cart", 80), objects.slice_of(SHOP, "cart", labs.backend_address(1))):
        l.cluster.api.put(o)


def gets(l, number, wanted):
    address = l.cluster.api.get("Service", "cart", SHOP)["spec"]["clusterIP"]
    suite.eventually(lambda: asked(l, number, address) == wanted, f"backend-{number} gets {wanted}", WAIT_S)


@suite.test("#8")
def a_service_of_a_labelled_namespace_is_the_appliances(l):
    labels = l.cluster.api.get("Service", "cart", SHOP)["metadata"]["labels"]
    assert mesh.PROXY_LABEL.items() <= labels.items(), labels
    gets(l, CLIENT, (200, None))


@suite.test("#8")
def a_pod_that_no_service_selects_is_its_namespaces_client(l):
    made = pod("client", containers=[{"name": "c", "image": "example.com/c"}])
    l.cluster.api.put(made)
    l.cluster.api.call("PATCH", api.path("Pod", WEB, "client") + "/status", {"status": made["status"]}, api.MERGE_PATCH)
    l.cluster.api.put(consumer())
    gets(l, CLIENT, (200, "consumer"))
    gets(l, 1, (200, None))
    assert there(l, "Pod") == {"client"}
    l.cluster.api.delete("HTTPRoute", "consumer", WEB)
    suite.eventually(lambda: there(l, "Pod") == set(), "the copy goes with the route", WAIT_S)


@suite.test("#8")
def nothing_was_forbidden(l):
    said = it["controller"].log()
    assert "forbidden" not in said.lower(), said
    it["controller"].end_in_good_order()
