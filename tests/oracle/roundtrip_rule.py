# SPDX-License-Identifier: Apache-2.0
"""What an image must say of a route's rules: filters, backends and mirrors, time limits, retries, sessions."""

import hashlib
import re

from durations import milliseconds
from reference import kind_of
from roundtrip_access import expected_access, expected_limit
from roundtrip_policy import expected_group

FRAMING = {"connection"}  # of those that are generated: fields that no filter may touch
NOT_IN_PATHS = re.compile(r"""[^!-~]|[?#"<>\\^`{|}]""")
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
NO_COOKIE = ("__secure-", "__host-")  # RFC 6265bis, section 4.1.3: thrown away unless they came over TLS
NO_SESSION_FIELDS = FRAMING | {"cookie"}  # of those that are generated: fields that mean something else
OWN_NAME = re.compile(r"sluice-[0-9a-f]{8}")


# ---- filters

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


def expected_origins(texts):
    """[text, scheme, host, port, is a wildcard] of each; a port that is not written is the scheme's own."""
    origins = []
    for text in texts:
        scheme, _, authority = text.partition("://")
        host, _, port = authority.partition(":")
        wild = host.startswith("*")
        host = host.removeprefix("*").removeprefix(".") if wild else host
        origins.append([text, scheme, host, int(port or (443 if scheme == "https" else 80)), wild])
    return ["*"] if texts == ["*"] else origins


def expected_cors(cors):
    """A star is not told of what credentials are sent to."""
    has_credentials, exposed = cors.get("allowCredentials", False), ", ".join(cors.get("exposeHeaders", []))
    return {"origins": expected_origins(cors.get("allowOrigins", [])), "credentials": has_credentials,
            "methods": ", ".join(cors.get("allowMethods", [])), "headers": ", ".join(cors.get("allowHeaders", [])),
            "exposed": "" if has_credentials and exposed == "*" else exposed, "maxAge": cors.get("maxAge", 5)}


def expected_mirror(objects, route, mirror):
    """None: it leads nowhere, and is left out."""
    name, _, connections = expected_reference(objects, route, mirror["backendRef"])
    fraction = mirror.get("fraction", {"numerator": mirror.get("percent", 100)})
    if connections is None:
        return None
    return [name, fraction["numerator"], fraction.get("denominator", 100), connections]


def expected_filters(objects, route, rule, specs):
    """The mirrors of a rule are one filter, where the first of them stands; so are its rate limits, and its access
    policies."""
    filters, several = [], {"RequestMirror": [], "RateLimit": [], "AccessPolicy": []}
    for spec in specs:
        kind = spec["extensionRef"]["kind"] if spec["type"] == "ExtensionRef" else spec["type"]
        if kind not in several:
            filters.append(expected_filter(spec))
            continue
        one = (expected_mirror(objects, route, spec["requestMirror"]) if kind == "RequestMirror"
               else expected_limit(objects, route, rule, spec["extensionRef"]) if kind == "RateLimit"
               else expected_access(objects, route, spec["extensionRef"]))
        if one is not None and not several[kind]:
            filters.append([kind, several[kind]])
        several[kind] += [one] if one is not None else []
    return [f for f in filters if f is not None]


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


# ---- backends

def is_granted(objects, route, namespace, service):
    return namespace == route.namespace or any(
        g["metadata"]["namespace"] == namespace
        and any(f["kind"] == route.kind and f["namespace"] == route.namespace for f in g["spec"]["from"])
        and any(t["kind"] == "Service" and t.get("name", service) == service for t in g["spec"]["to"])
        for g in kind_of(objects, "ReferenceGrant"))


def expected_reference(objects, route, ref):
    """[name or what is wrong with it, weight, what is said of its connections; None: it has none]"""
    namespace, weight = ref.get("namespace", route.namespace), ref.get("weight", 1)
    ports = [p for s in kind_of(objects, "Service") for p in s["spec"]["ports"]
             if (s["metadata"]["namespace"], s["metadata"]["name"]) == (namespace, ref["name"])
             and (p["port"], p.get("protocol", "TCP")) == (ref["port"], "UDP" if route.kind == "UDPRoute" else "TCP")]
    if ref.get("kind", "Service") != "Service":
        return ["InvalidKind", weight, None]
    if not is_granted(objects, route, namespace, ref["name"]):
        return ["RefNotPermitted", weight, None]
    if not ports:
        return ["BackendNotFound", weight, None]
    fault, name, connections = expected_group(objects, route.kind, namespace, ref["name"], ports[0])
    return [fault or name, weight, connections]


