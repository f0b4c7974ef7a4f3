# SPDX-License-Identifier: Apache-2.0
"""sluice-controller: from a cluster to an appliance. What is applied there serves here, and nothing goes because the
cluster could not be asked. The cluster is a second sluice-mgmtd (lab/cluster.py)."""
import api
import cluster
import lab as labs
import objects
import suite

NS, HOST = "shop", "shop.example.com"
LABEL = "sluice.internal/cluster"
FAST_HOLD = ("--hold-mass-seconds", "3", "--hold-few-seconds", "1")
it = {}


def lab():
    return labs.Lab("controller", backends=2)


def box_of(l):
    """What Ian gives the appliance; the class is the cluster's."""
    text = open(objects.example("appliance.yaml")).read().split("---\n")
    return "---\n".join(part for part in text if "kind: GatewayClass" not in part)


def gateway_class():
    return {"apiVersion": objects.GATEWAY_V1, "kind": "GatewayClass", "metadata": {"name": "foo-lb"},
            "spec": {"controllerName": "sluice.internal/gateway-controller"}}


def prepare(l):
    l.start_backends()
    l.appliance.start()
    l.appliance.ctl("apply", "-f", "-", input=box_of(l))
    it["cluster"] = c = cluster.Cluster(l)
    c.start()
    c.let_in()
    it["controller"] = cluster.Controller(c, [l.appliance], *FAST_HOLD)
    it["controller"].start()


def apply_shop(a):
    """Everything of one route, to whoever is asked."""
    for o in (gateway_class(), objects.namespace(NS), objects.gateway(NS, "gw"), objects.service(NS, "one"),
              objects.slice_of(NS, "one", labs.backend_address(1)),
              objects.route(NS, "app", [f"{NS}/gw"], [objects.to("one")], HOST)):
        a.put(o)


def vip(l):
    suite.eventually(lambda: there(l, "Gateway", "gw", NS), "the Gateway has a copy")
    return objects.gateway_address(l, NS, "gw")


def serves(l, wanted="backend-1", host=HOST, path="/", limit_s=suite.ANSWER_WAIT_S):
    return suite.eventually(lambda: objects.answers(l, vip(l), host, path) == wanted,
                            f"{host}{path} is answered by {wanted}", limit_s)


def there(l, kind, name, ns=None):
    """The copy; None: there is none."""
    try:
        return l.appliance.api.get(kind, name, ns)
    except api.Refused as e:
        if e.status != 404:
            raise
        return None


@suite.test("#8")
def what_is_applied_to_the_cluster_serves_at_the_appliance(l):
    apply_shop(it["cluster"].api)
    serves(l)
    copy = l.appliance.api.get("HTTPRoute", "app", NS)
    assert copy["metadata"]["labels"][LABEL] == "default", copy["metadata"]
    source = it["cluster"].api.get("HTTPRoute", "app", NS)
    said = copy["metadata"]["annotations"]
    assert said["sluice.internal/source-uid"] == source["metadata"]["uid"], said
    assert said["sluice.internal/source-generation"] == str(source["metadata"]["generation"]), said
