# SPDX-License-Identifier: Apache-2.0
"""What an image must say of connections: those to backends and mirrors, by the policies of their Services, and those of
clients, by the policies of their Gateways (docs/ana.md, docs/chihiro.md; GEP-713; BackendTLSPolicy)."""

import base64
import hashlib

from durations import milliseconds
from reference import OF_REQUESTS, bind_kind, kind_of, name_of, protocol_of

NO_CHECK = ["", 0, 0, 0, 0, 0, "", "", "", []]
NO_EJECTION = [0, 0, 0, 0]
BUNDLE_PREFIX = "CA bundle\n"  # abi/keys.h: what an id is the digest of


# ---- which policy decides

def rank(section, policy):
    """"A more specific target comes first; then the oldest; then the first by "namespace/name"."" Less is first."""
    return (section is None, policy["metadata"]["creationTimestamp"], name_of(policy))


def deciding(objects, kind, target_kind, namespace, name, section):
    """(rank, spec of the policy that decides, its name) of a Service's port or of a listener; None: none does."""
    found = [(rank(ref.get("sectionName"), policy), policy["spec"], name_of(policy))
             for policy in kind_of(objects, kind) if policy["metadata"]["namespace"] == namespace
             for ref in policy["spec"]["targetRefs"]
             if (ref["kind"], ref["name"]) == (target_kind, name) and ref.get("sectionName", section) == section]
    return min(found, key=lambda f: f[0], default=None)


def of_port(objects, kind, namespace, service, port):
    """A policy that cannot be carried out at the port decides nothing there, nor does another one (ours)."""
    decided = deciding(objects, kind, "Service", namespace, service, port.get("name", ""))
    is_fit = decided and can_decide(objects, kind, namespace, service, port, decided[1])
    return decided[1:] if is_fit else None


def can_decide(objects, kind, namespace, service, port, spec):
    """UDP has no connections, which could be secured, begin with a header, or tell whether somebody is well. And one
    that is secured has to be ours."""
    if port.get("protocol") == "UDP":
        return {"BackendTLSPolicy": False, "HealthPolicy": "port" in spec.get("active", {"port": 0}),
                "TransportPolicy": "send" not in spec.get("proxyProtocol", {})}[kind]
    is_passing = kind == "TransportPolicy" and spec.get("forwarding", "Proxy") != "Proxy"
    return not is_passing or of_port(objects, "BackendTLSPolicy", namespace, service, port) is None


# ---- connections to backends

def expected_health(group, decided, protocol, tls):
    if decided is None:
        return None
    spec, name = decided
    passive = spec.get("passive")
    ejection = passive is not None and [
        passive.get("consecutiveFailures", 5), milliseconds(passive.get("baseEjectionTime", "30s")),
        milliseconds(passive.get("maxEjectionTime", "5m")), passive.get("maxEjectedPercent", 50)]
    return {"name": name, "id": ["group", group], "active": expected_check(spec.get("active")),
            "passive": ejection or NO_EJECTION, "slowStart": milliseconds(spec.get("slowStart", "")),
            "panic": spec.get("panicThresholdPercent", 50), "protocol": protocol, "tls": tls}


def expected_check(active):
    if active is None:
        return NO_CHECK
    http = active.get("http", {}) if active["type"] == "HTTP" else None
    host = active.get("tls", {}).get("hostname", "") if http is None else http.get("host", "")
    statuses = [] if http is None else [[r["start"], r["end"]] for r in http.get("expectedStatuses", [
        {"start": 200, "end": 399}])]
    return [active["type"], milliseconds(active.get("interval", "5s")), milliseconds(active.get("timeout", "1s")),
            active.get("healthyThreshold", 2), active.get("unhealthyThreshold", 3), active.get("port", 0), host,
            "" if http is None else http.get("path", "/"), active.get("grpc", {}).get("service", ""), statuses]


def expected_bundle(objects, namespace, refs):
    """Those that are good count together; None: none is."""
    texts = {name_of(o): o["data"]["ca.crt"] for o in kind_of(objects, "ConfigMap")}
    names = [f"{namespace}/{ref['name']}" for ref in refs]
    good = [name for name in names if "BEGIN CERTIFICATE" in texts.get(name, "")]
    pem = "\n".join(texts[name] for name in good)
    return [",".join(good), digest(BUNDLE_PREFIX + pem)] if good else None


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def decoded(text):
    return base64.b64decode(text).decode()


def expected_tls(objects, namespace, decided):
    """What the connections are told apart by is all but the policy's name."""
    if decided is None:
        return None
    validation = decided[0]["validation"]
    sans = [[san["type"], san.get("uri", san.get("hostname"))] for san in validation.get("subjectAltNames", [])]
    said = {"serverName": validation["hostname"], "sans": sans or [["Hostname", validation["hostname"]]],
            "bundle": expected_bundle(objects, namespace, validation.get("caCertificateRefs", []))}
    return said | {"id": ["tls", said], "name": decided[1]}


def expected_forwarding(kind, spec, tls):
    """Packets go on without a connection of ours where nothing needs one."""
    way = "Proxy" if spec.get("proxyProtocol") or tls else spec.get("forwarding", "NAT")
    if kind == "UDPRoute":
        return "NAT" if way == "Proxy" else way
    return way if kind == "TCPRoute" else "Proxy"


