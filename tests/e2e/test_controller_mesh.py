# SPDX-License-Identifier: Apache-2.0
"""sluice-controller --mesh: Services that kube-proxy was told to leave to the appliance, routes on Services, and the
Pods by whose addresses it is known whose client is who. The cluster is a second sluice-mgmtd (lab/cluster.py); its
clients are in the backends' namespaces."""
import os

import api
import backend
import cluster
import lab as labs
import mesh
import objects
import suite

SHOP, WEB = "shop", "web"
CLIENT = 2  # the backend namespace that is a pod of WEB, too
ADDRESS = f"{mesh.SERVICES4}.1"
it = {}


def lab():
    return labs.Lab("ctl-mesh", backends=2)


def prepare(l):
    l.start_backends()
    for n in (1, CLIENT):
        l[f"backend-{n}"].ip("route", "add", f"{mesh.SERVICES4}.0/24", "via", mesh.WAY4)
    l.appliance.start()
    l.appliance.apply(os.path.join(labs.EXAMPLES, "appliance.yaml"))
    l.appliance.api.put(mesh.pool())
    it["cluster"] = c = cluster.Cluster(l)
    c.start()
    c.let_in()
    it["controller"] = cluster.Controller(c, [l.appliance], "--mesh", "--hold-few-seconds", "1")
    it["controller"].start()
    for o in (objects.namespace(SHOP), objects.namespace(WEB), cart(),
              objects.slice_of(SHOP, "cart", labs.backend_address(1))):
        c.api.put(o)


def cart(**labels):
    """The Service, whose clusterIP is ADDRESS."""
    made = objects.service(SHOP, "cart", 80)
    made["metadata"]["labels"] = labels
    made["spec"].update({"clusterIP": ADDRESS, "clusterIPs": [ADDRESS]})
    return made


def pod(name, namespace=WEB, number=CLIENT, **spec):
    """In backend namespace `number`."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"namespace": namespace, "name": name}, "spec": spec,
            "status": {"phase": "Running", "podIPs": [{"ip": labs.backend_address(number)}]}}


def consumer():
    """A route of WEB on the Service, whose answers show that they came by it."""
    rule = {"filters": [{"type": "ResponseHeaderModifier",
                         "responseHeaderModifier": {"set": [{"name": "X-By", "value": "consumer"}]}}],
            "backendRefs": [{"name": "cart", "namespace": SHOP, "port": 80}]}
    return objects.route(WEB, "consumer", [{"group": "", "kind": "Service", "namespace": SHOP, "name": "cart"}], [rule])


def there(l, kind):
    """The names of the copies."""
    return {c["metadata"]["name"] for c in l.appliance.api.list(kind)
            if "sluice.internal/cluster" in c["metadata"].get("labels", {})}


def asked(l, number, address=ADDRESS):
    """What that backend namespace gets of the Service: the status (0: no answer) and X-By."""
    status, headers, _ = backend.curl(l[f"backend-{number}"], f"http://{address}/", timeout=2)
    return status, headers.get("x-by")


def gets(l, number, wanted):
    suite.eventually(lambda: asked(l, number) == wanted, f"backend-{number} gets {wanted}")


@suite.test("#8")
def a_service_that_kube_proxy_leaves_to_us_is_served_without_any_route(l):
    a = it["cluster"].api
    assert there(l, "Service") == set(), "nobody names it, and it has no label"
    a.put(cart(**mesh.PROXY_LABEL))
    gets(l, CLIENT, (200, None))
    assert there(l, "Service") == {"cart"}
    a.put(cart())
    suite.eventually(lambda: there(l, "Service") == set(), "without the label it goes")
    a.put(cart(**mesh.PROXY_LABEL))
    gets(l, CLIENT, (200, None))


@suite.test("#8")
def a_client_is_of_its_pods_namespace_though_no_service_selects_it(l):
    a = it["cluster"].api
    a.put(pod("client"))
    a.put(pod("bystander", SHOP, 1))
    a.put(consumer())
    gets(l, CLIENT, (200, "consumer"))
    gets(l, 1, (200, None))
    assert there(l, "Pod") == {"client"}, "of namespaces without such routes no Pod is copied"
    copy = l.appliance.api.get("Pod", "client", WEB)
    assert copy["status"] == {"phase": "Running", "podIPs": [{"ip": labs.backend_address(CLIENT)}]}, copy


@suite.test("#8")
def a_pod_that_comes_ends_or_is_on_the_nodes_network(l):
    a = it["cluster"].api
    a.delete("Pod", "client", WEB)
    gets(l, CLIENT, (200, None))
    a.put(pod("client"))
    gets(l, CLIENT, (200, "consumer"))
    a.put({**pod("client"), "status": {**pod("client")["status"], "phase": "Succeeded"}})
    gets(l, CLIENT, (200, None))
    a.put(pod("fresh"))
    gets(l, CLIENT, (200, "consumer"))
    a.put(pod("fresh", hostNetwork=True))
    gets(l, CLIENT, (200, None))
    a.delete("Pod", "fresh", WEB)
    a.put(pod("client"))
    gets(l, CLIENT, (200, "consumer"))


@suite.test("#8")
def with_the_last_route_its_namespaces_pods_go(l):
    a = it["cluster"].api
    a.delete("HTTPRoute", "consumer", WEB)
    suite.eventually(lambda: there(l, "Pod") == set(), "the copies of the Pods go")
    gets(l, CLIENT, (200, None))
    a.put(consumer())
    gets(l, CLIENT, (200, "consumer"))


@suite.test("#8")
def a_controller_without_a_mesh_removes_what_one_with_it_made(l):
    controller = it["controller"]
    controller.end_in_good_order()
    plain = cluster.Controller(it["cluster"], [l.appliance], "--hold-few-seconds", "1", name="plain")
    plain.start()
    for kind in ("HTTPRoute", "Service", "Pod"):
        suite.eventually(lambda kind=kind: there(l, kind) == set(), f"no copy of a {kind} is left")
    plain.end_in_good_order()
    controller.start()
    gets(l, CLIENT, (200, "consumer"))


@suite.test("#8")
def a_phase_that_is_none_is_refused_in_words(l):
    try:
        l.appliance.api.put({**pod("odd"), "status": {"phase": "Odd"}})
    except api.Refused as e:
        assert e.status == 422 and "status.phase" in str(e), e
    else:
        raise AssertionError("it was taken")
    it["controller"].end_in_good_order()
