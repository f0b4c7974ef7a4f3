# SPDX-License-Identifier: Apache-2.0
"""Objects that the tests apply, and questions about their status."""
import base64
import os

import lab as labs
import suite

NS1, NS2 = "gateway-api-example-ns1", "gateway-api-example-ns2"
GATEWAY_V1 = "gateway.networking.k8s.io/v1"
OVERVIEW = ("appliance.yaml", "foo-svc.yaml", "overview-foo-gateway.yaml", "overview-my-route.yaml")


def example(name):
    """A file of docs/examples."""
    return os.path.join(labs.EXAMPLES, name)


def bring_up(l, *manifests):
    """Backends, both programs, and these files of docs/examples."""
    if not l.backends:
        l.start_backends()
    l.appliance.start()
    l.appliance.apply(*[example(m) for m in manifests])


def namespace(name, **labels):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def service(ns, name, port=8080):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": ns, "name": name},
            "spec": {"ports": [{"port": port, "targetPort": 8080}]}}


def encoded(text):
    """A value of a Secret."""
    return base64.b64encode(text.encode()).decode()


def tls_secret(ns, name, certificate, key, staple=None):
    """`staple`: an OCSP response, DER."""
    data = {"tls.crt": certificate.encode(), "tls.key": key.encode(), **({"tls.ocsp-staple": staple} if staple else {})}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": ns, "name": name},
            "type": "kubernetes.io/tls",
            "data": {k: base64.b64encode(v).decode() for k, v in data.items()}}


def config_map(ns, name, **data):
    """Keys with an underscore for each dot: ca_crt is ca.crt."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": ns, "name": name},
            "data": {k.replace("_", "."): v for k, v in data.items()}}


def grant(ns, name, from_kind, from_ns, to_kind):
    """Objects of `from_kind` in `from_ns` may refer to the core kind `to_kind` in `ns`."""
    return {"apiVersion": "gateway.networking.k8s.io/v1beta1", "kind": "ReferenceGrant",
            "metadata": {"namespace": ns, "name": name},
            "spec": {"from": [{"group": "gateway.networking.k8s.io", "kind": from_kind, "namespace": from_ns}],
                     "to": [{"group": "", "kind": to_kind}]}}


def https(name, *secrets, port=443, **listener):
    """A listener that shows the certificates of these Secrets: names, or certificateRefs."""
    refs = [{"name": s} if isinstance(s, str) else s for s in secrets]
    return {"name": name, "port": port, "protocol": "HTTPS", "tls": {"certificateRefs": refs}, **listener}


def slice_of(ns, name, *addresses, port=8080):
    """The EndpointSlice of a Service; all endpoints are ready."""
    family = "IPv6" if addresses and ":" in addresses[0] else "IPv4"
    return {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
            "metadata": {"namespace": ns, "name": f"{name}-{family.lower()}",
                         "labels": {"kubernetes.io/service-name": name}},
            "addressType": family, "ports": [{"port": port}],
            "endpoints": [{"addresses": [a], "conditions": {"ready": True}} for a in addresses]}


def gateway(ns, name, *addresses, from_="Same", **listener):
    spec = {"gatewayClassName": "foo-lb",
            "listeners": [{"name": "web", "port": 80, "protocol": "HTTP",
                           "allowedRoutes": {"namespaces": {"from": from_}}, **listener}]}
    if addresses:
        spec["addresses"] = [{"type": "IPAddress", "value": a} for a in addresses]
    return {"apiVersion": GATEWAY_V1, "kind": "Gateway", "metadata": {"namespace": ns, "name": name}, "spec": spec}


def route(ns, name, parents, rules, *hostnames):
    """`parents` and `rules` as in the spec; a parent may be just "namespace/name"."""
    refs = [dict(zip(("namespace", "name"), p.split("/"))) if isinstance(p, str) else p for p in parents]
    spec = {"parentRefs": refs, "rules": rules}
    if hostnames:
        spec["hostnames"] = list(hostnames)
    return {"apiVersion": GATEWAY_V1, "kind": "HTTPRoute", "metadata": {"namespace": ns, "name": name}, "spec": spec}


def to(*services, port=8080):
    """backendRefs: names, or (name, weight)."""
    refs = [s if isinstance(s, tuple) else (s, 1) for s in services]
    return {"backendRefs": [{"name": n, "port": port, "weight": w} for n, w in refs]}


def matching(match, rule):
    return {"matches": [match], **rule}


def condition(status, kind):
    """A condition of a status or of one of its parents, by type."""
    return next((c for c in status.get("conditions", []) if c["type"] == kind), {"status": "missing"})


def gateway_address(l, ns, name, family=4):
    """Waits until the Gateway is Programmed; its address of that family."""
    def found():
        status = l.appliance.api.get("Gateway", name, ns).get("status", {})
        if condition(status, "Programmed")["status"] != "True":
            return None
        return next((a["value"] for a in status["addresses"] if (":" in a["value"]) == (family == 6)), None)
    return suite.eventually(found, f"Gateway {ns}/{name} is Programmed and has an IPv{family} address", 10)


def told(l, kind, name, ns):
    """The object's status, once there is one that speaks of the object as it is now: that comes a moment after workers
    do as it says."""
    def found():
        o = l.appliance.api.get(kind, name, ns)
        status = o.get("status", {})
        parts = [status, *status.get("parents", []), *status.get("ancestors", [])]
        seen = [c["observedGeneration"] for p in parts for c in p.get("conditions", [])]
        return status if seen and set(seen) == {o["metadata"]["generation"]} else None
    return suite.eventually(found, f"{kind} {ns}/{name} has a status of its generation", 10)


def require_policy(l, kind, name, ns):
    """A policy is Accepted for its target."""
    status = told(l, kind, name, ns)
    assert [condition(a, "Accepted")["status"] for a in status["ancestors"]] == ["True"], status


def parent_condition(l, ns, name, kind, parent=0):
    """A condition that a route's status says about one of its parents."""
    parents = l.appliance.api.get("HTTPRoute", name, ns).get("status", {}).get("parents", [])
    return condition(parents[parent], kind) if len(parents) > parent else {"status": "missing"}


