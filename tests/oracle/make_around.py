# SPDX-License-Identifier: Apache-2.0
"""What random routes stand on: Services, what policies say of them and of Gateways, RateLimits, AccessPolicies,
certificates."""

import base64

import words
from certificates import CERTIFICATES, KEYS, NAMES
from words import some

GATEWAY_API = "gateway.networking.k8s.io/v1"
TLS_SHARE = 0.2  # of the sets: certificates take long to read
SERVICES = ("s", "t")  # in each namespace, port 80, and for UDP, too, in some; others do not exist

FIXED = [
    {"apiVersion": GATEWAY_API, "kind": "GatewayClass", "metadata": {"name": "lb"},
     "spec": {"controllerName": "sluice.internal/gateway-controller"}},
    {"apiVersion": "sluice.internal/v1", "kind": "AddressPool", "metadata": {"name": "all"},
     "spec": {"addresses": list(words.ADDRESSES)}},
    {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
     "metadata": {"name": "grant", "namespace": "b"},
     "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "namespace": "a"},
                       {"group": "gateway.networking.k8s.io", "kind": "GRPCRoute", "namespace": "a-b"},
                       {"group": "gateway.networking.k8s.io", "kind": "TLSRoute", "namespace": "a"},
                       {"group": "gateway.networking.k8s.io", "kind": "TCPRoute", "namespace": "a-b"},
                       {"group": "gateway.networking.k8s.io", "kind": "UDPRoute", "namespace": "a-b"}],
              "to": [{"group": "", "kind": "Service", "name": "s"}]}},
]

LIMITS = (  # (namespace, name, spec)
    ("a", "all", {"requests": 10, "per": "1s", "key": {"type": "Route"}}),
    ("a", "keys", {"requests": 3, "per": "1m30s", "burst": 7, "key": {"type": "Header", "name": "X-Key"}}),
    ("a-b", "all", {"requests": 5, "per": "1s", "key": {"type": "ClientAddress", "ipv4PrefixLength": 24}}),
    ("b", "all", {"requests": 1, "per": "24h", "burst": 365,
                  "key": {"type": "ClientAddress", "ipv4PrefixLength": 31, "ipv6PrefixLength": 48}}),
    ("b", "keys", {"requests": 2, "per": "1s", "key": {"type": "ClientAddress"}}))

JWKS = ('{"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "one",'
        ' "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}')
ACCESSES = (  # likewise
    ("a", "all", {}),
    ("a", "some", {"addresses": {"allow": ["10.0.0.0/8", "10.1.0.0/16", "::/0", "192.0.2.9", "9.0.0.0-10.0.0.3"],
                                 "deny": ["10.2.0.0/16", "2001:db8::/32"]}}),
    ("b", "all", {"addresses": {"deny": ["0.0.0.0/0"]},
                  "jwt": {"issuer": "https://issuer", "audiences": ["web", "api"], "realm": "t",
                          "forwardAuthorization": True, "jwks": {"inline": JWKS}}}),
    ("b", "some", {"basic": {"secretRef": {"name": "users"}, "realm": "r", "forwardAuthorization": False}}))
HASH = "$2b$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW"


def meta(name, namespace):
    return {"name": name, "namespace": namespace}


def of_ours(kind, name, namespace, spec):
    return {"apiVersion": "sluice.internal/v1", "kind": kind, "metadata": meta(name, namespace), "spec": spec}


def encoded(texts):
    return {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}


def core(kind, name, namespace, **members):
    return {"apiVersion": "v1", "kind": kind, "metadata": meta(name, namespace)} | members


def certificates():
    """Each as one of a server and as one of a CA; "none" is neither."""
    found = []
    for namespace in words.NAMESPACES:
        for name in CERTIFICATES:
            texts = {"tls.crt": CERTIFICATES[name], "tls.key": KEYS[name]}
            found += [core("ConfigMap", name, namespace, data={"ca.crt": CERTIFICATES[name]}),
                      core("Secret", name, namespace, type="kubernetes.io/tls", data=encoded(texts))]
        found.append(core("ConfigMap", "none", namespace, data={"ca.crt": "nothing"}))
    return found


