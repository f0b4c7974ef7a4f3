# SPDX-License-Identifier: Apache-2.0
"""Which match takes a request, by the Gateway API's words (v1.6, apis/v1: GatewaySpec.listeners,
HTTPRouteSpec.hostnames, HTTPRouteRule.matches, HTTPPathMatch, HTTPHeaderMatch, HTTPQueryParamMatch,
GRPCRouteSpec.hostnames, GRPCRouteRule.matches, GRPCMethodMatch, TLSRouteSpec.hostnames, TCPRoute). Every match of
every route is looked at; those that hold are sorted by the criteria in the order in which they are written. Quotations
are the specification's.

What it leaves open is answered by dataplane/route/README.md, and marked "ours"."""

import re
from collections import namedtuple
from datetime import datetime

from request import Refused, normal_path

# One of a list of headers or query parameters; `name` of a header in lower case.
Condition = namedtuple("Condition", "name value is_pattern")
# `path` in normal form, or a pattern. `kind`: Exact, PathPrefix, RegularExpression.
# `call`: of a GRPCRoute, (service, method, are they patterns), None: any. Of it `path` is what they come to.
Match = namedtuple("Match", "index kind path method headers params call", defaults=(None,))
Rule = namedtuple("Rule", "index matches is_sound spec")
Route = namedtuple("Route", "kind namespace name uid created hostnames rules")
# `owner`: the object that it stands in, a Gateway or a ListenerSet.
Listener = namedtuple("Listener", "name hostname port addresses routes spec gateway owner")
# A match that one of its route's hostnames holds for; `loss`: why it does not hold, None: it does.
Candidate = namedtuple("Candidate", "key route rule match hostname loss")

DEFAULT_PATH = {"type": "PathPrefix", "value": "/"}
NOT_OURS = re.compile(r"\(\?<?[=!]|\\[1-9]")  # look-around, back-references
UNSUPPORTED = {"ExternalAuth"}
patterns = {}
OF_REQUESTS = ("HTTPRoute", "GRPCRoute")
KINDS = OF_REQUESTS + ("TLSRoute", "TCPRoute", "UDPRoute")
# What attaches to a listener; ours: where TLS ends a TCPRoute may have what no TLSRoute of it has.
KINDS_OF = {"HTTP": OF_REQUESTS, "HTTPS": OF_REQUESTS, "TLS": ("TLSRoute",),
            "TLS, terminated": ("TLSRoute", "TCPRoute"), "TCP": ("TCPRoute",), "UDP": ("UDPRoute",)}


def matches_whole(pattern, text):
    """Ours: a pattern matches if the whole text matches it, byte by byte."""
    if pattern not in patterns:
        patterns[pattern] = re.compile(pattern.encode())
    return patterns[pattern].fullmatch(text if isinstance(text, bytes) else text.encode()) is not None


def is_pattern(text):
    """Ours: Hyperscan's dialect."""
    return not NOT_OURS.search(text)


def name_of(obj):
    meta = obj["metadata"]
    return f"{meta['namespace']}/{meta['name']}"


def kind_of(objects, kind):
    return [o for o in objects if o["kind"] == kind]


# ---- hostnames

def holds_hostname(pattern, host):
    """"Hostnames that are prefixed with a wildcard label (`*.`) are interpreted as a suffix match." "" is none: all."""
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and host != pattern[1:]
    return pattern in ("", host)


def intersect(listener, route):
    """Is there a host that both hold for?"""
    return holds_hostname(listener, route.replace("*", "x", 1)) or holds_hostname(route, listener.replace("*", "x", 1))


def listener_rank(hostname):
    """"Exact matches MUST be processed before wildcard matches, and wildcard matches MUST be processed before
    fallback"; "more specific wildcard entries before less specific": "the higher the number of dots". More is first."""
    return (hostname != "", not hostname.startswith("*."), hostname.count("."))


def hostname_rank(hostname):
    """"Precedence must be given to rules from the HTTPRoute with the largest number of: characters in a matching
    non-wildcard hostname, characters in a matching hostname." Less comes first."""
    return (0 if hostname.startswith("*.") else -len(hostname), -len(hostname))


# ---- objects

def read_conditions(specs, is_header):
    """"If multiple entries specify equivalent names, only the first entry MUST be considered for a match." """
    conditions = {}
    for spec in specs or []:
        name = spec["name"].lower() if is_header else spec["name"]
        conditions.setdefault(name, Condition(name, spec["value"], spec.get("type") == "RegularExpression"))
    return list(conditions.values())


def patterns_of(match):
    conditions = [c.value for c in match.headers + match.params if c.is_pattern]
    return conditions + [match.path] * (match.kind == "RegularExpression")


