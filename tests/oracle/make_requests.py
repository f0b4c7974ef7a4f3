# SPDX-License-Identifier: Apache-2.0
"""Random requests and connections, most of them near to what a set of objects asks for."""

import re

import words
from reference import holds_hostname, is_pattern, matches_whole
from request import Connection, Request

BAD_SEGMENTS = ("%00", "%zz", "%4", "..;x", ".;", "a%2F..", "..%5ca", "a%2f..;b", "%2e%2e;")
ODD_SEGMENTS = ("", ".", "..", "%2e", "%2E%2e", "a%2fb", "..a", "a;b", "%3B", "[a]")


AIMED = 0.75  # of the requests are made for one match of one route


class Aim:
    """What requests are near to: all words of a set, or what one match asks for."""

    def __init__(self, rng, places, hostnames, matches):
        self.places = places
        self.hosts = [h.replace("*", rng.choice(("x", "z", "x.y"))) for h in hostnames]
        paths = [m.get("path", {}) for m in matches]
        self.paths = [p.get("value", "/") for p in paths if p.get("type") != "RegularExpression"]
        self.patterns = [p["value"] for p in paths if p.get("type") == "RegularExpression"]
        self.methods = [m["method"] for m in matches if "method" in m]
        self.headers = [h for m in matches for h in m.get("headers", []) if h["name"] != "Host"]
        self.params = [p for m in matches for p in m.get("queryParams", [])]


def that_matches(rng, pattern, letters, front=""):
    """A text of the letters, behind `front`, that the pattern matches, if one is found soon."""
    texts = [front + "".join(rng.choices(letters, k=rng.randint(1, 4))) for _ in range(12)]
    return next((t for t in texts if is_pattern(pattern) and matches_whole(pattern, t)), texts[0])


def listening(objects):
    """(name, listeners, addresses) of all Gateways and ListenerSets."""
    addresses = {o["metadata"]["name"]: [a["value"] for a in o["spec"]["addresses"]] for o in objects
                 if o["kind"] == "Gateway"}
    return [(o["metadata"]["name"], o["spec"]["listeners"],
             addresses[o["spec"].get("parentRef", o["metadata"])["name"]])
            for o in objects if o["kind"] in ("Gateway", "ListenerSet")]


