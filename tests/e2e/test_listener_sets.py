# SPDX-License-Identifier: Apache-2.0
"""ListenerSets beside what the conformance suite asks: certificates, handing over, other protocols, explain."""
import contextlib
import json
import ssl

import certs
import lab as labs
import load
import objects
import suite

INFRA, ONE, TWO, VIP = "infra", "tenant-one", "tenant-two", "198.18.0.148"
TCP_PORT = 9000
ASKED = 20  # requests before a change


def lab():
    return labs.Lab("listener-sets", backends=2, workers=2)


def listener_set(ns, name, *listeners):
    return {"apiVersion": objects.GATEWAY_V1, "kind": "ListenerSet", "metadata": {"namespace": ns, "name": name},
            "spec": {"parentRef": {"namespace": INFRA, "name": "shared"}, "listeners": list(listeners)}}


def web(hostname, **more):
    return {"name": "web", "port": 80, "protocol": "HTTP", "hostname": hostname, **more}


def on_set(ns, name, listener_set_name, number):
    return objects.route(ns, name, [{"kind": "ListenerSet", "name": listener_set_name}], [objects.to(f"svc-{number}")])


def prepare(l):
    objects.bring_up(l, "appliance.yaml")
    l.authority = certs.Authority(l.dir, "tenants")
    api = l.appliance.api
    api.put(objects.namespace(INFRA))
    gateway = objects.gateway(INFRA, "shared", VIP, hostname="shared.example")
    gateway["spec"]["allowedListeners"] = {"namespaces": {"from": "Selector", "selector": {
        "matchLabels": {"tenant": "yes"}}}}
    api.put(gateway)
    for number, ns in enumerate((ONE, TWO), 1):
        api.put(objects.namespace(ns, tenant="yes"))
        api.put(objects.service(ns, f"svc-{number}"))
        api.put(objects.slice_of(ns, f"svc-{number}", labs.backend_address(number)))
        api.put(objects.tls_secret(ns, "own", *l.authority.server(ns, f"{ns}.example")))
        api.put(listener_set(ns, "own", web(f"{ns}.example"), objects.https("secure", "own", hostname=f"{ns}.example")))
        api.put(on_set(ns, "own", "own", number))
    objects.gateway_address(l, INFRA, "shared")
    for number, ns in enumerate((ONE, TWO), 1):
        objects.wait_answer(l, VIP, f"{ns}.example", f"backend-{number}")


def condition(l, ns, name, kind, listener=None):
    """(status, reason) of a ListenerSet, or of one of its listeners."""
    status = objects.told(l, "ListenerSet", name, ns)
    if listener is not None:
        status = next(x for x in status["listeners"] if x["name"] == listener)
    found = objects.condition(status, kind)
    return found["status"], found.get("reason")


@contextlib.contextmanager
def loaded(l, host):
    """A load on the host that has begun."""
    with load.Load(l, VIP, host) as running:
        begun = l.appliance.counters()["proxy_end_complete"] + ASKED
        suite.eventually(lambda: l.appliance.counters()["proxy_end_complete"] >= begun, "the load has begun", 20)
        yield running


def names_shown(l, server_name):
    """The names in the certificate that a client is shown."""
    context = ssl.create_default_context(cafile=l.authority.ca)
    with context.wrap_socket(l["client"].connect(VIP, 443, timeout=5), server_hostname=server_name) as tls:
        return {value for kind, value in tls.getpeercert()["subjectAltName"] if kind == "DNS"}


@suite.test("S3 S20")
def each_tenant_shows_its_own_certificate_on_one_port(l):
    for ns in (ONE, TWO):
        assert names_shown(l, f"{ns}.example") == {f"{ns}.example"}


@suite.test("S3")
def a_change_of_one_tenants_listeners_fails_no_request_of_another(l):
    api = l.appliance.api
    with loaded(l, f"{TWO}.example") as running:
        for n in range(50):
            api.patch("ListenerSet", "own", {"spec": {"listeners": [web(f"{ONE}.example"), {
                "name": f"more-{n}", "port": 8000 + n, "protocol": "HTTP"}]}}, ONE)
        objects.wait_answer(l, VIP, f"{ONE}.example", "backend-1")
        suite.eventually(lambda: l.curl(f"http://{ONE}.example:8049/", address=VIP)[0] == 200, "the last one serves")
        running.require_clean(at_least=ASKED)
    api.put(listener_set(ONE, "own", web(f"{ONE}.example"), objects.https("secure", "own", hostname=f"{ONE}.example")))