def read_match(index, spec):
    path = DEFAULT_PATH | spec.get("path", {})
    text = path["value"]
    if path["type"] != "RegularExpression":
        text = normal_path(text)
    if path["type"] == "PathPrefix":
        text = text.rstrip("/") or "/"  # "When specified, a trailing `/` is ignored."
    return Match(index, path["type"], text, spec.get("method"), read_conditions(spec.get("headers"), True),
                 read_conditions(spec.get("queryParams"), False))


def without_anchors(pattern):
    """Ours: all of a name has to match, so they say nothing at its ends."""
    return pattern.removeprefix("^").removesuffix("$")


def read_call(index, spec):
    """"At least one of Service and Method MUST be a non-empty string." Ours: calls are a POST to "/service/method", so
    both are a path, a service is a prefix, patterns are one of the whole path, and a method alone is a condition."""
    said = spec.get("method", {})
    service, method, is_regex = said.get("service"), said.get("method"), said.get("type") == "RegularExpression"
    headers = read_conditions(spec.get("headers"), True)
    call = (service, method, is_regex)
    if is_regex:
        service, method = (part and without_anchors(part) for part in (service, method))
        path = "/(?:{})/(?:{})".format(service or "[^/]+", method or "[^/]+")
        return Match(index, "RegularExpression", path, None, headers, [], call)
    if service and method:
        return Match(index, "Exact", f"/{service}/{method}", None, headers, [], call)
    return Match(index, "PathPrefix", f"/{service or ''}", method if not service else None, headers, [], call)


def read_matches(spec, read):
    """Those that can be carried out, and whether all have patterns where there should be one. Ours: what cannot be
    carried out takes nothing."""
    matches, is_sound = [], True
    # "If no matches are specified, the default is a prefix path match on "/"."
    for index, match_spec in enumerate(spec.get("matches") or [{}]):
        try:
            match = read(index, match_spec)
        except Refused:
            continue
        if all(is_pattern(p) for p in patterns_of(match)):
            matches.append(match)
        else:
            is_sound = False
    return matches, is_sound


def is_supported(spec, namespace, extensions):
    """"If a reference to a custom filter type cannot be resolved, the filter MUST NOT be skipped. Instead, requests
    that would have been processed by that filter MUST receive a HTTP error response." Ours: RateLimits and
    AccessPolicies are known."""
    if spec["type"] != "ExtensionRef":
        return spec["type"] not in UNSUPPORTED
    ref = spec["extensionRef"]
    return ref["group"] == "sluice.internal" and (ref["kind"], f"{namespace}/{ref['name']}") in extensions


def read_rule(index, spec, namespace, extensions, read):
    """Ours: a rule that cannot be carried out as it is written answers 500, and takes what its other matches take."""
    matches, is_sound = read_matches(spec, read)
    is_whole = all(is_supported(f, namespace, extensions) for f in spec.get("filters", []))
    return Rule(index, matches, is_sound and is_whole, spec)


def read_route(obj, extensions):
    created = obj["metadata"].get("creationTimestamp", "9999-01-01T00:00:00Z")
    namespace = obj["metadata"]["namespace"]
    # "If no rules are specified": the CRD of HTTPRoute has a default, that of GRPCRoute has none.
    specs = obj["spec"].get("rules", [{}] if obj["kind"] == "HTTPRoute" else [])
    read = read_call if obj["kind"] == "GRPCRoute" else read_match
    rules = [read_rule(i, s, namespace, extensions, read) for i, s in enumerate(specs)]
    return Route(obj["kind"], namespace, name_of(obj), obj["metadata"].get("uid", ""),
                 datetime.fromisoformat(created.replace("Z", "+00:00")), obj["spec"].get("hostnames") or [""], rules)


def protocol_of(listener):
    """"The TLS mode [...] Terminate (default)." Ours: the word for where it is not passed on."""
    is_ended = listener["protocol"] == "TLS" and listener["tls"].get("mode", "Terminate") == "Terminate"
    return listener["protocol"] + (", terminated" if is_ended else "")


def bind_kind(listeners):
    """Ours: listeners of HTTPS and TLS share a port, and then the first message of TLS is looked at."""
    protocols = {l.spec["protocol"] for l in listeners}
    return "TLS" if "TLS" in protocols else next(iter(protocols))


def lets_in(rule, default, owner, namespace, labels):
    """Rules of which namespaces an object lets others in from."""
    which = rule.get("from", default)
    if which in ("None", "All"):
        return which == "All"
    if which == "Same":
        return namespace == owner["metadata"]["namespace"]
    wanted = rule["selector"].get("matchLabels", {})
    return wanted.items() <= labels.get(namespace, {}).items()