class Around:
    """Of one set. `is_plain`: no policies, and Services that say nothing of themselves."""

    def __init__(self, rng, gateways):
        self.rng = rng
        self.gateways = gateways
        self.is_plain = rng.random() < 0.4

    def some_of(self, members, share=0.6):
        return {key: value for key, value in members.items() if self.rng.random() < share}

    # ---- Services

    def port(self, name, number):
        port = {"port": number}
        if name is not None:
            port["name"] = name
        if not self.is_plain and self.rng.random() < 0.5:
            port["appProtocol"] = self.rng.choice(words.APP_PROTOCOLS)
        return port

    def ports(self):
        if self.is_plain or self.rng.random() < 0.3:
            return [self.port(None, 80)]
        more = self.port("more", 81) | ({"protocol": "UDP"} if self.rng.random() < 0.3 else {})
        datagrams = {"name": "datagrams", "port": 80, "protocol": "UDP"}
        return ([self.port("web", 80)] + self.rng.choice(([], [more]))
                + self.rng.choice(([], [datagrams], [datagrams])))

    def services(self):
        return [core("Service", name, n, spec={"ports": self.ports()}) for n in words.NAMESPACES for name in SERVICES]

    # ---- targets

    def sections(self, name, sections):
        """One without a section, or some that name one."""
        if self.rng.random() < 0.6:
            return [{"name": name}]
        return [{"name": name, "sectionName": s} for s in some(self.rng, sections, 1, 2)]

    def service_targets(self):
        names = some(self.rng, SERVICES, 1, 2) + some(self.rng, ("absent",), 0, 1)
        return [{"group": "", "kind": "Service"} | ref
                for name in names for ref in self.sections(name, ("web", "more", "datagrams", "absent"))]

    def gateway_targets(self, gateway):
        listeners = [l["name"] for l in gateway["spec"]["listeners"]] + ["absent"]
        return [{"group": "gateway.networking.k8s.io", "kind": "Gateway"} | ref
                for ref in self.sections(gateway["metadata"]["name"], listeners)]

    def policies(self, kind, most, make):
        """`make(namespace)` gives a spec without targets."""
        found = []
        for i in range(self.rng.randint(0, most)):
            namespace = self.rng.choice(words.NAMESPACES)
            policy = of_ours(kind, self.rng.choice(("p", "p-1", "q")) + str(i), namespace,
                             {"targetRefs": self.service_targets()} | make())
            policy["metadata"]["creationTimestamp"] = self.rng.choice(words.TIMES)
            found.append(policy)
        return found

    # ---- what policies say

    def hash_on(self):
        rng = self.rng
        return rng.choice(({"type": "ClientAddress"}, {"type": "Header", "name": rng.choice(("X-User", "x-id"))},
                           {"type": "Cookie", "name": rng.choice(("sid", "Sid"))}))

    def transport(self):
        spec = self.some_of({"congestionControl": self.rng.choice(("Cubic", "BBR")),
                             "balancing": self.rng.choice(("LeastOutstanding", "RoundRobin", "Maglev", "Maglev")),
                             "proxyProtocol": {"send": self.rng.choice(("V1", "V2"))},
                             "forwarding": self.rng.choice(("Proxy", "NAT", "IPIP", "GUE")),
                             "tcp": {"idleTimeout": self.rng.choice(("1s", "1h30m"))},
                             "udp": {"idleTimeout": self.rng.choice(("24h", "2m500ms"))}})
        if spec.get("forwarding", "Proxy") != "Proxy":
            spec.pop("proxyProtocol", None)
        if spec.get("balancing") == "Maglev" and self.rng.random() < 0.8:
            spec["hashOn"] = self.hash_on()
        return spec

    def transport_of_gateway(self, gateway, number):
        accept = {"accept": "Require"}
        if self.rng.random() < 0.6:
            accept["trustedPrefixes"] = some(self.rng, ("10.0.0.0/8", "192.0.2.7/32", "2001:db8::/32", "::/0"), 1, 3)
        spec = self.some_of({"congestionControl": self.rng.choice(("Cubic", "BBR")), "proxyProtocol": accept})
        policy = of_ours("TransportPolicy", self.rng.choice(("p", "g")) + f"-{number}",
                         gateway["metadata"]["namespace"], {"targetRefs": self.gateway_targets(gateway)} | spec)
        policy["metadata"]["creationTimestamp"] = self.rng.choice(words.TIMES)
        return policy

    def active(self):
        rng = self.rng
        kind = rng.choice(("HTTP", "TCP", "GRPC", "TLS"))
        http = {"path": "/health?a=b", "host": "health.com",
                "expectedStatuses": [{"start": 200, "end": 204}, {"start": 404, "end": 404}]}
        own = {"HTTP": ("http", http), "GRPC": ("grpc", {"service": "my.Health"}),
               "TLS": ("tls", {"hostname": "h.com"})}
        active = {"type": kind} | self.some_of({"interval": rng.choice(("1s", "24h")), "timeout": "900ms",
                                                "healthyThreshold": rng.choice((1, 1000)), "unhealthyThreshold": 7,
                                                "port": 8081})
        if active.get("interval") == "1s":
            active["timeout"] = "100ms"
        if kind in own and rng.random() < 0.7:
            active[own[kind][0]] = self.some_of(own[kind][1], 0.7)
        return active

    def health(self):
        passive = self.some_of({"consecutiveFailures": 9, "baseEjectionTime": "1s500ms", "maxEjectionTime": "1h",
                                "maxEjectedPercent": self.rng.choice((1, 100))})
        return self.some_of({"active": self.active(), "passive": passive, "slowStart": "10s",
                             "panicThresholdPercent": self.rng.choice((0, 100))})

    def tls(self):
        """By a policy without a CA that is one nobody may connect."""
        rng = self.rng
        names = some(rng, NAMES + ("none", "absent"), 1, 3) if rng.random() < 0.5 else ["one"]
        refs = [{"group": "", "kind": "ConfigMap", "name": n} for n in names]
        validation = {"hostname": rng.choice(("x.com", "x.com", "x.com", "y.com")), "caCertificateRefs": refs}
        if rng.random() < 0.1:
            validation = {"hostname": "x.com", "wellKnownCACertificates": "System"}  # there are none
        sans = ({"type": "Hostname", "hostname": "*.x.com"}, {"type": "URI", "uri": "spiffe://x.com/a"},
                {"type": "Hostname", "hostname": "z.com"}, {"type": "URI", "uri": "spiffe://x.com/b"})
        if rng.random() < 0.7:
            validation["subjectAltNames"] = some(rng, sans, 1, rng.choice((1, 3)))
        return {"validation": validation}

    def all_policies(self):
        rng = self.rng
        secured = self.policies("BackendTLSPolicy", 4, self.tls) if rng.random() < TLS_SHARE else []
        for policy in secured:
            policy["apiVersion"] = GATEWAY_API
        of_gateways = [self.transport_of_gateway(rng.choice(self.gateways), i)
                       for i in range(rng.randint(0, 3)) if self.gateways]
        return (self.policies("TransportPolicy", 6, self.transport) + of_gateways
                + self.policies("HealthPolicy", 6, self.health) + secured)

    def all(self):
        namespaces = [{"apiVersion": "v1", "kind": "Namespace",
                       "metadata": {"name": n, "labels": {"team": n[0]}}} for n in words.NAMESPACES]
        limits = [of_ours("RateLimit", name, n, spec) for n, name, spec in LIMITS]
        accesses = [of_ours("AccessPolicy", name, n, spec) for n, name, spec in ACCESSES]
        users = core("Secret", "users", "b", data=encoded({".htpasswd": f"bob:{HASH}\nada:{HASH}\n"}))
        policies = [] if self.is_plain else self.all_policies()
        return FIXED + [users] + certificates() + namespaces + self.services() + limits + accesses + policies
