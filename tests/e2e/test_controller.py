# SPDX-License-Identifier: Apache-2.0
"""sluice-controller: from a cluster to an appliance. What is applied there serves here, and nothing that serves goes
because the cluster could not be asked. The cluster is a second sluice-mgmtd (lab/cluster.py)."""
import signal

import api
import cluster
import lab as labs
import objects
import suite

NS, HOST = "shop", "shop.example.com"
LABEL = "sluice.internal/cluster"
ROUTES = 60  # of the bulk
HOLD = ("--hold-mass-seconds", "4", "--hold-few-seconds", "1", "--no-lease", "--listen", "none")
it = {}


def lab():
    return labs.Lab("controller", backends=2)


def box_of():
    """What Ian gives the appliance; the class is the cluster's."""
    with open(objects.example("appliance.yaml")) as f:
        return "---\n".join(part for part in f.read().split("---\n") if "kind: GatewayClass" not in part)


def gateway_class():
    return {"apiVersion": objects.GATEWAY_V1, "kind": "GatewayClass", "metadata": {"name": "foo-lb"},
            "spec": {"controllerName": "sluice.internal/gateway-controller"}}


def prepare(l):
    l.start_backends()
    l.appliance.start()
    l.appliance.ctl("apply", "-f", "-", input=box_of())
    it["cluster"] = c = cluster.Cluster(l)
    c.start()
    c.let_in()
    it["controller"] = cluster.Controller(c, [l.appliance], *HOLD)
    it["controller"].start()


def apply_shop(a, backend=1):
    """Everything of one route, to whoever is asked."""
    for o in (gateway_class(), objects.namespace(NS), objects.gateway(NS, "gw"), objects.service(NS, "one"),
              objects.slice_of(NS, "one", labs.backend_address(backend)), route("app", HOST)):
        a.put(o)


def route(name, host, service="one"):
    return objects.route(NS, name, [f"{NS}/gw"], [objects.to(service)], host)


def vip(l):
    suite.eventually(lambda: there(l, "Gateway", "gw", NS), "the Gateway has a copy")
    return objects.gateway_address(l, NS, "gw")


def serves(l, wanted="backend-1", host=HOST, limit_s=suite.ANSWER_WAIT_S):
    address = vip(l)
    suite.eventually(lambda: objects.answers(l, address, host) == wanted, f"{host} is answered by {wanted}", limit_s)


def there(l, kind, name, ns=None):
    """The copy; None: there is none."""
    return l.appliance.api.find(kind, name, ns)


def origin(l, name):
    """uid of the route in the cluster that the copy is of."""
    return l.appliance.api.get("HTTPRoute", name, NS)["metadata"]["annotations"]["sluice.internal/source-uid"]


def goes(l, kind, name, ns=None, limit_s=10):
    suite.eventually(lambda: there(l, kind, name, ns) is None, f"the copy of {kind} {name} goes", limit_s)


def says(text, limit_s=10):
    suite.eventually(lambda: text in it["controller"].log(), f"the controller's log says {text!r}", limit_s)


def version(a):
    """resourceVersion of the latest change."""
    return a.call("GET", api.path("Namespace"))["metadata"]["resourceVersion"]


def wait_a_second(a, since):
    """What is made next is younger than that: names decide between routes of the same second."""
    def is_later():
        made = a.put(objects.config_map(NS, "clock", a="b"))["metadata"]["creationTimestamp"]
        a.delete("ConfigMap", "clock", NS)
        return made > since
    suite.eventually(is_later, "the next second has begun")


def copies(l, kind="HTTPRoute"):
    return {c["metadata"]["name"] for c in l.appliance.api.list(kind) if LABEL in c["metadata"].get("labels", {})}


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


@suite.test("#8")
def changes_of_endpoints_and_routes_follow(l):
    a = it["cluster"].api
    a.put(objects.slice_of(NS, "one", labs.backend_address(2)))
    serves(l, "backend-2")
    a.put(objects.slice_of(NS, "one", labs.backend_address(1)))
    serves(l, "backend-1")
    a.put(objects.service(NS, "two"))
    a.put(objects.slice_of(NS, "two", labs.backend_address(2)))
    assert there(l, "Service", "two", NS) is None, "nothing refers to the Service yet"
    a.put(route("app", HOST, "two"))
    serves(l, "backend-2")
    goes(l, "Service", "one", NS)
    a.put(route("app", HOST))
    serves(l, "backend-1")


