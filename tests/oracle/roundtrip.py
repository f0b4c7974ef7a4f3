# SPDX-License-Identifier: Apache-2.0
"""What an image must say of the objects that it was made of, in the words of tell_image() (tell.h): listeners where
they listen, of each listener and hostname the matches, of each route its rules with filters, backends and limits."""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from reference import intersect, kind_of, name_of

UNIT_MS = {"h": 3600_000, "m": 60_000, "s": 1000, "ms": 1}
V4_FIRST, V4_LAST = 0xFFFF << 32, (0xFFFF << 32) + 0xFFFFFFFF  # where IPv4 addresses lie among those of IPv6
FRAMING = {"connection"}  # of those that are generated: fields that no filter may touch
NOT_IN_PATHS = re.compile(r"""[^!-~]|[?#"<>\\^`{|}]""")
EDDSA, SPKI_BYTES = 64, 44  # of the key in make_objects.ACCESSES


def milliseconds(duration):
    return sum(int(n) * UNIT_MS[unit] for n, unit in re.findall(r"(\d+)(ms|h|m|s)", duration))


# ---- rules

def header_names(mod):
    return [o["name"] for o in mod.get("set", []) + mod.get("add", [])] + mod.get("remove", [])


def expected_path(edit):
    """A path that is written into messages: what may not stand there is encoded, and it begins with a slash."""
    path = edit.get("path")
    if path is None:
        return {}
    member = "replaceFullPath" if path["type"] == "ReplaceFullPath" else "replacePrefixMatch"
    text = NOT_IN_PATHS.sub(lambda found: "".join(f"%{b:02X}" for b in found[0].encode()), path[member])
    return {"path": [path["type"], text if text.startswith("/") or not text else "/" + text]}


def expected_cors(cors):
    """A star is not told of what credentials are sent to."""
    has_credentials, exposed = cors.get("allowCredentials", False), ", ".join(cors.get("exposeHeaders", []))
    return {"origins": cors.get("allowOrigins", []), "credentials": has_credentials,
            "methods": ", ".join(cors.get("allowMethods", [])), "headers": ", ".join(cors.get("allowHeaders", [])),
            "exposed": "" if has_credentials and exposed == "*" else exposed, "maxAge": cors.get("maxAge", 5)}


def expected_mirror(objects, route_namespace, mirror):
    """None: it leads nowhere, and is left out."""
    name, _, fault = expected_reference(objects, route_namespace, mirror["backendRef"])
    fraction = mirror.get("fraction", {"numerator": mirror.get("percent", 100)})
    return None if fault else [name, fraction["numerator"], fraction.get("denominator", 100)]


def expected_limit(objects, route_namespace, ref):
    """Of a rule that is sound, so it is there."""
    spec = next(o["spec"] for o in kind_of(objects, "RateLimit") if name_of(o) == f"{route_namespace}/{ref['name']}")
    return [f"{route_namespace}/{ref['name']}", spec["requests"], spec.get("burst", spec["requests"]),
            milliseconds(spec["per"]), spec["key"].get("name", "").lower()]


def place(address):
    """Where it stands among those of both families."""
    return int(address) + (V4_FIRST if address.version == 4 else 0)


def ranges(texts):
    """[first, last] of each, in order, those that overlap made one. No range of IPv6 has IPv4 addresses."""
    found = []
    for text in texts:
        first, _, last = text.partition("-")
        net = ip_network(first, strict=False)
        pair = [place(net[0]), place(ip_address(last) if last else net[-1])]
        found += [pair] if not pair[0] < V4_FIRST < pair[1] else [[pair[0], V4_FIRST - 1], [V4_LAST + 1, pair[1]]]
    merged = []
    for pair in sorted(found):
        if merged and pair[0] <= merged[-1][1]:
            merged[-1][1] = max(pair[1], merged[-1][1])
        else:
            merged.append(pair)
    return [[address_text(n) for n in pair] for pair in merged]


def address_text(n):
    return str(IPv4Address(n - V4_FIRST) if V4_FIRST <= n <= V4_LAST else IPv6Address(n))


