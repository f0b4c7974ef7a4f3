# SPDX-License-Identifier: Apache-2.0
"""The management API as a client library would speak to it: JSON over TLS, one kept connection in a namespace."""
import http.client
import json
import socket
import ssl

import kept

CORE, GATEWAY, DISCOVERY, SLUICE = "/api/v1", "/apis/gateway.networking.k8s.io/v1", "/apis/discovery.k8s.io/v1", \
    "/apis/sluice.internal/v1"
KINDS = {  # kind: (prefix, plural, is namespaced)
    "Namespace": (CORE, "namespaces", False),
    "Service": (CORE, "services", True),
    "Secret": (CORE, "secrets", True),
    "ConfigMap": (CORE, "configmaps", True),
    "Node": (CORE, "nodes", False),
    "Pod": (CORE, "pods", True),
    "EndpointSlice": (DISCOVERY, "endpointslices", True),
    "GatewayClass": (GATEWAY, "gatewayclasses", False),
    "Gateway": (GATEWAY, "gateways", True),
    "ListenerSet": (GATEWAY, "listenersets", True),
    "HTTPRoute": (GATEWAY, "httproutes", True),
    "GRPCRoute": (GATEWAY, "grpcroutes", True),
    "TLSRoute": (GATEWAY, "tlsroutes", True),
    "TCPRoute": (GATEWAY, "tcproutes", True),
    "UDPRoute": (GATEWAY, "udproutes", True),
    "ReferenceGrant": ("/apis/gateway.networking.k8s.io/v1beta1", "referencegrants", True),
    "BackendTLSPolicy": (GATEWAY, "backendtlspolicies", True),
    "Interface": (SLUICE, "interfaces", False),
    "StaticRoute": (SLUICE, "staticroutes", False),
    "ClusterNetwork": (SLUICE, "clusternetworks", False),
    "AddressPool": (SLUICE, "addresspools", False),
    "BgpPeer": (SLUICE, "bgppeers", False),
    "VirtualRouter": (SLUICE, "virtualrouters", False),
    "Drain": (SLUICE, "drains", False),
    "TransportPolicy": (SLUICE, "transportpolicies", True),
    "HealthPolicy": (SLUICE, "healthpolicies", True),
    "RateLimit": (SLUICE, "ratelimits", True),
    "AccessPolicy": (SLUICE, "accesspolicies", True),
    "DNSRoute": (SLUICE, "dnsroutes", True),
    "Backend": (SLUICE, "backends", True),
    "SourceList": (SLUICE, "sourcelists", False),
    "Token": (SLUICE, "tokens", False),
}
REPLACE_TRIES = 5
MERGE_PATCH = "application/merge-patch+json"


class Refused(Exception):
    """An answer other than 2xx; `status` is the code, `body` the Status object."""

    def __init__(self, status, body):
        super().__init__(f"{status}: {body.get('message', body) if isinstance(body, dict) else body}")
        self.status = status
        self.body = body


def path(kind, namespace=None, name=None):
    prefix, plural, namespaced = KINDS[kind]
    where = f"/namespaces/{namespace}" if namespaced and namespace else ""
    return f"{prefix}{where}/{plural}" + (f"/{name}" if name else "")


class Api(kept.Kept):
    """One client. Connects again when the server closed the connection between requests."""

    def __init__(self, namespace, host, port, token, ca_file):
        self.namespace = namespace
        self.host, self.port = host, port
        self.token = token
        self.context = ssl.create_default_context(cafile=ca_file)

    def connect(self):
        raw = self.namespace.connect(self.host, self.port, timeout=30)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # as http.client's own: head and body are two writes
        self.connection = http.client.HTTPConnection("localhost")
        self.connection.sock = self.context.wrap_socket(raw, server_hostname="localhost")

    def raw(self, method, url, body=None, content_type="application/json", token=None, **headers):
        """(status, headers, body) of one request; `body` is bytes or what JSON can say."""
        headers = {"Authorization": f"Bearer {token or self.token}", "Host": "localhost", **headers}
        return self.request(method, url, body, headers, content_type)

    def call(self, method, url, body=None, content_type="application/json"):
        """The decoded answer; Refused for anything but 2xx."""
        status, _, text = self.raw(method, url, body, content_type)
        try:
            decoded = json.loads(text) if text else {}
        except ValueError:
            decoded = text.decode(errors="replace")
        if not 200 <= status < 300:
            raise Refused(status, decoded)
        return decoded

    def create(self, obj):
        meta = obj["metadata"]
        return self.call("POST", path(obj["kind"], meta.get("namespace")), obj)

    def get(self, kind, name, namespace=None):
        return self.call("GET", path(kind, namespace, name))

    def find(self, kind, name, namespace=None):
        """As get(); None: there is none."""
        try:
            return self.get(kind, name, namespace)
        except Refused as e:
            if e.status != 404:
                raise
            return None

    def list(self, kind, namespace=None):
        return self.call("GET", path(kind, namespace))["items"]

    def patch(self, kind, name, change, namespace=None):
        """Merge patch."""
        return self.call("PATCH", path(kind, namespace, name), change, MERGE_PATCH)

    def delete(self, kind, name, namespace=None):
        return self.call("DELETE", path(kind, namespace, name))

    def put(self, obj):
        """Creates the object, or replaces the one that is there."""
        meta = obj["metadata"]
        try:
            return self.create(obj)
        except Refused as e:
            if e.status != 409:
                raise
        for _ in range(REPLACE_TRIES - 1):
            try:
                return self.replace(obj)
            except Refused as e:
                if e.status != 409:
                    raise
        return self.replace(obj)

    def replace(self, obj):
        """In place of the version that is there now; Refused with 409 when a status came in between."""
        meta = obj["metadata"]
        old = self.get(obj["kind"], meta["name"], meta.get("namespace"))
        version = {"resourceVersion": old["metadata"]["resourceVersion"]}
        return self.call("PUT", path(obj["kind"], meta.get("namespace"), meta["name"]),
                         {**obj, "metadata": {**meta, **version}})