@suite.test("#8")
def only_what_matters_is_copied_and_what_stops_to_matter_goes(l):
    a = it["cluster"].api
    other = {**gateway_class(), "metadata": {"name": "other"}, "spec": {"controllerName": "example.com/other"}}
    a.put(other)
    a.put(objects.namespace("elsewhere"))
    gateway = objects.gateway("elsewhere", "theirs")
    gateway["spec"]["gatewayClassName"] = "other"
    a.put(gateway)
    a.put(objects.route("elsewhere", "theirs", ["elsewhere/theirs"], [objects.to("one")], "theirs.example.com"))
    a.put(route("extra", "extra.example.com"))
    serves(l, host="extra.example.com")
    assert copies(l) == {"app", "extra"}, copies(l)
    assert copies(l, "Gateway") == {"gw"} and copies(l, "Namespace") == {NS}
    a.delete("HTTPRoute", "extra", NS)
    goes(l, "HTTPRoute", "extra", NS)
    serves(l, 404, "extra.example.com")
    serves(l)


@suite.test("#8")
def a_route_of_our_own_kind_is_copied_with_what_it_needs(l):
    a = it["cluster"].api
    a.put(objects.service(NS, "names", port=53))
    a.put({"apiVersion": "sluice.internal/v1", "kind": "DNSRoute", "metadata": {"namespace": NS, "name": "names"},
           "spec": {"parentRefs": [{"name": "gw"}], "rules": [objects.to("names", port=53)]}})
    suite.eventually(lambda: there(l, "DNSRoute", "names", NS) and there(l, "Service", "names", NS), "both are there")
    a.delete("DNSRoute", "names", NS)
    goes(l, "DNSRoute", "names", NS)
    goes(l, "Service", "names", NS)


@suite.test("#8")
def a_secret_is_copied_when_a_gateway_names_it_and_follows_when_it_changes(l):
    a = it["cluster"].api
    for name in ("wanted", "private"):
        a.put(objects.config_map(NS, name, ca_crt="x"))
        a.put({"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NS, "name": name},
               "data": {"k": objects.encoded("1")}})
    gateway = objects.gateway(NS, "gw")
    gateway["spec"]["listeners"].append(objects.https("tls", "wanted"))
    a.put(gateway)
    suite.eventually(lambda: there(l, "Secret", "wanted", NS), "the Secret has a copy")
    a.patch("Secret", "wanted", {"data": {"k": objects.encoded("2")}}, NS)
    suite.eventually(lambda: there(l, "Secret", "wanted", NS)["data"]["k"] == objects.encoded("2"),
                     "the copy follows", 20)
    assert copies(l, "Secret") == {"wanted"} and not copies(l, "ConfigMap")
    a.put(objects.gateway(NS, "gw"))
    goes(l, "Secret", "wanted", NS)
    assert a.get("Secret", "wanted", NS), "the cluster keeps it"


@suite.test("#8")
def what_others_made_in_the_appliance_is_left_alone(l):
    a, box = it["cluster"].api, l.appliance.api
    box.put(route("own", "own.example.com"))
    serves(l, host="own.example.com")
    a.put(route("own", "taken.example.com"))
    says("not of this cluster")
    a.put(route("later", "later.example.com"))
    serves(l, host="later.example.com")  # one that cannot be copied stops no other
    serves(l, host="own.example.com")
    box.delete("HTTPRoute", "own", NS)
    a.put(objects.route(NS, "own", [f"{NS}/gw"], [objects.to("one")], "taken.example.com", "again.example.com"))
    serves(l, host="again.example.com")
    for name in ("own", "later"):
        a.delete("HTTPRoute", name, NS)
        goes(l, "HTTPRoute", name, NS)


@suite.test("#8")
def a_namespace_goes_with_its_last_copy_but_not_if_somebody_else_is_in_it(l):
    a, box = it["cluster"].api, l.appliance.api
    a.put(objects.gateway(NS, "gw", from_="All"))
    for ns in ("empty", "used"):
        a.put(objects.namespace(ns))
        a.put(objects.route(ns, "app", [f"{NS}/gw"], [objects.to("one")], f"{ns}.example.com"))
        suite.eventually(lambda: there(l, "HTTPRoute", "app", ns), "the route has a copy")
    box.put(objects.config_map("used", "own", a="b"))
    for ns in ("empty", "used"):
        a.delete("HTTPRoute", "app", ns)
        goes(l, "HTTPRoute", "app", ns)
    goes(l, "Namespace", "empty")
    suite.eventually(lambda: LABEL not in there(l, "Namespace", "used")["metadata"].get("labels", {}),
                     "the other one is given up")
    assert box.get("ConfigMap", "own", "used")["data"] == {"a": "b"}
    a.put(objects.gateway(NS, "gw"))
    box.delete("Namespace", "used")