def expected_access(objects, route_namespace, ref):
    """Likewise."""
    name = f"{route_namespace}/{ref['name']}"
    spec = next(o["spec"] for o in kind_of(objects, "AccessPolicy") if name_of(o) == name)
    addresses = spec.get("addresses", {})
    basic, jwt = spec.get("basic"), spec.get("jwt")
    return [name, ranges(addresses.get("allow", [])), ranges(addresses.get("deny", [])),
            basic and [basic["realm"], ["ada", "bob"], not basic["forwardAuthorization"]],
            jwt and [jwt["realm"], jwt["issuer"], jwt["audiences"], [["one", EDDSA, SPKI_BYTES]],
                     not jwt["forwardAuthorization"]]]


def expected_extension(objects, route_namespace, ref):
    find = {"RateLimit": expected_limit, "AccessPolicy": expected_access}[ref["kind"]]
    return find(objects, route_namespace, ref)


def expected_filters(objects, route_namespace, specs):
    """The mirrors of a rule are one filter, where the first of them stands; so are its rate limits, and its access
    policies."""
    filters, several = [], {"RequestMirror": [], "RateLimit": [], "AccessPolicy": []}
    for spec in specs:
        kind = spec["extensionRef"]["kind"] if spec["type"] == "ExtensionRef" else spec["type"]
        if kind not in several:
            filters.append(expected_filter(spec))
            continue
        one = (expected_mirror(objects, route_namespace, spec["requestMirror"]) if kind == "RequestMirror"
               else expected_extension(objects, route_namespace, spec["extensionRef"]))
        if one is not None and not several[kind]:
            filters.append([kind, several[kind]])
        several[kind] += [one] if one is not None else []
    return [f for f in filters if f is not None]


def expected_retry(retry):
    """What it leaves open: two attempts, 25 ms apart (ours)."""
    if retry is None:
        return None
    backoff = milliseconds(retry["backoff"]) if "backoff" in retry else 25
    return [retry.get("attempts", 2), backoff, sorted(retry.get("codes", []))]


def expected_filter(spec):
    """None: it changes nothing, so it is not there."""
    kind = spec["type"]
    if kind in ("RequestHeaderModifier", "ResponseHeaderModifier"):
        mod = spec[kind[0].lower() + kind[1:]]
        pairs = {key: [[o["name"], o["value"]] for o in mod.get(key, [])] for key in ("set", "add")}
        return [kind, pairs | {"remove": mod.get("remove", [])}] if header_names(mod) else None
    if kind == "RequestRedirect":
        redirect = spec["requestRedirect"]
        kept = {key: redirect[key] for key in ("hostname", "port", "scheme") if key in redirect}
        return [kind, kept | {"statusCode": redirect.get("statusCode", 302)} | expected_path(redirect)]
    if kind == "CORS":
        return [kind, expected_cors(spec["cors"])]
    rewrite = spec["urlRewrite"]
    return [kind, {key: rewrite[key] for key in ("hostname",) if key in rewrite} | expected_path(rewrite)]


def touches_framing(spec):
    mods = [spec.get("requestHeaderModifier", {}), spec.get("responseHeaderModifier", {})]
    return any(name.lower() in FRAMING for mod in mods for name in header_names(mod))


def is_granted(objects, route_namespace, namespace, service):
    return namespace == route_namespace or any(
        g["metadata"]["namespace"] == namespace
        and any(f["kind"] == "HTTPRoute" and f["namespace"] == route_namespace for f in g["spec"]["from"])
        and any(t["kind"] == "Service" and t.get("name", service) == service for t in g["spec"]["to"])
        for g in kind_of(objects, "ReferenceGrant"))


def expected_backend(objects, route_namespace, ref):
    """[name or what is wrong with it, weight, status instead of its answer, filters]"""
    name, weight, fault = expected_reference(objects, route_namespace, ref)
    filters = ref.get("filters", [])
    if fault:
        return [name, weight, fault, []]
    if any(f["type"] == "URLRewrite" for f in filters):
        return ["UnsupportedValue", weight, 500, []]
    return [name, weight, fault, [f for f in map(expected_filter, filters) if f is not None]]