def await_parent_condition(l, ns, name, kind, wanted="True", parent=0):
    """Until that condition has this status, or is told for this reason."""
    def found():
        c = parent_condition(l, ns, name, kind, parent)
        return wanted in (c["status"], c.get("reason"))
    suite.eventually(found, f"HTTPRoute {ns}/{name} is told {kind} {wanted}", 10)


def attached_routes(l, ns, name):
    """How many routes each listener of the Gateway says it has."""
    listeners = l.appliance.api.get("Gateway", name, ns).get("status", {}).get("listeners", [])
    return {x["name"]: x["attachedRoutes"] for x in listeners}


def answers(l, address, host, path="/"):
    """Who answers: "backend-1", or the status when it is not 200."""
    status, _, body = l.curl(f"http://{host}{path}", address=address)
    return body.split(b" ")[0].decode() if status == 200 else status


def serve_one(l, ns, host, *vips, wanted="backend-1"):
    """A Gateway "gw" with these addresses and a host on it that backend-1 answers, which says `wanted` first."""
    api = l.appliance.api
    api.put(namespace(ns))
    api.put(gateway(ns, "gw", *vips))
    api.put(service(ns, "one"))
    api.put(slice_of(ns, "one", labs.backend_address(1)))
    api.put(route(ns, "one", [f"{ns}/gw"], [to("one")], host))
    gateway_address(l, ns, "gw")
    wait_answer(l, vips[0], host, wanted)


def wait_answer(l, address, host, wanted, path="/", limit_s=5):
    """Until `wanted` (a name, a status, or a set of them) answers."""
    wanted = wanted if isinstance(wanted, (set, tuple)) else {wanted}
    return suite.eventually(lambda: answers(l, address, host, path) in wanted,
                            f"{host}{path} is answered by {wanted}", limit_s)