@suite.test("#8")
def of_two_routes_that_conflict_the_older_one_in_the_cluster_wins(l):
    a, box = it["cluster"].api, l.appliance.api
    a.put(objects.service(NS, "two"))
    a.put(objects.slice_of(NS, "two", labs.backend_address(2)))
    old = a.put(route("z-old", "same.example.com", "two"))["metadata"]["creationTimestamp"]
    wait_a_second(a, old)
    a.put(route("a-young", "same.example.com"))
    serves(l, "backend-2", "same.example.com")
    for name in ("a-young", "z-old"):  # made anew at the same time
        box.delete("HTTPRoute", name, NS)
    suite.eventually(lambda: copies(l) >= {"a-young", "z-old"}, "both are copied anew")
    assert there(l, "HTTPRoute", "z-old", NS)["metadata"]["creationTimestamp"] == old
    serves(l, "backend-2", "same.example.com")
    for name in ("a-young", "z-old"):
        a.delete("HTTPRoute", name, NS)
        goes(l, "HTTPRoute", name, NS)


@suite.test("#8")
def a_route_that_was_deleted_and_made_again_is_the_younger_one(l):
    """Nobody saw it go: its copy is changed, and as young as it is."""
    a, controller = it["cluster"].api, it["controller"]
    first = a.put(route("a-again", "again.example.com"))["metadata"]["creationTimestamp"]
    wait_a_second(a, first)
    second = a.put(route("z-stays", "again.example.com", "two"))["metadata"]["creationTimestamp"]
    serves(l, "backend-1", "again.example.com")
    suite.eventually(lambda: there(l, "HTTPRoute", "z-stays", NS), "both have copies")
    uid = there(l, "HTTPRoute", "a-again", NS)["metadata"]["uid"]
    controller.program.kill()
    a.delete("HTTPRoute", "a-again", NS)
    wait_a_second(a, second)
    young = a.put(route("a-again", "again.example.com"))["metadata"]["creationTimestamp"]
    controller.start()
    serves(l, "backend-2", "again.example.com")
    copy = there(l, "HTTPRoute", "a-again", NS)["metadata"]
    assert (copy["uid"], copy["creationTimestamp"]) == (uid, young), copy
    for name in ("a-again", "z-stays"):
        a.delete("HTTPRoute", name, NS)
        goes(l, "HTTPRoute", name, NS)


@suite.test("#8")
def a_copy_that_somebody_changed_or_removed_is_made_right(l):
    box = l.appliance.api
    box.patch("HTTPRoute", "app", {"spec": {"hostnames": ["wrong.example.com"]}}, NS)
    suite.eventually(lambda: there(l, "HTTPRoute", "app", NS)["spec"]["hostnames"] == [HOST], "the change is undone")
    box.delete("HTTPRoute", "app", NS)
    suite.eventually(lambda: there(l, "HTTPRoute", "app", NS), "the copy is made anew")
    serves(l)


@suite.test("#8")
def a_controller_that_restarts_writes_nothing(l):
    before = version(l.appliance.api)
    controller = it["controller"]
    controller.end_in_good_order()
    controller.start()
    it["cluster"].api.put(route("sign", "sign.example.com"))  # its copy tells that the controller has caught up
    suite.eventually(lambda: there(l, "HTTPRoute", "sign", NS), "the controller goes on")
    changed = [c["metadata"]["name"] for kind in ("HTTPRoute", "Gateway", "Service", "EndpointSlice", "Namespace",
                                                  "GatewayClass")
               for c in l.appliance.api.list(kind)
               if int(c["metadata"]["resourceVersion"]) > int(before) and LABEL in c["metadata"].get("labels", {})]
    assert set(changed) <= {"sign", "gw"}, changed  # gw: its status counts routes
    it["cluster"].api.delete("HTTPRoute", "sign", NS)
    goes(l, "HTTPRoute", "sign", NS)