def expected_reference(objects, route_namespace, ref):
    """[name or what is wrong with it, weight, status instead of its answer]"""
    namespace, weight = ref.get("namespace", route_namespace), ref.get("weight", 1)
    ports = [p["port"] for s in kind_of(objects, "Service") for p in s["spec"]["ports"]
             if (s["metadata"]["namespace"], s["metadata"]["name"]) == (namespace, ref["name"])]
    if ref.get("kind", "Service") != "Service":
        return ["InvalidKind", weight, 500]
    if not is_granted(objects, route_namespace, namespace, ref["name"]):
        return ["RefNotPermitted", weight, 500]
    if ref["port"] not in ports:
        return ["BackendNotFound", weight, 500]
    return [f"{namespace}/{ref['name']}:{ref['port']}", weight, 0]


def expected_rule(objects, route, rule):
    """Of a rule that answers 500 nothing else is said."""
    filters = rule.spec.get("filters", [])
    namespace = route.name.split("/")[0]
    of_backends = [f for ref in rule.spec.get("backendRefs", []) for f in ref.get("filters", [])
                   if not expected_backend(objects, namespace, ref)[2]]
    if not rule.is_sound or any(touches_framing(f) for f in filters + of_backends):
        return {"rule": rule.index, "fault": 500}
    timeouts = rule.spec.get("timeouts", {})
    return {"rule": rule.index, "fault": 0,
            "timeouts": [milliseconds(timeouts.get(key, "0s")) for key in ("request", "backendRequest")],
            "retry": expected_retry(rule.spec.get("retry")),
            "filters": expected_filters(objects, namespace, filters),
            "backends": [expected_backend(objects, namespace, ref) for ref in rule.spec.get("backendRefs", [])]}


def told_rule(rule):
    return rule if rule["fault"] == 0 else {"rule": rule["rule"], "fault": rule["fault"]}


# ---- matches

def conditions(found):
    return [[c.name, c.value, c.is_pattern] for c in found]


def expected_matches(route):
    return [{"route": route.name, "rule": rule.index, "match": m.index, "path": [m.kind, m.path], "method": m.method,
             "headers": conditions(m.headers), "queries": conditions(m.params)}
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

def expected(objects, world):
    attached = {route.name: route for listener in world.listeners for route in listener.routes
                if any(intersect(listener.hostname, h) for h in route.hostnames)}
    attached = {name: route for name, route in attached.items() if any(rule.matches for rule in route.rules)}
    return {
        "listening": sorted([address, l.port, l.name] for l in world.listeners for address in l.addresses),
        "listeners": {l.name: {"hostname": l.hostname, "port": l.port, "hosts": expected_hosts(l)}
                      for l in world.listeners},
        "routes": {name: {"created": int(route.created.timestamp()),
                          "rules": [expected_rule(objects, route, rule) for rule in route.rules if rule.matches]}
                   for name, route in attached.items()},
    }


def told(image):
    """The same of what the image says. A route that serves nothing may be in it."""
    names = [l["name"] for l in image["listeners"]]
    return {
        "listening": sorted([b["address"], b["port"], names[i]] for b in image["binds"] for i in b["listeners"]),
        "listeners": {l["name"]: {"hostname": l["hostname"], "port": l["port"],
                                  "hosts": {h["hostname"]: in_order(h["matches"]) for h in l["hosts"]}}
                      for l in image["listeners"]},
        "routes": {r["name"]: {"created": r["created"], "rules": [told_rule(rule) for rule in r["rules"]]}
                   for r in image["routes"]},
    }


def differences(wanted, got, where=""):
    """Where two values differ, as sentences."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        return [d for key in sorted(wanted.keys() | got.keys())
                for d in differences(wanted.get(key), got.get(key), f"{where}/{key}")]
    if isinstance(wanted, list) and isinstance(got, list) and len(wanted) == len(got):
        return [d for i, pair in enumerate(zip(wanted, got)) for d in differences(*pair, f"{where}[{i}]")]
    return [] if wanted == got else [f"{where}: the objects say {wanted}, the image says {got}"]


def check(objects, world, image):
    """Sentences; none: the image says what the objects say."""
    return differences(expected(objects, world), told(image))
