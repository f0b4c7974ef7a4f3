# SPDX-License-Identifier: Apache-2.0
"""What an image must say of RateLimits and AccessPolicies. Of a rule that is sound, so they are there."""

import base64
import json
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from durations import milliseconds
from reference import kind_of, name_of

V4_FIRST, V4_LAST = 0xFFFF << 32, (0xFFFF << 32) + 0xFFFFFFFF  # where IPv4 addresses lie among those of IPv6
EDDSA = 64
EDDSA_SPKI = "302a300506032b6570032100"  # what an Ed25519 key has before it (RFC 8410, section 4)
KEY_PREFIXES = {"ipv4PrefixLength": 32, "ipv6PrefixLength": 64}  # ours: where a ClientAddress says nothing


def find(objects, kind, name):
    return next(o for o in kind_of(objects, kind) if name_of(o) == name)["spec"]


def expected_limit(objects, route, rule, ref):
    """A bucket is known by the rule, by name or place, and by all that the RateLimit says."""
    name = f"{route.namespace}/{ref['name']}"
    spec = find(objects, "RateLimit", name)
    key = spec["key"]
    is_client = key["type"] == "ClientAddress"
    said = {"name": name, "requests": spec["requests"], "burst": spec.get("burst", spec["requests"]),
            "per": milliseconds(spec["per"]), "key": key["type"], "header": key.get("name", "").lower(),
            "prefixes": [key.get(n, usual) if is_client else 0 for n, usual in KEY_PREFIXES.items()]}
    return said | {"id": ["limit", route.kind, route.name, rule.spec.get("name", rule.index), said]}


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


def password_users(objects, namespace, ref):
    secret = next(o for o in kind_of(objects, "Secret") if name_of(o) == f"{namespace}/{ref['name']}")
    lines = base64.b64decode(secret["data"][".htpasswd"]).decode().splitlines()
    return sorted(line.split(":", 1) for line in lines)


def expected_basic(objects, name, basic):
    users = password_users(objects, name.split("/")[0], basic["secretRef"])
    return {"id": ["basic", name], "realm": basic["realm"], "users": users, "hides": not basic["forwardAuthorization"]}


def expected_key(key):
    text = key["x"]
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return [key["kid"], EDDSA, EDDSA_SPKI + raw.hex()]


def expected_jwt(name, jwt):
    keys = [expected_key(key) for key in json.loads(jwt["jwks"]["inline"])["keys"]]
    return {"id": ["jwt", name], "realm": jwt["realm"], "issuer": jwt["issuer"], "audiences": jwt["audiences"],
            "keys": keys, "hides": not jwt["forwardAuthorization"]}


def expected_access(objects, route, ref):
    name = f"{route.namespace}/{ref['name']}"
    spec = find(objects, "AccessPolicy", name)
    addresses = spec.get("addresses", {})
    basic, jwt = spec.get("basic"), spec.get("jwt")
    return [name, ranges(addresses.get("allow", [])), ranges(addresses.get("deny", [])),
            basic and expected_basic(objects, name, basic), jwt and expected_jwt(name, jwt)]