@suite.test("#8")
def what_was_deleted_while_the_controller_was_down_goes_when_two_lists_agree(l):
    a, controller = it["cluster"].api, it["controller"]
    a.put(route("passing", "passing.example.com"))
    suite.eventually(lambda: there(l, "HTTPRoute", "passing", NS), "the route has a copy")
    controller.program.kill()
    a.delete("HTTPRoute", "passing", NS)
    controller.start()
    goes(l, "HTTPRoute", "passing", NS)
    serves(l)


@suite.test("#8")
def a_cluster_that_is_away_changes_nothing_and_is_followed_again_when_it_is_back(l):
    c = it["cluster"]
    before = copies(l)
    c.program.kill()
    says("failed")
    serves(l)
    c.start()
    c.api.put(route("back", "back.example.com"))
    serves(l, host="back.example.com", limit_s=40)
    assert copies(l) == before | {"back"}
    c.api.delete("HTTPRoute", "back", NS)
    goes(l, "HTTPRoute", "back", NS)


@suite.test("#8")
def a_token_that_is_revoked_deletes_nothing_and_a_new_one_in_the_file_is_taken(l):
    c = it["cluster"]
    for token in c.api.list("Token"):
        if token["metadata"]["name"].startswith("controller-"):
            c.api.delete("Token", token["metadata"]["name"])
    c.program.end()  # and so do its watches
    c.start()
    says("(401)", 40)
    serves(l)
    assert "app" in copies(l)
    c.let_in()
    c.api.put(route("new", "new.example.com"))
    serves(l, host="new.example.com", limit_s=40)
    c.api.delete("HTTPRoute", "new", NS)
    goes(l, "HTTPRoute", "new", NS)


@suite.test("#8")
def a_role_that_may_no_longer_read_deletes_nothing(l):
    c = it["cluster"]
    c.let_in("application-developer", namespaces=["elsewhere"])
    c.program.end()
    c.start()
    says("(403)", 40)
    serves(l)
    assert "app" in copies(l)
    c.let_in()
    c.api.put(route("new", "new.example.com"))
    serves(l, host="new.example.com", limit_s=40)
    c.api.delete("HTTPRoute", "new", NS)
    goes(l, "HTTPRoute", "new", NS)


@suite.test("#8")
def a_mass_deletion_is_held_until_a_later_list_says_the_same(l):
    a = it["cluster"].api
    names = {f"bulk-{i}" for i in range(ROUTES)}
    for name in names:
        a.put(route(name, f"{name}.example.com"))
    suite.eventually(lambda: copies(l) >= names, "all have copies", 30)
    it["controller"].program.kill()
    for name in names:
        a.delete("HTTPRoute", name, NS)
    it["controller"].start()
    says("objects are missing in the list: held, until a later list says the same")
    assert copies(l) >= names
    suite.eventually(lambda: copies(l) == {"app"}, "then they go", 30)
    serves(l)


@suite.test("#8")
def a_controller_killed_in_the_middle_converges(l):
    a, controller = it["cluster"].api, it["controller"]
    names = {f"many-{i}" for i in range(ROUTES)}
    for i, name in enumerate(sorted(names)):
        a.put(route(name, f"{name}.example.com"))
        if i % 20 == 10:
            controller.program.kill()
            controller.start()
    suite.eventually(lambda: copies(l) == names | {"app"}, "all have copies", 30)
    for name in names:
        a.delete("HTTPRoute", name, NS)
    suite.eventually(lambda: copies(l) == {"app"}, "they are removed", 30)
    serves(l)


@suite.test("#8")
def a_second_appliance_gets_all_that_the_first_has(l):
    second = cluster.Cluster(l, "second", cluster.PORT + 1)
    second.start()
    it["second"] = second
    controller = it["controller"]
    controller.end_in_good_order()
    controller.others = [second]
    controller.start()
    suite.eventually(lambda: [r["metadata"]["name"] for r in second.api.list("HTTPRoute")] == ["app"],
                     "the second has the route")
    it["cluster"].api.put(objects.slice_of(NS, "one", labs.backend_address(2)))
    suite.eventually(lambda: second.api.list("EndpointSlice")[0]["endpoints"][0]["addresses"] ==
                     [labs.backend_address(2)], "the second follows")
    serves(l, "backend-2")
    second.program.kill()  # one that is down holds nothing up
    it["cluster"].api.put(objects.slice_of(NS, "one", labs.backend_address(1)))
    serves(l, "backend-1")
    second.start()
    suite.eventually(lambda: second.api.list("EndpointSlice")[0]["endpoints"][0]["addresses"] ==
                     [labs.backend_address(1)], "the second catches up", 40)