def expected_idle(kind, spec):
    """How long what is passed on may be silent; 0: as usual."""
    member = {"TCPRoute": "tcp", "UDPRoute": "udp"}.get(kind)
    return milliseconds(spec.get(member, {}).get("idleTimeout", "")) if member else 0


def expected_balancing(kind, spec):
    """Of what is passed on by port, boxes have to agree."""
    way = spec.get("balancing", "Maglev" if kind in ("TCPRoute", "UDPRoute") else "LeastOutstanding")
    if way != "Maglev":
        return [way, "", ""]
    usual = "Connection" if kind in ("TCPRoute", "UDPRoute") else "ClientAddress"
    on = spec.get("hashOn", {"type": usual})
    name = on.get("name", "")
    return [way, on["type"], name.lower() if on["type"] == "Header" else name]


def expected_protocol(kind, is_secured, port):
    """What is spoken to it; None: it says that something else is, or wants a policy that it does not have. What is
    passed on we do not speak."""
    if kind not in OF_REQUESTS:
        return "HTTP/1.1"
    said = port.get("appProtocol", "")
    lower = said.lower()
    usual = "HTTP/1.1" if kind == "HTTPRoute" else "HTTP/2"
    own = ("", "http") if kind == "HTTPRoute" else ("", "grpc")
    if said == "kubernetes.io/h2c":
        return "HTTP/2"
    if lower in own or (said == "kubernetes.io/ws" and kind == "HTTPRoute"):
        return usual
    return usual if is_secured and (lower == "https" or said == "kubernetes.io/wss") else None


def expected_group(objects, kind, namespace, service, port):
    """(fault or "", the group's name, what is said of its connections)"""
    secured = of_port(objects, "BackendTLSPolicy", namespace, service, port)
    protocol = expected_protocol(kind, secured is not None, port)
    if protocol is None:
        return "UnsupportedProtocol", "", None
    carried = {"TCPRoute": "/tcp", "UDPRoute": "/udp"}.get(kind, "/h2" if protocol == "HTTP/2" else "")
    name = f"{namespace}/{service}:{port['port']}{carried}"
    tls = expected_tls(objects, namespace, secured)
    if tls is not None and tls["bundle"] is None:
        return "", name, None
    spec = (of_port(objects, "TransportPolicy", namespace, service, port) or [{}])[0]
    health = of_port(objects, "HealthPolicy", namespace, service, port)
    return "", name, {
        "id": ["group", name], "protocol": protocol, "congestion": spec.get("congestionControl", "Cubic"),
        "proxyHeader": spec.get("proxyProtocol", {}).get("send", ""), "balancing": expected_balancing(kind, spec),
        "forwarding": expected_forwarding(kind, spec, tls), "idle": expected_idle(kind, spec),
        "health": expected_health(name, health, protocol, tls),
        "tls": tls}


# ---- connections of clients

def network(prefix):
    address, _, length = prefix.partition("/")
    return [address, int(length)]


def expected_bind(objects, listeners):
    """Listeners that share an address and port: of their policies the first one decides."""
    found = []
    for listener in listeners:
        if listener.spec["protocol"] == "UDP":
            break  # whose congestion nothing controls
        where = listener.gateway["metadata"]
        section = listener.spec["name"] if listener.owner is listener.gateway else None  # it names the Gateway's own
        found.append(deciding(objects, "TransportPolicy", "Gateway", where["namespace"], where["name"], section))
    _, spec, _ = min((f for f in found if f is not None), key=lambda f: f[0], default=(None, {}, ""))
    proxy = spec.get("proxyProtocol")
    return {"kind": bind_kind(listeners), "congestion": spec.get("congestionControl", "Cubic"),
            "trusted": proxy and sorted(network(p) for p in proxy.get("trustedPrefixes", []))}


def expected_identity(objects, namespace, ref):
    secrets = {name_of(o): o for o in kind_of(objects, "Secret")}
    name = f"{namespace}/{ref['name']}"
    return [name, digest(decoded(secrets[name]["data"]["tls.crt"]))] if name in secrets else None


def expected_clients(objects, namespace, tls, spec):
    """What a port's own entry says counts there in place of the default."""
    frontend = tls.get("frontend", {})
    of_port_ = [entry["tls"] for entry in frontend.get("perPort", []) if entry["port"] == spec["port"]]
    validation = (of_port_ + [frontend.get("default", {})])[0].get("validation")
    if spec["protocol"] != "HTTPS" or validation is None:
        return {"clients": "", "bundle": None}
    return {"clients": validation.get("mode", "AllowValidOnly"),
            "bundle": expected_bundle(objects, namespace, validation["caCertificateRefs"])}


def expected_securing(objects, listener):
    """Whom a listener's clients see, who they have to be, and whom backends see."""
    namespace, spec = listener.gateway["metadata"]["namespace"], listener.spec
    tls = listener.gateway["spec"].get("tls", {})
    owner = listener.owner["metadata"]["namespace"]
    own = tls.get("backend", {}).get("clientCertificateRef")
    identities = [expected_identity(objects, owner, ref) for ref in spec.get("tls", {}).get("certificateRefs", [])]
    return {"protocol": protocol_of(spec), "identities": identities,
            "identity": own and expected_identity(objects, namespace, own),
            **expected_clients(objects, namespace, tls, spec)}