class Maker:
    """Requests for the objects of one set."""

    def __init__(self, rng, objects):
        self.rng = rng
        self.parents = listening(objects)
        self.routes = [o["spec"] for o in objects if o["kind"] == "HTTPRoute"]
        self.routes += [self.as_requests(o["spec"]) for o in objects if o["kind"] == "GRPCRoute"]
        listeners = [l for _, listeners, _ in self.parents for l in listeners]
        places = [(a, l["port"]) for _, listeners, addresses in self.parents for a in addresses for l in listeners]
        hostnames = [h for spec in self.routes for h in spec.get("hostnames", [])]
        hostnames += [l.get("hostname", "com") for l in listeners]
        matches = [m for spec in self.routes for rule in spec.get("rules", []) for m in rule.get("matches", [])]
        self.everything = Aim(rng, places, hostnames, matches)
        self.aim = self.everything

    def called(self, match, part, others, letters):
        text = match.get("method", {}).get(part)
        if text is None:
            return self.rng.choice(others)
        is_regex = match["method"].get("type") == "RegularExpression"
        return that_matches(self.rng, text, letters) if is_regex else text

    def as_request(self, match):
        service = self.called(match, "service", words.CALLED_SERVICES, ("a", "b", "."))
        method = self.called(match, "method", words.CALLED_METHODS, ("m", "b"))
        return {"method": "POST", "path": {"type": "Exact", "value": f"/{service}/{method}"},
                "headers": match.get("headers", [])}

    def as_requests(self, spec):
        """A GRPCRoute as the HTTPRoute that takes some of its calls."""
        rules = []
        for rule in spec.get("rules", []):
            rules.append({"matches": [self.as_request(m) for m in rule.get("matches", [])]})
        return spec | {"rules": rules}

    def take_aim(self):
        """At a match of a route on a listener that may be its parent; else at nothing special."""
        rng = self.rng
        self.aim = self.everything
        route = rng.choice(self.routes)
        matches = [m for rule in route.get("rules", []) for m in rule.get("matches", [])]
        ref = rng.choice(route["parentRefs"])
        _, listeners, addresses = next(p for p in self.parents if p[0] == ref["name"])
        listeners = [l for l in listeners if ref.get("sectionName", l["name"]) == l["name"]]
        if not matches or rng.random() > AIMED:
            return
        listener = rng.choice(listeners)
        own, its = rng.choice(route.get("hostnames", ["*.com"])), listener.get("hostname", "")
        narrower = own if holds_hostname(its, own.replace("*", "x")) else its
        self.aim = Aim(rng, [(a, listener["port"]) for a in addresses], [narrower], [rng.choice(matches)])

    @property
    def is_aimed(self):
        return self.aim is not self.everything

    def near(self, own, others):
        return self.rng.choice(own if own and self.rng.random() < (0.9 if self.is_aimed else 0.7) else others)

    def host(self):
        rng = self.rng
        host = self.near(self.aim.hosts, words.HOSTS)
        dressing = rng.random()
        if dressing < 0.1:
            host = host.upper()
        if 0.1 < dressing < 0.2 and not host.startswith("["):
            host += "."
        if rng.random() < 0.3:
            host += rng.choice((":80", ":8080", ":1", ":65535"))
        return host

    # ---- targets

    def encode_a_char(self, path):
        at = [i for i, char in enumerate(path) if char.isalnum() and path[max(0, i - 2):i].find("%") < 0]
        if not at:
            return path
        i = self.rng.choice(at)
        code = f"%{ord(path[i]):02x}"
        return path[:i] + (code if self.rng.random() < 0.5 else code.upper()) + path[i + 1:]

    def insert_segment(self, path):
        segments = path.split("/")
        choice = self.rng.random()
        words_ = BAD_SEGMENTS if choice < 0.1 else ODD_SEGMENTS if choice < 0.7 else words.SEGMENTS
        segments.insert(self.rng.randint(1, len(segments)), self.rng.choice(words_))
        return "/".join(segments)

    def path(self):
        rng = self.rng
        path = self.near(self.aim.paths, [words.path(rng)])
        if self.aim.patterns and rng.random() < (0.9 if self.is_aimed else 0.2):
            path = that_matches(rng, rng.choice(self.aim.patterns), ("a", "b", "ab", "/a", "/"), front="/")
        for _ in range(rng.choice((0, 0, 0, 0, 1, 1, 2))):
            path = rng.choice((self.encode_a_char, self.insert_segment, self.insert_segment, lambda p: p + "/",
                               lambda p: p + "b", lambda p: p + "/a", lambda p: p[:-1] or "/", str.upper))(path)
        path = re.sub(r"%(?=[0-9A-F]?$|$)", "", path) if rng.random() < 0.9 else path
        return path if path.startswith("/") else "/" + path

    # ---- conditions

    def value(self, condition, others):
        """What the condition asks for, or something else."""
        if self.rng.random() > (0.9 if self.is_aimed else 0.6):
            return self.rng.choice(others)
        if condition.get("type") == "RegularExpression":
            return that_matches(self.rng, condition["value"], ("1", "2", "a", ", ", " "))
        return condition["value"]

    def asked(self, conditions, others, high):
        """What the match asks for, and something besides; or a few."""
        extra = [self.near(conditions, others) for _ in range(self.rng.choice((0, 0, 0, 1)) if self.is_aimed
                                                              else self.rng.randint(0, high))]
        asked = conditions + extra if self.is_aimed else extra
        return self.rng.sample(asked, len(asked)) if self.rng.random() < 0.5 else asked

    def encode_value(self, value):
        text = ""
        for byte in value.encode():
            char = chr(byte)
            if not (char.isascii() and char.isalnum()) or self.rng.random() < 0.1:
                char = "+" if char == " " and self.rng.random() < 0.5 else f"%{byte:02X}"
            text += char
        return text

    def param(self, condition):
        rng = self.rng
        value = self.encode_value(self.value(condition, words.PARAM_VALUES))
        name = self.encode_value(condition["name"]) if rng.random() < 0.2 else condition["name"]
        if rng.random() < 0.8:
            return f"{name}={value}"
        return rng.choice((name, f"{name}=", f"{name}=%0a", f"{name}={value}%4", "", "%zz=1", f"{name}={value}%00",
                           f"{name}={value}={value}"))

    def query(self):
        params = self.asked(self.aim.params, [{"name": n, "value": "1"} for n in words.PARAMS], 2)
        if params:
            return "?" + "&".join(self.param(p) for p in params)
        return self.rng.choice(("", "", "", "?", "?q", "?=1"))

    def fields(self, condition):
        """A list as one field, or as one for each of its items."""
        rng = self.rng
        value = self.value(condition, words.VALUES + ("",)).strip()
        return [(rng.choice((str, str, str.upper, str.lower))(condition["name"]),
                 rng.choice(("%s", " %s", " %s", " %s", "\t %s ")) % item)
                for item in (value.split(", ") if rng.random() < 0.5 else [value])]

    def request(self):
        rng = self.rng
        self.take_aim()
        elsewhere = (rng.choice(words.ADDRESSES), rng.choice((80, 81)))
        address, port = rng.choice(self.aim.places) if rng.random() < 0.98 else elsewhere
        method = self.near(self.aim.methods, words.METHODS + ("PURGE", "get"))
        target = self.path() + self.query()
        if method == "OPTIONS" and rng.random() < 0.2:
            target = "*"
        host = self.host() if rng.random() < 0.98 else None
        asked = self.asked(self.aim.headers, [{"name": n, "value": "1"} for n in words.HEADERS], 3)
        headers = [field for condition in asked for field in self.fields(condition)]
        return Request(address, port, method, target, host, headers)


def server_name(rng, names):
    name = rng.choice(names).replace("*", rng.choice(("x", "z", "x.y")))
    return name if "[" not in name else ""


def make_connections(rng, objects, n):
    """By TLS, or to where nobody speaks it."""
    parents = listening(objects)
    places = [(a, l["port"], l["protocol"]) for _, listeners, addresses in parents for a in addresses
              for l in listeners]
    names = [h for o in objects if o["kind"] == "TLSRoute" for h in o["spec"]["hostnames"]]
    names += [l.get("hostname", "") for _, listeners, _ in parents for l in listeners]
    made = []
    for _ in range(n):
        address, port, protocol = rng.choice(places)
        near = names if rng.random() < 0.7 else words.HOSTS + ("",)
        made.append(Connection(address if rng.random() < 0.95 else rng.choice(words.ADDRESSES), port,
                               server_name(rng, near) if protocol in ("HTTPS", "TLS") else ""))
    return made


def make(rng, objects, n):
    maker = Maker(rng, objects)
    return [maker.request() for _ in range(n)]
