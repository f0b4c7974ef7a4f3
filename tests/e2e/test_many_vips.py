# SPDX-License-Identifier: Apache-2.0
"""Ten thousand VIPs at once: 5,000 Gateways with an address of each family from the pools."""
import ipaddress
import random
import re
import time

import lab as labs
import objects
import suite

NS = "many"
GATEWAYS = 5000
TOGETHER = 2500  # Gateways in a change set
ROUTED = 32      # Gateways with a route: as many as one may name
ASKED = 40       # VIPs of each family that are tried, by chance
SEED = 20
RANGES = ("10.64.0.1-10.64.31.254", "2001:db8:64::1-2001:db8:64::2fff")
PREFIXES = {4: ("10.64.0.0/19",), 6: ("2001:db8:64::/64",)}
LIMIT_S = 240


def lab():
    return labs.Lab("many-vips", backends=1, workers=2)


def prepare(l):
    l.start_backends()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    for family, prefixes in PREFIXES.items():  # on the client's own link: it asks for each of them
        for prefix in prefixes:
            l["client"].ip(f"-{family}", "route", "add", prefix, "dev", "eth0")
    api = l.appliance.api
    api.put({"apiVersion": "sluice.internal/v1", "kind": "AddressPool", "metadata": {"name": "many"},
             "spec": {"addresses": list(RANGES), "interface": "front"}})
    api.put(objects.namespace(NS))
    api.put(objects.service(NS, "app"))
    api.put(objects.slice_of(NS, "app", labs.backend_address(1)))
    l.chance = random.Random(SEED)


def name_of(n):
    return f"gw-{n:04}"


def route(rule):
    """Of the first Gateways."""
    return objects.route(NS, "app", [f"{NS}/{name_of(n)}" for n in range(ROUTED)], [rule])


def put_all(l, items):
    l.appliance.api.call("POST", "/apis/sluice.internal/v1/changesets",
                         {"apiVersion": "v1", "kind": "List", "items": items})


def addresses(l):
    """{Gateway: its addresses}, of those that are Programmed."""
    found = l.appliance.api.call("GET", f"/apis/gateway.networking.k8s.io/v1/namespaces/{NS}/gateways")["items"]
    return {g["metadata"]["name"]: [a["value"] for a in g["status"]["addresses"]] for g in found
            if objects.condition(g.get("status", {}), "Programmed")["status"] == "True"}


def have(l, n, last):
    """Until so many Gateways are Programmed; their addresses. `last` is one of the last to be."""
    def is_programmed():
        status = l.appliance.api.get("Gateway", last, NS).get("status", {})
        return objects.condition(status, "Programmed")["status"] == "True"
    suite.eventually(is_programmed, f"{last} is Programmed", LIMIT_S)

    def found():
        all_ = addresses(l)
        return all_ if len(all_) == n else None
    return suite.eventually(found, f"{n} Gateways are Programmed", LIMIT_S)


def some_of(l, family, names):
    version = {4: ipaddress.IPv4Address, 6: ipaddress.IPv6Address}[family]
    all_ = [a for name in names for a in l.vips[name] if isinstance(ipaddress.ip_address(a), version)]
    return l.chance.sample(all_, min(ASKED, len(all_)))


def mac_of(l, family, address):
    """Whom the client sends to."""
    said = l["client"].ip(f"-{family}", "neighbour", "show", address)
    found = re.search(r"lladdr (\S+)", said)
    return found and found[1]


@suite.test("S3")
def five_thousand_gateways_have_ten_thousand_addresses_of_their_own(l):
    began = time.monotonic()
    names = [name_of(n) for n in range(GATEWAYS)]
    for at in range(0, GATEWAYS, TOGETHER):
        put_all(l, [objects.gateway(NS, name) for name in names[at:at + TOGETHER]])
    l.vips = have(l, GATEWAYS, names[-1])
    told = [a for vips in l.vips.values() for a in vips]
    print(f"         {len(told)} VIPs in {time.monotonic() - began:.0f} s", flush=True)
    assert len(told) == len(set(told)) == 2 * GATEWAYS, len(set(told))
    l.appliance.api.put(route(objects.to("app")))


@suite.test("S3")
def each_of_them_answers_for_itself(l):
    mac = re.search(r"link/ether (\S+)", l["appliance"].ip("link", "show", "p0"))[1]
    for family in (4, 6):
        for address in some_of(l, family, l.vips):
            done = l["client"].run("ping", f"-{family}", "-c", "1", "-W", "3", address)
            assert done.returncode == 0, (address, done.stdout)
            assert mac_of(l, family, address) == mac, address


@suite.test("S3")
def requests_are_answered_on_them(l):
    routed = [name_of(n) for n in range(ROUTED)]
    rest = [name_of(n) for n in range(ROUTED, GATEWAYS)]
    for family in (4, 6):
        for address in some_of(l, family, routed):
            objects.wait_answer(l, address, "any.example.com", "backend-1")
        for address in some_of(l, family, rest):
            assert l.curl("http://any.example.com/", address=address)[0] == 404, address


@suite.test("S3")
def each_is_announced_twice_and_not_again_when_routes_change(l):
    def announced():
        return l.appliance.counters()["net_announcements"]
    suite.eventually(lambda: announced() >= 2 * 2 * GATEWAYS, "all are announced", 20)
    before = announced()
    l.appliance.api.put(route({**objects.to("app"), "filters": [
        {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"set": [{"name": "X-New", "value": "1"}]}}]}))
    address = l.vips[name_of(0)][0]
    suite.eventually(lambda: "x-new" in l.curl("http://any.example.com/", address=address)[1], "it is in effect", 20)
    assert announced() == before


@suite.test("S3")
def one_more_comes_and_one_goes_without_a_word_about_the_others(l):
    before = l.appliance.counters()["net_announcements"]
    l.appliance.api.put(objects.gateway(NS, "one-more"))
    vips = have(l, GATEWAYS + 1, "one-more")["one-more"]
    for address in vips:
        suite.eventually(lambda a=address: l.curl("http://any.example.com/", address=a)[0] == 404, "it is there", 20)
    l.appliance.api.delete("Gateway", "one-more", NS)
    for address in vips:
        suite.eventually(lambda a=address: l.curl("http://a.example.com/", address=a, timeout=1)[0] == 0,
                         "it is gone", 20)
    assert l.appliance.counters()["net_announcements"] <= before + 2 * len(vips)
