# SPDX-License-Identifier: Apache-2.0
"""Random Gateways and routes, valid by the CRDs, and what they refer to."""

import re

import words
from certificates import NAMES
from make_around import GATEWAY_API, TLS_SHARE, Around, meta
from words import some

FULL_MATCHES = 128  # of a route, as Gateway API says
HEADER_VALUE = re.compile(r"[!-~]+([\t ][!-~]+)*")  # as Gateway API says, for a machine that tracks back


class Maker:
    """One random set. What is likely in it differs from set to set: `traits`."""

    def __init__(self, rng):
        self.rng = rng
        self.traits = {trait: rng.random() for trait in ("hostnames", "patterns", "conditions", "methods", "filters")}
        self.is_crowded = rng.random() < 0.15
        self.grpc_share = rng.choice((0, 0, 0.3, 1))
        self.is_grpc = False  # the route that is being made
        self.secured_port = rng.choice(words.PORTS) if rng.random() < TLS_SHARE else None
        self.has_passed, self.has_tcp, self.has_udp = rng.random() < 0.3, rng.random() < 0.3, rng.random() < 0.3
        self.hostnames = some(rng, words.HOSTNAMES, 2, 6)
        self.paths = [words.path(rng) for _ in range(rng.randint(2, 8))]

    def has(self, trait):
        return self.rng.random() < self.traits[trait]

    # ---- Gateways

    def secured(self):
        """Of a listener that shares its port with others where TLS ends, or is passed on."""
        kind = self.rng.choice(("HTTPS", "HTTPS", "HTTPS", "Terminate", "Passthrough"))
        if kind == "Passthrough":
            return {"protocol": "TLS", "tls": {"mode": kind}}
        mode = {"mode": "Terminate"} if kind == "Terminate" or self.rng.random() < 0.3 else {}
        refs = {"certificateRefs": [{"name": n} for n in some(self.rng, NAMES, 1, 2)]}
        return {"protocol": "HTTPS" if kind == "HTTPS" else "TLS", "tls": mode | refs}

    def listener(self, number, port, hostname, protocol="HTTP"):
        listener = {"name": f"l{number}", "port": port, "protocol": protocol}
        if protocol == "UDP":
            pass
        elif port == self.secured_port:
            listener |= self.secured()
        elif port == words.PASSED_PORT:
            listener |= {"protocol": "TLS", "tls": {"mode": "Passthrough"}}
        elif port == words.TCP_PORT:
            listener |= {"protocol": "TCP"}
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
        ports = words.PORTS + ((words.PASSED_PORT,) if self.has_passed else ())
        places = [(port, hostname) for port in ports for hostname in [None, None] + self.hostnames
                  if hostname is None or self.has("hostnames")]
        places = list(dict.fromkeys(places)) + ([(words.TCP_PORT, None)] * self.has_tcp)
        places += [(port, None, "UDP") for port in words.UDP_PORTS if self.has_udp]
        gateways = []
        for name in some(rng, ("g", "h"), 1, 2):
            taken = some(rng, places, 1, 5)
            places = [p for p in places if p not in taken]
            if taken:
                gateways.append({
                    "apiVersion": GATEWAY_API, "kind": "Gateway", "metadata": meta(name, rng.choice(words.NAMESPACES)),
                    "spec": {"gatewayClassName": "lb",
                             "addresses": [{"type": "IPAddress", "value": a} for a in some(rng, words.ADDRESSES, 1, 2)],
                             "listeners": [self.listener(i, *place) for i, place in enumerate(taken)]} | self.tls()})
        return gateways

    def listener_set(self, name, gateway, listeners):
        """Some of a Gateway's listeners on an object of their own; other names than within one need not be."""
        where = gateway["metadata"]
        namespace = self.rng.choice(words.NAMESPACES)
        parent = {"name": where["name"]}
        if where["namespace"] != namespace or self.rng.random() < 0.5:
            parent["namespace"] = where["namespace"]
        return {"apiVersion": GATEWAY_API, "kind": "ListenerSet",
                "metadata": meta(name, namespace) | {"creationTimestamp": self.rng.choice(words.TIMES)},
                "spec": {"parentRef": parent, "listeners": [l | {"name": f"l{i}"} for i, l in enumerate(listeners)]}}

    def listener_sets(self, gateways):
        """Takes listeners from Gateways that have several. Where these let no ListenerSets in, or not theirs, the
        listeners are nobody's."""
        sets = []
        for gateway in gateways:
            spec = gateway["spec"]
            listeners = spec["listeners"]
            if len(listeners) < 2 or self.rng.random() < 0.6:
                continue
            own, others = listeners[:1], listeners[1:]
            at = self.rng.randint(0, len(others))
            spec["listeners"] = own
            sets += [self.listener_set(f"{gateway['metadata']['name']}{i}", gateway, part)
                     for i, part in enumerate((others[:at], others[at:])) if part]
            namespaces = self.rng.choice(({"from": "All"},) * 4 + ({"from": "Same"}, {}, {
                "from": "Selector", "selector": {"matchLabels": {"team": "a"}}}))
            spec["allowedListeners"] = {"namespaces": namespaces}
        return sets

    def clients(self):
        refs = [{"group": "", "kind": "ConfigMap", "name": n} for n in some(self.rng, NAMES, 1, 2)]
        mode = self.rng.choice(({}, {"mode": "AllowValidOnly"}, {"mode": "AllowInsecureFallback"}))
        return {"validation": {"caCertificateRefs": refs} | mode} if self.rng.random() < 0.7 else {}

    def tls(self):
        """Who its clients have to be, and who it is for backends."""
        tls = {}
        if self.secured_port is None:
            return {}
        if self.rng.random() < 0.6:
            tls["frontend"] = {"default": self.clients()}
            if self.rng.random() < 0.5:
                tls["frontend"]["perPort"] = [{"port": self.rng.choice(words.PORTS), "tls": self.clients()}]
        if self.rng.random() < 0.5:
            tls["backend"] = {"clientCertificateRef": {"name": self.rng.choice(("one", "two", "absent"))}}
        return {"tls": tls} if tls else {}

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

    def called(self):
        """Service and method of gRPC, or one of them."""
        rng = self.rng
        if self.has("patterns"):
            parts = {"service": words.whole_pattern(rng, ("a", "b", r"\.")),
                     "method": words.whole_pattern(rng, ("m", "b"))}
            kind = {"type": "RegularExpression"}
        else:
            parts = {"service": rng.choice(words.CALLED_SERVICES), "method": rng.choice(words.CALLED_METHODS)}
            kind = rng.choice(({}, {"type": "Exact"}))
        dropped = rng.choice(("", "", "service", "method"))
        return kind | {key: value for key, value in parts.items() if key != dropped}

    def call_match(self):
        match = {"method": self.called()} if self.rng.random() < 0.9 else {}
        if self.has("conditions"):
            match["headers"] = [self.condition(n, words.VALUES, ("1", "2", "a", ", "))
                                for n in some(self.rng, words.HEADERS, 0, 2)]
        return match

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

    def any_match(self):
        return self.call_match() if self.is_grpc else self.match()

    def crowd(self):
        """Many matches of one path, or of one service, so that they have guards (abi/image.h)."""
        path = self.path_match()
        service = self.rng.choice(words.CALLED_SERVICES)
        matches = []
        for _ in range(self.rng.randint(6, 40)):
            match = self.any_match()
            if self.rng.random() < 0.9 and not self.is_grpc:
                match["path"] = path
            elif self.rng.random() < 0.3 and self.is_grpc:
                match["method"] = {"service": service}
            elif self.rng.random() < 0.8 and self.is_grpc:
                match["method"] = {"method": self.rng.choice(words.CALLED_METHODS)}
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
        if self.is_grpc:
            pass
        elif choice < 0.3:
            filters.append({"type": "RequestRedirect", "requestRedirect": self.redirect(rule)})
        elif choice < 0.5:
            edit = {"hostname": "w.com"} if self.rng.random() < 0.5 else {}
            filters.append({"type": "URLRewrite", "urlRewrite": self.path_edit(rule, edit)})
        elif choice < 0.55:
            filters.append({"type": "ExtensionRef",
                            "extensionRef": {"group": "example.com", "kind": "Thing", "name": "t"}})
        if self.rng.random() < 0.2:
            filters += [self.mirror() for _ in range(self.rng.choice((1, 1, 2, 3)))]
        if self.rng.random() < 0.2 and not self.is_grpc:
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

    def session(self):
        rng = self.rng
        kind = rng.choice(({}, {"type": "Cookie"}, {"type": "Header"}))
        session = kind | {key: value for key, value in {
            "sessionName": rng.choice(("", "sid", "X-Session") + words.SESSION_NAMES),
            "absoluteTimeout": rng.choice(("1h", "1s500ms", "0s"))}.items() if rng.random() < 0.5}
        if kind.get("type") != "Header" and rng.random() < 0.5:
            lasting = "absoluteTimeout" in session and rng.random() < 0.7
            session["cookieConfig"] = rng.choice(({}, {"lifetimeType": "Permanent" if lasting else "Session"}))
        return session

    def reference(self):
        ref = {"name": self.rng.choice(("s", "s", "t", "absent")), "port": self.rng.choice((80, 80, 80, 81))}
        if self.rng.random() < 0.2:
            ref["namespace"] = self.rng.choice(words.NAMESPACES)
        if self.rng.random() < 0.05:
            ref |= {"group": "example.com", "kind": "Thing"}
        return ref

    def backend_filters(self):
        if self.rng.random() < 0.1 and not self.is_grpc:
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
            rule["matches"] = [self.any_match() for _ in range(self.rng.choice((0, 1, 1, 1, 2, 3)))]
        if self.has("filters"):
            rule["filters"] = self.filters(rule)
        if not any("requestRedirect" in f for f in rule.get("filters", [])):
            rule["backendRefs"] = [self.backend() for _ in range(self.rng.choice((0, 1, 1, 2, 3)))]
        if self.rng.random() < 0.2:
            rule["sessionPersistence"] = self.session()
        if self.rng.random() < 0.2:
            rule["name"] = f"rule-{number}"
        if self.is_grpc:
            return rule
        if self.rng.random() < 0.2:
            rule["retry"] = self.retry()
        if self.rng.random() < 0.2:
            rule["timeouts"] = {"request": self.rng.choice(("10s", "1m30s", "0s"))}
        if self.rng.random() < 0.2:
            rule["timeouts"] = rule.get("timeouts", {}) | {"backendRequest": self.rng.choice(("500ms", "10s", "1s"))}
        return rule

    # ---- routes

    def parents(self, parents, namespace):
        refs = {}
        for parent in some(self.rng, parents, 1, 2):
            where = parent["metadata"]
            ref = {"name": where["name"]}
            if parent["kind"] != "Gateway":
                ref["kind"] = parent["kind"]
            if where["namespace"] != namespace or self.rng.random() < 0.5:
                ref["namespace"] = where["namespace"]
            listener = self.rng.choice(parent["spec"]["listeners"])
            if self.rng.random() < 0.3:
                ref["sectionName"] = listener["name"]
            if self.rng.random() < 0.2:
                ref["port"] = self.rng.choice((listener["port"], 80))
            refs[parent["metadata"]["name"]] = ref
        return list(refs.values())

    def route(self, name, namespace, parents):
        self.is_grpc = self.rng.random() < self.grpc_share
        rules = [self.rule(i) for i in range(self.rng.choice((1, 1, 2, 3, 4)))]
        while sum(len(r.get("matches", [0])) for r in rules) > FULL_MATCHES:
            rules.pop()
        spec = {"parentRefs": self.parents(parents, namespace), "rules": rules}
        if self.has("hostnames"):
            spec["hostnames"] = [self.rng.choice(self.hostnames) for _ in range(self.rng.randint(1, 3))]
        if self.rng.random() < 0.02:
            del spec["rules"]
        return self.as_route("GRPCRoute" if self.is_grpc else "HTTPRoute", name, namespace, spec)

    def as_route(self, kind, name, namespace, spec):
        return {"apiVersion": GATEWAY_API, "kind": kind,
                "metadata": meta(name, namespace) | {"creationTimestamp": self.rng.choice(words.TIMES),
                                                     "uid": f"{self.rng.getrandbits(32):08x}"}, "spec": spec}

    def passed_backend(self):
        weight = {"weight": self.rng.choice((0, 1, 2, 1000000))} if self.rng.random() < 0.5 else {}
        return self.reference() | weight

    def passed_route(self, name, namespace, parents):
        """One by which connections are passed on: it has one rule, and that only backends."""
        rng = self.rng
        kind = rng.choice(("TLSRoute", "TLSRoute", "TCPRoute") + ("UDPRoute", "UDPRoute") * self.has_udp)
        spec = {"parentRefs": self.parents(parents, namespace),
                "rules": [{"backendRefs": [self.passed_backend() for _ in range(rng.choice((1, 1, 2, 3)))]}]}
        if kind == "TLSRoute":
            spec["hostnames"] = some(rng, self.hostnames, 1, 3)
        return self.as_route(kind, name, namespace, spec)

    def passed_routes(self, parents, names):
        if not any(l["protocol"] in ("TLS", "TCP", "UDP") for p in parents for l in p["spec"]["listeners"]):
            return []
        return [self.passed_route(*name, parents) for name in some(self.rng, names, 1, 5)]

    def all(self):
        gateways = self.gateways()
        sets = self.listener_sets(gateways)
        parents = gateways + sets
        names = [(name, namespace) for name in words.ROUTES for namespace in words.NAMESPACES]
        routes = [self.route(*name, parents) for name in some(self.rng, names, 1, 6)]
        routes += self.passed_routes(parents, names)
        return Around(self.rng, gateways).all() + parents + routes


def make(rng):
    return Maker(rng).all()