@suite.test("#8")
def two_clusters_share_an_appliance_and_one_bad_object_stops_no_other(l):
    west = cluster.Cluster(l, "west", cluster.PORT + 2)
    west.start()
    west.let_in()
    mirror = cluster.Controller(west, [l.appliance], *HOLD, "--cluster", "west", name="controller-west")
    mirror.token_spec = {"cluster": "west"}  # it could reach nothing else
    mirror.start()
    apply_shop(west.api, backend=2)  # the same names as in the other cluster
    west.api.put(objects.gateway(NS, "gw", from_="All"))
    suite.eventually(lambda: there(l, "Gateway", "gw", f"west-{NS}"), "the Gateway of the second has a copy")
    address = objects.gateway_address(l, f"west-{NS}", "gw")
    suite.eventually(lambda: objects.answers(l, address, HOST) == "backend-2", "the second cluster's route serves")
    serves(l, "backend-1")
    long = "n" * 60  # with the prefix it is too long for a namespace
    names = [f"team-{i}" for i in range(12)] + [long]
    for ns in names:
        west.api.put(objects.namespace(ns))
        west.api.put(objects.service(ns, "one"))
        west.api.put(objects.slice_of(ns, "one", labs.backend_address(2)))
        west.api.put(objects.route(ns, "app", [f"{NS}/gw"], [objects.to("one")], f"{ns}.example.com"))
    mirror.program.kill()  # so that all come at once
    for namespace in l.appliance.api.list("Namespace"):
        if namespace["metadata"]["name"].startswith("west-team"):
            l.appliance.api.delete("Namespace", namespace["metadata"]["name"])
    mirror.start()
    for host in (f"{ns}.example.com" for ns in names[:-1]):
        suite.eventually(lambda: objects.answers(l, address, host) == "backend-2", f"{host} is served", 20)
    suite.eventually(lambda: f"{long} is refused (422" in mirror.log(), "the one that is refused is told")
    assert "metadata.name" in mirror.log()
    west.api.delete("HTTPRoute", "app", NS)
    suite.eventually(lambda: objects.answers(l, address, HOST) == 404, "the second cluster's route has gone")
    serves(l, "backend-1")
    mirror.end_in_good_order()


@suite.test("#8")
def a_cluster_that_comes_back_empty_deletes_nothing_until_an_operator_confirms(l):
    c, controller = it["cluster"], it["controller"]
    c.api.put(route("lost", "lost.example.com"))
    serves(l, host="lost.example.com")
    c.program.kill()
    c.new_state()
    c.start()
    c.let_in()
    says("or an operator confirms", 40)
    apply_shop(c.api)  # as GitOps would
    suite.eventually(lambda: origin(l, "app") == c.api.get("HTTPRoute", "app", NS)["metadata"]["uid"],
                     "what is there again is followed", 40)
    serves(l)
    serves(l, host="lost.example.com")
    controller.program.popen.send_signal(signal.SIGUSR1)
    goes(l, "HTTPRoute", "lost", NS)
    serves(l)


@suite.test("#8")
def it_ends_in_good_order_and_says_what_is_wrong_with_its_command_line(l):
    it["controller"].end_in_good_order()
    serves(l)
    whole = it["controller"].argv()
    config = whole[1:3]
    for argv, word in ((config, "--appliance"), (whole[3:], "--kubeconfig"), ([*whole[1:], "--cluster", "-x"], "-x"),
                       ([*config, "--appliance", "http://x"], "https"), ([*whole[1:], "word"], "word"),
                       ([*config, "--appliance-ca", "x"], "comes first"), ([*whole[1:], "--hold-count", "x"], "-count"),
                       ([*config, *whole[3:5], "--appliance-token-file", "/nonexistent"], "/nonexistent"),
                       ([*config, *whole[3:5]], "who are we"), ([*whole[1:], "--in-cluster"], "either")):
        done = l["admin"].run(whole[0], *argv)
        assert done.returncode == 2 and word in done.stderr, (argv, done.returncode, done.stderr)