def allows(listener, owner, namespace, labels):
    """allowedRoutes.namespaces"""
    return lets_in(listener.get("allowedRoutes", {}).get("namespaces", {}), "Same", owner, namespace, labels)


def is_set_of(listener_set, gateway, labels):
    """"The ListenerSet is selected by the Gateway's AllowedListeners field" and "has a valid ParentRef selecting the
    Gateway"."""
    ref, namespace = listener_set["spec"]["parentRef"], listener_set["metadata"]["namespace"]
    rule = gateway["spec"].get("allowedListeners", {}).get("namespaces", {})
    return (f"{ref.get('namespace', namespace)}/{ref['name']}" == name_of(gateway)
            and lets_in(rule, "None", gateway, namespace, labels))


def is_parent(ref, namespace, owner, listener):
    """parentRefs: of two conditions both have to hold; a namespace that is not given is the route's. "The Route MUST
    attach only to the Gateway listeners specified in `.spec.listeners`" (GEP-1713), and so with a ListenerSet's."""
    return (ref.get("kind", "Gateway") == owner["kind"]
            and f"{ref.get('namespace', namespace)}/{ref['name']}" == name_of(owner)
            and ref.get("sectionName", listener["name"]) == listener["name"]
            and ref.get("port", listener["port"]) == listener["port"])


def without_rivals(routes, hostname):
    """Of an HTTPRoute and a GRPCRoute with hostnames in common on a listener
    "MUST accept exactly one": "the oldest Route based on creation timestamp", then "the Route appearing first in
    alphabetical order by "{namespace}/{name}"".
    Ours: on this listener the other is refused as a whole; of two of one name the GRPCRoute is."""
    kept = []
    for route in sorted(routes, key=lambda r: (r.created, r.name, KINDS.index(r.kind))):
        if route.kind not in OF_REQUESTS:
            kept.append(route)
            continue
        own = [h for h in route.hostnames if intersect(hostname, h)]
        theirs = [h for r in kept if r.kind != route.kind and any(rule.matches for rule in r.rules)
                  for h in r.hostnames if intersect(hostname, h)]
        if not any(intersect(h, other) for h in own for other in theirs):
            kept.append(route)
    return kept


class World:
    """What a set of objects means. Gateways have addresses of their own, in no conflict."""

    def __init__(self, objects):
        extensions = {(o["kind"], name_of(o)) for kind in ("RateLimit", "AccessPolicy") for o in kind_of(objects, kind)}
        self.routes = {(kind, name_of(o)): read_route(o, extensions) for kind in KINDS
                       for o in kind_of(objects, kind)}
        self.labels = {o["metadata"]["name"]: {"kubernetes.io/metadata.name": o["metadata"]["name"]}
                       | o["metadata"].get("labels", {}) for o in kind_of(objects, "Namespace")}
        self.listeners = []
        for gateway in kind_of(objects, "Gateway"):
            sets = [s for s in kind_of(objects, "ListenerSet") if is_set_of(s, gateway, self.labels)]
            for owner in [gateway] + sets:
                for listener in owner["spec"]["listeners"]:
                    self.listeners.append(self.read_listener(objects, gateway, owner, listener))

    def read_listener(self, objects, gateway, owner, spec):
        kinds = KINDS_OF[protocol_of(spec)]
        routes = [self.routes[kind, name_of(o)] for kind in kinds for o in kind_of(objects, kind)
                  if allows(spec, owner, o["metadata"]["namespace"], self.labels)
                  and any(is_parent(ref, o["metadata"]["namespace"], owner, spec) for ref in o["spec"]["parentRefs"])]
        whose = name_of(owner) if owner is gateway else "{namespace}/ListenerSet/{name}".format(**owner["metadata"])
        return Listener(f"{whose}/{spec['name']}", spec.get("hostname", ""), spec["port"],
                        [a["value"] for a in gateway["spec"]["addresses"]],
                        without_rivals(routes, spec.get("hostname", "")), spec, gateway, owner)

    def listeners_at(self, request):
        """Requests and connections come by TCP."""
        return [l for l in self.listeners if l.port == request.port and request.address in l.addresses
                and l.spec["protocol"] != "UDP"]

    def listener_of(self, request):
        """"Inbound request hostnames MUST match from the most specific to least specific Hostname"; and (listener
        isolation) no other listener than the most specific takes it."""
        fits = [l for l in self.listeners_at(request) if holds_hostname(l.hostname, request.hostname)]
        return max(fits, key=lambda l: listener_rank(l.hostname), default=None)

    def candidates(self, request, listener):
        """All matches of the listener's routes whose hostname holds, the most preferred first."""
        found = []
        for route in listener.routes:
            for hostname in set(route.hostnames):
                if intersect(listener.hostname, hostname) and holds_hostname(hostname, request.hostname):
                    found += [Candidate(precedence(route, hostname, rule, match), route, rule, match, hostname,
                                        loss_of(match, request)) for rule in route.rules for match in rule.matches]
        return sorted(found, key=lambda c: c.key)

    def answer(self, request):
        """As the image's: see ask_match()."""
        if not self.listeners_at(request):
            return "nobody listens"
        if request.is_refused:
            return "refused 400"
        taker = self.taker(request, self.listener_of(request))
        # "When no rules matching a request have been successfully attached [...], a HTTP 404 status code MUST be
        # returned."
        return taker or "404"

    def taker(self, request, listener):
        """The match that takes it, in words; None: none does."""
        takers = [c for c in self.candidates(request, listener) if c.loss is None] if listener else []
        return f"{takers[0].route.name} {takers[0].rule.index} {takers[0].match.index}" if takers else None

    def where_to(self, connection):
        """As the image's: see ask_connection(). What a client speaks at the place, the listener that has the server
        name, and the match that passes the connection on. "Routes MUST be matched by SNI"."""
        there = self.listeners_at(connection)
        if not there:
            return "nobody listens"
        listener = self.listener_of(connection)
        is_passed_on = listener is not None and listener.spec["protocol"] in ("TLS", "TCP")
        return [bind_kind(there), listener and listener.name,
                self.taker(connection, listener) if is_passed_on else None]