def expected_backend(objects, route, ref):
    """[name or what is wrong with it, weight, status instead of its answer, filters, connections]. Of one that nobody
    may connect to filters are said, but not carried out."""
    name, weight, connections = expected_reference(objects, route, ref)
    filters = ref.get("filters", [])
    if "/" not in name:
        return [name, weight, 500, [], None]
    if any(f["type"] == "URLRewrite" for f in filters):
        return ["UnsupportedValue", weight, 500, [], None]
    kept = [f for f in map(expected_filter, filters) if f is not None]
    return [name, weight, 0 if connections else 500, kept, connections]


# ---- the rest of a rule

def expected_retry(retry):
    """What it leaves open: two attempts, 25 ms apart (ours)."""
    if retry is None:
        return None
    backoff = milliseconds(retry["backoff"]) if "backoff" in retry else 25
    return [retry.get("attempts", 2), backoff, sorted(retry.get("codes", []))]


def cookie_path(rule):
    """That of the rule's one match, if it is no pattern; else all of the host."""
    if len(rule.spec.get("matches") or [{}]) != 1 or rule.matches[0].kind == "RegularExpression":
        return "/"
    return rule.matches[0].path if ";" not in rule.matches[0].path else "/"


def session_keys(uid, name):
    """The same on every box that has the same objects (compile_session.c)."""
    return hashlib.sha256(f"sluice session persistence{uid}/{name}".encode()).hexdigest()


def is_session(session):
    """Can clients keep it?"""
    name, is_header = session.get("sessionName", "").lower(), session.get("type") == "Header"
    is_name = (TOKEN.fullmatch(name) and (name not in NO_SESSION_FIELDS and not name.startswith("x-forwarded-")
                                          if is_header else not name.startswith(NO_COOKIE)))
    is_endless = milliseconds(session.get("absoluteTimeout", "")) == 0
    return bool(is_name or not name) and not (is_permanent(session) and is_endless)


def is_permanent(session):
    return session.get("cookieConfig", {}).get("lifetimeType") == "Permanent"


def expected_session(route, rule):
    """Without a name of its own: told_rule() looks at what it got."""
    session = rule.spec.get("sessionPersistence")
    if session is None:
        return None
    name, kind = session.get("sessionName", ""), session.get("type", "Cookie")
    return {"kind": kind, "name": name, "path": cookie_path(rule) if kind == "Cookie" else "",
            "lifetime": -(-milliseconds(session.get("absoluteTimeout", "")) // 1000),
            "permanent": is_permanent(session), "keys": session_keys(route.uid, name) if name else "",
            "id": ["session", route.kind, route.name, rule.index] if not name else None}


def expected_rule(objects, route, rule):
    """Of a rule that answers 500 nothing else is said."""
    filters = rule.spec.get("filters", [])
    backends = [expected_backend(objects, route, ref) for ref in rule.spec.get("backendRefs", [])]
    of_backends = [f for ref, backend in zip(rule.spec.get("backendRefs", []), backends)
                   if "/" in backend[0] for f in ref.get("filters", [])]
    if (not rule.is_sound or any(touches_framing(f) for f in filters + of_backends)
            or not is_session(rule.spec.get("sessionPersistence", {}))):
        return {"rule": rule.index, "fault": 500}
    timeouts = rule.spec.get("timeouts", {})
    return {"rule": rule.index, "fault": 0,
            "timeouts": [milliseconds(timeouts.get(key, "0s")) for key in ("request", "backendRequest")],
            "retry": expected_retry(rule.spec.get("retry")), "session": expected_session(route, rule),
            "filters": expected_filters(objects, route, rule, filters), "backends": backends,
            "weights": sum(backend[1] for backend in backends)}


def told_session(route, session):
    """A name that is made up is another one for each rule, and its keys are made of it."""
    if session is None or not OWN_NAME.fullmatch(session["name"]):
        return session and session | {"id": None}
    is_right = session["keys"] == session_keys(route.uid, session["name"])
    return session | {"name": "", "id": session["name"], "keys": "" if is_right else session["keys"]}


def told_rule(route, rule):
    if rule["fault"] != 0:
        return {"rule": rule["rule"], "fault": rule["fault"]}
    return rule | {"session": told_session(route, rule["session"])}
