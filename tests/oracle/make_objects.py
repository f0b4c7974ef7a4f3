# SPDX-License-Identifier: Apache-2.0
"""Random Gateways and HTTPRoutes, valid by the CRDs, and what they refer to."""

import base64
import re

import words
from words import some

GATEWAY_API = "gateway.networking.k8s.io/v1"
SERVICES = ("s", "t")  # in each namespace, port 80; others do not exist
FULL_MATCHES = 128  # of a route, as Gateway API says
HEADER_VALUE = re.compile(r"[!-~]+([\t ][!-~]+)*")  # as Gateway API says, for a machine that tracks back

FIXED = [
    {"apiVersion": GATEWAY_API, "kind": "GatewayClass", "metadata": {"name": "lb"},
     "spec": {"controllerName": "sluice.internal/gateway-controller"}},
    {"apiVersion": "sluice.internal/v1", "kind": "AddressPool", "metadata": {"name": "all"},
     "spec": {"addresses": list(words.ADDRESSES)}},
    {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
     "metadata": {"name": "grant", "namespace": "b"},
     "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "a"}],
              "to": [{"group": "", "kind": "Service", "name": "s"}]}},
]


def meta(name, namespace):
    return {"name": name, "namespace": namespace}


LIMITS = (  # (namespace, name, spec)
    ("a", "all", {"requests": 10, "per": "1s", "key": {"type": "Route"}}),
    ("a", "keys", {"requests": 3, "per": "1m30s", "burst": 7, "key": {"type": "Header", "name": "X-Key"}}),
    ("b", "all", {"requests": 1, "per": "24h", "burst": 365, "key": {"type": "ClientAddress"}}))

KEYS = ('{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one",'
        ' "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}')
ACCESSES = (  # likewise
    ("a", "all", {}),
    ("a", "some", {"addresses": {"allow": ["10.0.0.0/8", "10.1.0.0/16", "::/0", "192.0.2.9", "9.0.0.0-10.0.0.3"],
                                 "deny": ["10.2.0.0/16", "2001:db8::/32"]}}),
    ("b", "all", {"addresses": {"deny": ["0.0.0.0/0"]},
                  "jwt": {"issuer": "https://issuer", "audiences": ["web", "api"], "realm": "t",
                          "forwardAuthorization": True, "jwks": {"inline": KEYS}}}),
    ("b", "some", {"basic": {"secretRef": {"name": "users"}, "realm": "r", "forwardAuthorization": False}}))
HASH = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"
USERS = base64.b64encode(f"bob:{HASH}\nada:{HASH}\n".encode()).decode()
SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "users", "namespace": "b"},
          "data": {".htpasswd": USERS}}


def surroundings():
    namespaces = [{"apiVersion": "v1", "kind": "Namespace",
                   "metadata": {"name": n, "labels": {"team": n[0]}}} for n in words.NAMESPACES]
    services = [{"apiVersion": "v1", "kind": "Service", "metadata": meta(name, n), "spec": {"ports": [{"port": 80}]}}
                for n in words.NAMESPACES for name in SERVICES]
    limits = [{"apiVersion": "sluice.internal/v1", "kind": "RateLimit", "metadata": meta(name, n), "spec": spec}
              for n, name, spec in LIMITS]
    accesses = [{"apiVersion": "sluice.internal/v1", "kind": "AccessPolicy", "metadata": meta(name, n), "spec": spec}
                for n, name, spec in ACCESSES]
    return FIXED + [SECRET] + namespaces + services + limits + accesses