# ---- matches

def holds_path(match, path):
    if match.kind == "Exact":
        return path == match.path
    if match.kind == "RegularExpression":
        return matches_whole(match.path, path)
    # "Matching is case-sensitive and done on a path element by element basis."
    wanted = match.path.split("/")[1:] if match.path != "/" else []
    return path.split("/")[1:][:len(wanted)] == wanted


def holds_condition(condition, text):
    if text is None:
        return False
    if condition.is_pattern:
        return matches_whole(condition.value, text)
    return text == (condition.value.encode() if isinstance(text, bytes) else condition.value)


def holds_name(wanted, name, is_regex):
    return wanted is None or (matches_whole(wanted, name) if is_regex else wanted == name)


def call_group(part):
    part = without_anchors(part or "[^/]+")
    return f"(?i:{part[4:]})" if part.startswith("(?i)") else f"(?:{part})"


def holds_call_path(match, path):
    service, method, is_regex = match.call
    return matches_whole(f"/{call_group(service)}/{call_group(method)}", path) if is_regex else holds_path(match, path)


def loss_of_call(match, request):
    """"Value of the service to match against", "value of the method", each by itself; a call is a POST to both."""
    parts = request.path.split("/")[1:]
    service, method, is_regex = match.call
    if request.method != "POST" or len(parts) != 2 or "" in parts:
        return "CALL" if holds_call_path(match, request.path) else "PATH"
    if holds_name(service, parts[0], is_regex) and holds_name(method, parts[1], is_regex):
        return None
    return "METHOD" if holds_call_path(match, request.path) else "PATH"


def loss_of_request(match, request):
    if not holds_path(match, request.path):
        return "PATH"
    return "METHOD" if match.method not in (None, request.method) else None


def loss_of(match, request):
    """The first part that does not hold; None: all do."""
    loss = (loss_of_call if match.call else loss_of_request)(match, request)
    if loss is not None:
        return loss
    if not all(holds_condition(c, request.fields.get(c.name)) for c in match.headers):
        return "HEADER"
    if not all(holds_condition(c, request.params.get(c.name.encode())) for c in match.params):
        return "QUERY"
    return None


def path_rank(match):
    """"Exact" path match. "Prefix" path match with largest number of characters. Ours: patterns stand between them, the
    longer first, then by their bytes."""
    if match.kind == "Exact":
        return (0, 0, b"")
    # "Characters in a matching service. Characters in a matching method.": services are prefixes of one length here.
    text = match.path.encode()
    return (1, -len(text), text) if match.kind == "RegularExpression" else (2, -len(text), b"")


def precedence(route, hostname, rule, match):
    """What decides between matches that hold: the least takes the request."""
    return (hostname_rank(hostname),
            path_rank(match),
            match.method is None,  # "Method match."
            -len(match.headers),  # "Largest number of header matches."
            -len(match.params),  # "Largest number of query param matches."
            route.created,  # "The oldest Route based on creation timestamp."
            route.name,  # "The Route appearing first in alphabetical order by "{namespace}/{name}"."
            rule.index,  # "The FIRST matching rule (in list order)"
            match.index)
