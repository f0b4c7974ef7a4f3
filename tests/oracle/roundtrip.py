# SPDX-License-Identifier: Apache-2.0
"""What an image must say of the objects that it was made of, in the words of tell_image() (tell.h): listeners where
they listen, of each listener and hostname the matches, of each route its rules (roundtrip_rule.py) with what policies
say (roundtrip_policy.py, roundtrip_access.py)."""

from reference import intersect
from roundtrip_policy import expected_bind, expected_securing
from roundtrip_rule import expected_rule, told_rule

# ---- matches

def conditions(found):
    return [[c.name, c.value, c.is_pattern] for c in found]


def expected_matches(route):
    return [{"route": route.name, "rule": rule.index, "match": m.index, "call": m.call is not None,
             "path": [m.kind, m.path], "method": m.method, "headers": conditions(m.headers),
             "queries": conditions(m.params)}
            for rule in route.rules for m in rule.matches]


def expected_hosts(listener):
    """{hostname: matches}, for hostnames that somebody serves something on."""
    hosts = {}
    for route in listener.routes:
        for hostname in set(route.hostnames):
            if intersect(listener.hostname, hostname):
                hosts.setdefault(hostname, []).extend(expected_matches(route))
    return {hostname: in_order(matches) for hostname, matches in hosts.items() if matches}


def in_order(matches):
    return sorted(matches, key=lambda m: (m["route"], m["rule"], m["match"]))


# ---- the whole

def place_of(address, port, kind):
    """A port of UDP is another one than that of TCP with its number."""
    return f"{address} {port}" + (" UDP" if kind == "UDP" else "")


def expected_listening(objects, world):
    """{place: what is said of it, and who listens there}"""
    places = {}
    for listener in world.listeners:
        for address in listener.addresses:
            place = place_of(address, listener.port, listener.spec["protocol"])
            places.setdefault(place, []).append(listener)
    return {place: {"listeners": sorted(l.name for l in there)} | expected_bind(objects, there)
            for place, there in places.items()}


def expected(objects, world):
    attached = {f"{route.kind} {route.name}": route for listener in world.listeners for route in listener.routes
                if any(intersect(listener.hostname, h) for h in route.hostnames)}
    attached = {name: route for name, route in attached.items() if any(rule.matches for rule in route.rules)}
    return {
        "listening": expected_listening(objects, world),
        "listeners": {l.name: {"hostname": l.hostname, "port": l.port, "hosts": expected_hosts(l)}
                      | expected_securing(objects, l) for l in world.listeners},
        "routes": {name: {"created": int(route.created.timestamp()), "id": ["route", route.name], "kind": route.kind,
                          "rules": [expected_rule(objects, route, rule) for rule in route.rules if rule.matches]}
                   for name, route in attached.items()},
    }


def told_bind(names, bind):
    trusted = bind["trusted"]
    return {"listeners": sorted(names[i] for i in bind["listeners"]), "kind": bind["kind"],
            "congestion": bind["congestion"], "trusted": trusted if trusted is None else sorted(trusted)}


def told_listener(listener):
    hosts = {h["hostname"]: in_order(h["matches"]) for h in listener["hosts"]}
    return {key: value for key, value in listener.items() if key != "name"} | {"hosts": hosts}


def told(world, image):
    """The same of what the image says. A route that serves nothing may be in it."""
    names = [l["name"] for l in image["listeners"]]
    return {
        "listening": {place_of(b["address"], b["port"], b["kind"]): told_bind(names, b) for b in image["binds"]},
        "listeners": {l["name"]: told_listener(l) for l in image["listeners"]},
        "routes": {f"{r['kind']} {r['name']}": {"created": r["created"], "id": r["id"], "kind": r["kind"],
                               "rules": [told_rule(world.routes[r["kind"], r["name"]], rule) for rule in r["rules"]]}
                   for r in image["routes"]},
    }


def identified(wanted):
    """What an id tells: of a bundle of CAs what is in it, whatever it is called."""
    kind, *rest = wanted
    return [kind, *({**of, "bundle": of["bundle"][1:]} if isinstance(of, dict) and isinstance(of.get("bundle"), list)
                    else of for of in rest)]


class Comparison:
    """Where two values differ, as sentences. Where the wanted one has an "id" it says [kind, what the id tells], and
    the image's has to be another one for whatever is another."""

    def __init__(self):
        self.found = []
        self.ids = {}  # {(kind, text): the image's}

    def compare(self, wanted, got, where=""):
        if isinstance(wanted, dict) and isinstance(got, dict):
            for key in sorted(wanted.keys() | got.keys()):
                self.compare_member(key, wanted.get(key), got.get(key), f"{where}/{key}")
        elif isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
            for i, pair in enumerate(zip(wanted, got)):
                self.compare(*pair, f"{where}[{i}]")
        elif wanted != got:
            self.found.append(f"{where}: the objects say {wanted}, the image says {got}")

    def compare_member(self, key, wanted, got, where):
        if key != "id" or not wanted or not got:
            self.compare(wanted, got, where)
        elif self.ids.setdefault((wanted[0], str(identified(wanted))), got) != got:
            self.found.append(f"{where}: {wanted} has two ids")

    def check_ids(self):
        owners = {}
        for (kind, text), got in self.ids.items():
            if owners.setdefault((kind, got), text) != text:
                self.found.append(f"one id is that of {text} and of {owners[kind, got]}")


def check(objects, world, image):
    """Sentences; none: the image says what the objects say."""
    comparison = Comparison()
    comparison.compare(expected(objects, world), told(world, image))
    comparison.check_ids()
    return comparison.found