@suite.test("S3")
def who_waits_for_a_hostname_gets_it_without_a_gap_when_the_older_one_goes(l):
    api, host = l.appliance.api, "wanted.example"
    api.put(listener_set(ONE, "first", web(host)))
    api.put(on_set(ONE, "first", "first", 1))
    objects.wait_answer(l, VIP, host, "backend-1")
    api.put(listener_set(TWO, "second", web(host)))
    api.put(on_set(TWO, "second", "second", 2))
    suite.eventually(lambda: condition(l, TWO, "second", "Conflicted", "web") == ("True", "HostnameConflict"),
                     "the younger one stands back")
    assert condition(l, TWO, "second", "Accepted") == ("False", "ListenersNotValid")
    assert objects.answers(l, VIP, host) == "backend-1"
    with loaded(l, host) as running:
        api.delete("ListenerSet", "first", ONE)
        objects.wait_answer(l, VIP, host, "backend-2")
        running.require_clean(at_least=ASKED)
    assert condition(l, TWO, "second", "Accepted") == ("True", "Accepted")
    for ns, name in ((ONE, "first"), (TWO, "second")):
        api.delete("HTTPRoute", name, ns)
    api.delete("ListenerSet", "second", TWO)


def passed_on(l):
    """What comes of a connection to the tenant's port."""
    try:
        with l["client"].connect(VIP, TCP_PORT, timeout=5) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return s.recv(65536).decode()
    except OSError:
        return "nobody listens"


@suite.test("S6 S8")
def a_tenant_has_a_tcp_port_of_its_own(l):
    api = l.appliance.api
    api.put(listener_set(ONE, "database", {"name": "db", "port": TCP_PORT, "protocol": "TCP"}))
    api.put({"apiVersion": objects.GATEWAY_V1, "kind": "TCPRoute", "metadata": {"namespace": ONE, "name": "db"},
             "spec": {"parentRefs": [{"kind": "ListenerSet", "name": "database", "port": TCP_PORT}],
                      "rules": [objects.to("svc-1")]}})

    suite.eventually(lambda: "backend-1" in passed_on(l), "the port leads to the backend")
    api.delete("ListenerSet", "database", ONE)
    suite.eventually(lambda: passed_on(l) == "nobody listens", "nobody listens any more")
    api.delete("TCPRoute", "db", ONE)


@suite.test("S3")
def an_address_with_ports_of_its_own_is_kept_apart_from_a_gateway_that_asks_for_it(l):
    api = l.appliance.api
    api.put(objects.gateway(INFRA, "thief", VIP, hostname=f"{ONE}.example"))
    suite.eventually(lambda: objects.condition(api.get("Gateway", "thief", INFRA)["status"], "Programmed")["reason"] ==
                     "AddressNotUsable", "it does not get the address")
    assert objects.answers(l, VIP, f"{ONE}.example") == "backend-1"
    api.delete("Gateway", "thief", INFRA)


@suite.test("S3 S13")
def explain_and_the_tables_name_the_listener_set(l):
    said = json.loads(l.appliance.ctl("explain", f"http://{ONE}.example/", "--address", VIP, "-o", "json").stdout)
    assert said["status"]["listener"] == f"{ONE}/ListenerSet/own/web", said["status"]
    table = l.appliance.ctl("get", "lset", "-n", ONE).stdout
    assert [ONE, "own", "True", "True"] in [line.split() for line in table.splitlines()], table


@suite.test("S3 S17")
def a_namespace_that_loses_its_label_loses_its_listeners(l):
    api = l.appliance.api
    api.patch("Namespace", TWO, {"metadata": {"labels": {"tenant": None}}})
    objects.wait_answer(l, VIP, f"{TWO}.example", 404)
    assert condition(l, TWO, "own", "Accepted") == ("False", "NotAllowed")
    assert objects.answers(l, VIP, f"{ONE}.example") == "backend-1"
    api.patch("Namespace", TWO, {"metadata": {"labels": {"tenant": "yes"}}})
    objects.wait_answer(l, VIP, f"{TWO}.example", "backend-2")


@suite.test("#7")
def tenants_are_as_they_were_after_a_restart_of_the_manager(l):
    before = {ns: l.appliance.api.get("ListenerSet", "own", ns)["status"] for ns in (ONE, TWO)}
    l.appliance.mgmtd.end()
    assert objects.answers(l, VIP, f"{TWO}.example") == "backend-2"
    l.appliance.start_mgmtd()
    suite.eventually(lambda: {ns: l.appliance.api.get("ListenerSet", "own", ns)["status"] for ns in (ONE, TWO)} ==
                     before, "the statuses are as before")