class Maker:
    """One random set. What is likely in it differs from set to set: `traits`."""

    def __init__(self, rng):
        self.rng = rng
        self.traits = {trait: rng.random() for trait in ("hostnames", "patterns", "conditions", "methods", "filters")}
        self.is_crowded = rng.random() < 0.15
        self.hostnames = some(rng, words.HOSTNAMES, 2, 6)
        self.paths = [words.path(rng) for _ in range(rng.randint(2, 8))]

    def has(self, trait):
        return self.rng.random() < self.traits[trait]

    # ---- Gateways

    def listener(self, number, port, hostname):
        listener = {"name": f"l{number}", "port": port, "protocol": "HTTP"}
        if hostname is not None:
            listener["hostname"] = hostname
        labels = self.rng.choice(({"team": "a"}, {"kubernetes.io/metadata.name": "b"}, {}))
        namespaces = self.rng.choice(({"from": "All"},) * 5 + ({"from": "Same"}, None, {
            "from": "Selector", "selector": {"matchLabels": labels}}))
        if namespaces is not None:
            listener["allowedRoutes"] = {"namespaces": namespaces}
        return listener

    def gateways(self):
        """No two listeners that share an address and port have the same hostname."""
        rng = self.rng
        places = [(port, hostname) for port in words.PORTS for hostname in [None, None] + self.hostnames
                  if hostname is None or self.has("hostnames")]
        places = list(dict.fromkeys(places))
        gateways = []
        for name in some(rng, ("g", "h"), 1, 2):
            taken = some(rng, places, 1, 5)
            places = [p for p in places if p not in taken]
            if taken:
                gateways.append({
                    "apiVersion": GATEWAY_API, "kind": "Gateway", "metadata": meta(name, rng.choice(words.NAMESPACES)),
                    "spec": {"gatewayClassName": "lb",
                             "addresses": [{"type": "IPAddress", "value": a} for a in some(rng, words.ADDRESSES, 1, 2)],
                             "listeners": [self.listener(i, *place) for i, place in enumerate(taken)]}})
        return gateways

    # ---- matches

    def pattern(self, letters):
        """One that may be asked of a header."""
        while True:
            text = words.whole_pattern(self.rng, letters)
            if HEADER_VALUE.fullmatch(text):
                return text

    def condition(self, name, values, letters):
        condition = {"name": name}
        if self.has("patterns"):
            letters += ("é", "é") if values is words.PARAM_VALUES else ()
            return condition | {"type": "RegularExpression", "value": self.pattern(letters)}
        if self.rng.random() < 0.3:
            condition["type"] = "Exact"
        return condition | {"value": self.rng.choice(values)}

    def path_match(self):
        rng = self.rng
        if self.has("patterns") and rng.random() < 0.5:
            value = words.whole_pattern(rng, ("a", "ab", "b", "/", "/a", "/b"), front="/")
            return {"type": "RegularExpression", "value": value}
        path = {"value": rng.choice(self.paths), "type": rng.choice(("Exact", "PathPrefix", "PathPrefix"))}
        for key in ("value", "type"):
            if rng.random() < 0.1:
                del path[key]
        return path

    def match(self):
        match = {}
        if self.rng.random() < 0.9:
            match["path"] = self.path_match()
        if self.has("methods") and self.rng.random() < 0.5:
            match["method"] = self.rng.choice(words.METHODS[:3])
        if self.has("conditions"):
            match["headers"] = [self.condition(n, words.VALUES, ("1", "2", "a", ", "))
                                for n in some(self.rng, words.HEADERS, 0, 2)]
            if self.rng.random() < 0.05:
                match["headers"].append({"name": "Host", "value": self.rng.choice(words.HOSTS[:6])})
        if self.has("conditions"):
            match["queryParams"] = [self.condition(n, words.PARAM_VALUES, ("1", "2", "a", " "))
                                    for n in some(self.rng, words.PARAMS, 0, 2)]
        return match

    def crowd(self):
        """Many matches of one path, so that they have guards (abi/image.h)."""
        path = self.path_match()
        matches = []
        for _ in range(self.rng.randint(6, 40)):
            match = self.match()
            if self.rng.random() < 0.9:
                match["path"] = path
            matches.append(match)
        return matches

    # ---- rules

    def headers_filter(self):
        names = [n for n in some(self.rng, ("X-S", "X-T", "x-u", "Host"), 0, 3)]
        ops = {key: [{"name": n, "value": self.rng.choice(("v", "w x"))} for n in names] for key in ("set", "add")
               if self.rng.random() < 0.6}
        if self.rng.random() < 0.5:
            ops["remove"] = some(self.rng, ("X-R", "x-q"), 0, 2)
        if self.rng.random() < 0.05:
            ops["set"] = [{"name": "Connection", "value": "close"}]  # frames messages: cannot be carried out
        return ops

    def path_edit(self, rule, edit):
        matches = rule.get("matches", [{}])
        is_one_prefix = len(matches) == 1 and matches[0].get("path", {}).get("type", "PathPrefix") == "PathPrefix"
        if self.rng.random() < 0.5:
            return edit
        if is_one_prefix and self.rng.random() < 0.6:
            text = self.rng.choice(("/", "/n", "/n/", "n", ""))
            return edit | {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": text}}
        return edit | {"path": {"type": "ReplaceFullPath", "replaceFullPath": self.rng.choice(("/", "/f", "/f g"))}}

    def redirect(self, rule):
        status = self.rng.choice((301, 302, 303, 307, 308))
        members = {"scheme": "https", "hostname": "r.com", "port": 8443, "statusCode": status}
        return self.path_edit(rule, {key: value for key, value in members.items() if self.rng.random() < 0.4})

    def filters(self, rule):
        filters = []
        for type_, member in (("RequestHeaderModifier", "requestHeaderModifier"),
                              ("ResponseHeaderModifier", "responseHeaderModifier")):
            if self.rng.random() < 0.4:
                filters.append({"type": type_, member: self.headers_filter()})
        choice = self.rng.random()
        if choice < 0.3:
            filters.append({"type": "RequestRedirect", "requestRedirect": self.redirect(rule)})
        elif choice < 0.5:
            edit = {"hostname": "w.com"} if self.rng.random() < 0.5 else {}
            filters.append({"type": "URLRewrite", "urlRewrite": self.path_edit(rule, edit)})
        elif choice < 0.55:
            filters.append({"type": "ExtensionRef",
                            "extensionRef": {"group": "example.com", "kind": "Thing", "name": "t"}})
        if self.rng.random() < 0.2:
            filters += [self.mirror() for _ in range(self.rng.choice((1, 1, 2, 3)))]
        if self.rng.random() < 0.2:
            filters.append({"type": "CORS", "cors": self.cors()})
        if self.rng.random() < 0.2:
            filters += [self.extension("RateLimit", "keys") for _ in range(self.rng.choice((1, 1, 2, 3)))]
        if self.rng.random() < 0.2:
            filters += [self.extension("AccessPolicy", "some") for _ in range(self.rng.choice((1, 1, 2)))]
        self.rng.shuffle(filters)
        return filters

    def extension(self, kind, other):
        ref = {"group": "sluice.internal", "kind": kind,
               "name": self.rng.choice(("all", "all", "all", other, other, "absent"))}
        return {"type": "ExtensionRef", "extensionRef": ref}

    def mirror(self):
        mirror = {"backendRef": self.reference()}
        share = self.rng.random()
        if share < 0.3:
            mirror["percent"] = self.rng.choice((0, 1, 50, 100))
        elif share < 0.6:
            mirror["fraction"] = self.rng.choice(({"numerator": 7}, {"numerator": 1, "denominator": 3}))
        return {"type": "RequestMirror", "requestMirror": mirror}

    def cors(self):
        origins = self.rng.choice((["*"], some(self.rng, ("https://a.com", "http://*.b.com", "https://*:8443"), 0, 3)))
        members = {"allowOrigins": origins, "allowCredentials": self.rng.random() < 0.5,
                   "allowMethods": self.rng.choice((["*"], ["PUT", "GET"])),
                   "allowHeaders": self.rng.choice((["*"], ["X-A"])),
                   "exposeHeaders": self.rng.choice((["*"], ["X-B", "X-C"])),
                   "maxAge": self.rng.choice((1, 600))}
        return {key: value for key, value in members.items() if self.rng.random() < 0.7}

    def retry(self):
        members = {"attempts": self.rng.choice((1, 3, 100)), "backoff": self.rng.choice(("0s", "1s500ms")),
                   "codes": some(self.rng, (400, 500, 503, 599), 0, 3)}
        return {key: value for key, value in members.items() if self.rng.random() < 0.6}

    def reference(self):
        ref = {"name": self.rng.choice(("s", "s", "t", "absent")), "port": self.rng.choice((80, 80, 80, 81))}
        if self.rng.random() < 0.2:
            ref["namespace"] = self.rng.choice(words.NAMESPACES)
        if self.rng.random() < 0.05:
            ref |= {"group": "example.com", "kind": "Thing"}
        return ref

    def backend_filters(self):
        if self.rng.random() < 0.1:
            return [{"type": "URLRewrite", "urlRewrite": {"hostname": "w.com"}}]  # not of a backend alone
        return [{"type": "RequestHeaderModifier", "requestHeaderModifier": self.headers_filter()}]

    def backend(self):
        backend = self.reference()
        if self.rng.random() < 0.5:
            backend["weight"] = self.rng.choice((0, 1, 2, 1000000))
        if self.has("filters") and self.rng.random() < 0.2:
            backend["filters"] = self.backend_filters()
        return backend

    def rule(self, number):
        rule = {}
        kind = self.rng.random()
        if self.is_crowded and kind < 0.5:
            rule["matches"] = self.crowd()
        elif kind > 0.1:
            rule["matches"] = [self.match() for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3)))]
        if self.has("filters"):
            rule["filters"] = self.filters(rule)
        if not any("requestRedirect" in f for f in rule.get("filters", [])):
            rule["backendRefs"] = [self.backend() for _ in range(self.rng.choice((0, 1, 1, 2, 3)))]
        if self.rng.random() < 0.2:
            rule["retry"] = self.retry()
        if self.rng.random() < 0.2:
            rule["name"] = f"rule-{number}"
        if self.rng.random() < 0.2:
            rule["timeouts"] = {"request": self.rng.choice(("10s", "1m30s", "0s"))}
        if self.rng.random() < 0.2:
            rule["timeouts"] = rule.get("timeouts", {}) | {"backendRequest": self.rng.choice(("500ms", "10s", "1s"))}
        return rule

    # ---- routes

    def parents(self, gateways, namespace):
        refs = {}
        for gateway in some(self.rng, gateways, 1, 2):
            where = gateway["metadata"]
            ref = {"name": where["name"]}
            if where["namespace"] != namespace or self.rng.random() < 0.5:
                ref["namespace"] = where["namespace"]
            listener = self.rng.choice(gateway["spec"]["listeners"])
            if self.rng.random() < 0.3:
                ref["sectionName"] = listener["name"]
            if self.rng.random() < 0.2:
                ref["port"] = self.rng.choice((listener["port"], 80))
            refs[gateway["metadata"]["name"]] = ref
        return list(refs.values())

    def route(self, name, namespace, gateways):
        rules = [self.rule(i) for i in range(self.rng.choice((1, 1, 2, 3, 4)))]
        while sum(len(r.get("matches", [0])) for r in rules) > FULL_MATCHES:
            rules.pop()
        spec = {"parentRefs": self.parents(gateways, namespace), "rules": rules}
        if self.has("hostnames"):
            spec["hostnames"] = [self.rng.choice(self.hostnames) for _ in range(self.rng.randint(1, 3))]
        if self.rng.random() < 0.02:
            del spec["rules"]
        return {"apiVersion": GATEWAY_API, "kind": "HTTPRoute",
                "metadata": meta(name, namespace) | {"creationTimestamp": self.rng.choice(words.TIMES)}, "spec": spec}

    def all(self):
        gateways = self.gateways()
        names = [(name, namespace) for name in words.ROUTES for namespace in words.NAMESPACES]
        routes = [self.route(*name, gateways) for name in some(self.rng, names, 1, 6)]
        return surroundings() + gateways + routes


def make(rng):
    return Maker(rng).all()
