# SPDX-License-Identifier: Apache-2.0
"""A small API server that stands for a cluster's: a program of the standard library, in memory.

    apiserver.py --listen ADDR:PORT --cert FILE --key FILE --token TOKEN

What a controller sees of a real one is as there: discovery; lists in pages, with label and field selectors; watches
from a resourceVersion, with bookmarks, and 410 when it is too old; create, replace, merge patch, delete; optimistic
concurrency by resourceVersion and uid; generation, which a status does not change; /status as a subresource; defaults
of the CRDs' statuses; finalizers and deletionTimestamp; dependents that go with their owner. Not there: validation,
server-side apply, admission, other content than JSON.

Faults are ordered under /fake: POST /fake/faults {"match": regular expression of "METHOD path?query", "code": 500 (0:
the connection ends; -1: the answer is an empty list; -2: a status is stored without its messages), "times": 1 (0: until
DELETE /fake/faults), "delay_s": 0};
POST /fake/drop {} ends all watches; POST /fake/forget {} forgets all events, so that older watches are answered 410.
GET /fake/requests is what was asked: [{"method", "path", "code", "agent", "body"}], DELETE forgets it.
"""
import argparse
import copy
import http.server
import json
import re
import socket
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse
import uuid

GATEWAY, SLUICE, CORE = "gateway.networking.k8s.io", "sluice.internal", ""
TYPES = [  # group, version, plural, kind, namespaced, status subresource
    (CORE, "v1", "namespaces", "Namespace", False, True),
    (CORE, "v1", "nodes", "Node", False, True),
    (CORE, "v1", "services", "Service", True, True),
    (CORE, "v1", "secrets", "Secret", True, False),
    (CORE, "v1", "configmaps", "ConfigMap", True, False),
    (CORE, "v1", "serviceaccounts", "ServiceAccount", True, False),
    (CORE, "v1", "pods", "Pod", True, True),
    (CORE, "v1", "events", "Event", True, False),
    ("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True, False),
    ("coordination.k8s.io", "v1", "leases", "Lease", True, False),
    (GATEWAY, "v1", "gatewayclasses", "GatewayClass", False, True),
    (GATEWAY, "v1", "gateways", "Gateway", True, True),
    (GATEWAY, "v1", "listenersets", "ListenerSet", True, True),
    (GATEWAY, "v1", "httproutes", "HTTPRoute", True, True),
    (GATEWAY, "v1", "grpcroutes", "GRPCRoute", True, True),
    (GATEWAY, "v1", "tlsroutes", "TLSRoute", True, True),
    (GATEWAY, "v1", "tcproutes", "TCPRoute", True, True),
    (GATEWAY, "v1", "udproutes", "UDPRoute", True, True),
    (GATEWAY, "v1", "backendtlspolicies", "BackendTLSPolicy", True, True),
    (GATEWAY, "v1", "referencegrants", "ReferenceGrant", True, False),
    (GATEWAY, "v1beta1", "referencegrants", "ReferenceGrant", True, False),
    (SLUICE, "v1", "transportpolicies", "TransportPolicy", True, True),
    (SLUICE, "v1", "healthpolicies", "HealthPolicy", True, True),
    (SLUICE, "v1", "ratelimits", "RateLimit", True, False),
    (SLUICE, "v1", "backends", "Backend", True, True),
    (SLUICE, "v1", "dnsroutes", "DNSRoute", True, True),
    (SLUICE, "v1", "accesspolicies", "AccessPolicy", True, True),
]
NEVER = "1970-01-01T00:00:00Z"
WITH_GENERATION = {GATEWAY, SLUICE, "discovery.k8s.io"}
EVENTS_MAX = 20000
BOOKMARK_S = 1.0
MERGE_PATCH = "application/merge-patch+json"


class Refusal(Exception):
    def __init__(self, code, reason, message):
        super().__init__(message)
        self.code, self.reason = code, reason

    def status(self):
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": str(self),
                "reason": self.reason, "code": self.code}


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def merged(target, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            target.pop(key, None)
        else:
            target[key] = merged(target.get(key), value)
    return target


def pending(kind):
    """What the CRDs fill in."""
    types = {"GatewayClass": ["Accepted"], "Gateway": ["Accepted", "Programmed"],
             "ListenerSet": ["Accepted", "Programmed"]}.get(kind)
    return types and {"conditions": [
        {"type": t, "status": "Unknown", "reason": "Pending", "message": "Waiting for controller",
         "lastTransitionTime": NEVER} for t in types]}


class Store:
    """All objects, and what happened to them. One lock; watches wait on it."""

    def __init__(self):
        self.changed = threading.Condition()
        self.objects = {}  # (group, plural): {(namespace, name): object}
        self.version = 1
        self.events = []  # (version, (group, plural), type, object)
        self.oldest = 1   # a watch from before it is answered 410
        self.drops = 0

    def table(self, key):
        return self.objects.setdefault(key, {})

    def tell(self, key, what, obj):
        self.events.append((self.version, key, what, obj))
        if len(self.events) > EVENTS_MAX:
            self.oldest = self.events[EVENTS_MAX // 2][0]
            del self.events[:EVENTS_MAX // 2]
        self.changed.notify_all()

    def put(self, key, obj, what):
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self.table(key)[obj["metadata"].get("namespace", ""), obj["metadata"]["name"]] = obj
        self.tell(key, what, obj)
        return obj

    def remove(self, key, obj):
        meta = obj["metadata"]
        del self.table(key)[meta.get("namespace", ""), meta["name"]]
        self.version += 1
        gone = copy.deepcopy(obj)
        gone["metadata"]["resourceVersion"] = str(self.version)
        self.tell(key, "DELETED", gone)
        for other, table in list(self.objects.items()):
            for dependent in list(table.values()):
                if any(o["uid"] == meta["uid"] for o in dependent["metadata"].get("ownerReferences", [])):
                    self.remove(other, dependent)

    def has_lost_its_owner(self, obj):
        """As the garbage collector sees it."""
        there = {o["metadata"]["uid"] for table in self.objects.values() for o in table.values()}
        owners = obj["metadata"].get("ownerReferences", [])
        return owners and not any(o["uid"] in there for o in owners)

    def forget(self):
        self.version += 1
        self.events.clear()
        self.oldest = self.version
        self.changed.notify_all()


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address, token, context):
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        super().__init__(address, Handler)
        self.token, self.context = token, context
        self.store = Store()
        self.faults = []
        self.requests = []
        self.note_lock = threading.Lock()

    def finish_request(self, request, client_address):
        """The handshake is the connection's own thread's, not that which accepts."""
        with self.context.wrap_socket(request, server_side=True) as s:
            super().finish_request(s, client_address)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (OSError, ssl.SSLError)):
            super().handle_error(request, client_address)

    def fault_of(self, asked):
        with self.note_lock:
            for fault in self.faults:
                if re.search(fault["match"], asked):
                    fault["times"] -= 1
                    if fault["times"] == 0:
                        self.faults.remove(fault)
                    return fault
        return None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_):
        pass

    def handle_any(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = {k: v[-1] for k, v in urllib.parse.parse_qs(url.query, keep_blank_values=True).items()}
        self.parts = [urllib.parse.unquote(p) for p in url.path.strip("/").split("/")]
        length = int(self.headers.get("Content-Length") or 0)
        text = self.rfile.read(length)
        try:
            self.body = json.loads(text) if text else None
            code, answer = self.run()
        except Refusal as e:
            code, answer = e.code, e.status()
        except ValueError as e:
            code, answer = 400, Refusal(400, "BadRequest", str(e)).status()
        if code:
            self.note(code)
            self.answer(code, answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any

    def note(self, code):
        if self.parts[0] != "fake":
            with self.server.note_lock:
                self.server.requests.append({"method": self.command, "path": self.path, "code": code, "body": self.body,
                                             "agent": self.headers.get("User-Agent", ""), "time": time.time()})

    def answer(self, code, body):
        text = json.dumps(body).encode() + b"\n"
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        if code == 429:
            self.send_header("Retry-After", "1")
        self.end_headers()
        self.wfile.write(text)

    # ---- which request ----

    def run(self):
        if self.parts[0] == "fake":
            return 200, self.fake()
        if self.parts[0] in ("readyz", "livez", "version"):
            return 200, {"major": "1", "minor": "34", "gitVersion": "v1.34.0-fake"}
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            raise Refusal(401, "Unauthorized", "Unauthorized")
        fault = self.server.fault_of(f"{self.command} {self.path}")
        if fault:
            time.sleep(fault["delay_s"])
            if fault["code"] == 0:
                self.note(0)
                self.close_connection = True
                return 0, None
            if fault["code"] > 0:
                raise Refusal(fault["code"], fault.get("reason", "Fault"), "ordered by the test")
        self.is_altering = bool(fault and fault["code"] == -2)
        return self.discovery() or self.resource(bool(fault and fault["code"] == -1))

    def fake(self):
        server, what = self.server, self.parts[1]
        if what == "requests":
            with server.note_lock:
                said = list(server.requests)
                if self.command == "DELETE":
                    server.requests.clear()
            return said
        if what == "faults" and self.command == "POST":
            server.faults.append({"times": 1, "delay_s": 0, "code": 500, **self.body})
        elif what == "faults":
            server.faults.clear()
        with server.store.changed:
            if what == "drop":
                server.store.drops += 1
                server.store.changed.notify_all()
            if what == "forget":
                server.store.forget()
        return {}

    def discovery(self):
        """The answer if this is a question of discovery."""
        parts = self.parts
        groups = {}
        for group, version, *_ in TYPES:
            groups.setdefault(group, {})[version] = True
        if parts == ["api"]:
            return 200, {"kind": "APIVersions", "versions": ["v1"]}
        named = [{"name": g, "versions": [{"groupVersion": f"{g}/{v}", "version": v} for v in versions],
                  "preferredVersion": {"groupVersion": f"{g}/{next(iter(versions))}", "version": next(iter(versions))}}
                 for g, versions in groups.items() if g]
        if parts == ["apis"]:
            return 200, {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}
        if parts[0] == "apis" and len(parts) == 2:
            found = [g for g in named if g["name"] == parts[1]]
            if not found:
                raise Refusal(404, "NotFound", "the server could not find the requested resource")
            return 200, {"kind": "APIGroup", "apiVersion": "v1", **found[0]}
        if (parts[0] == "api" and len(parts) == 2) or (parts[0] == "apis" and len(parts) == 3):
            group, version = ("", parts[1]) if parts[0] == "api" else parts[1:]
            found = [t for t in TYPES if t[:2] == (group, version)]
            if not found:
                raise Refusal(404, "NotFound", "the server could not find the requested resource")
            resources = []
            for _, _, plural, kind, namespaced, has_status in found:
                for name in [plural] + ([f"{plural}/status"] if has_status else []):
                    resources.append({"name": name, "singularName": "", "namespaced": namespaced, "kind": kind,
                                      "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"]})
            group_version = "/".join(filter(None, found[0][:2]))
            return 200, {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
                         "resources": resources}
        return None

    def resource(self, is_emptied):
        rest = self.parts[2:] if self.parts[0] == "api" else self.parts[3:]
        group, version = ("", self.parts[1]) if self.parts[0] == "api" else self.parts[1:3]
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2 and rest[2] not in ("status",):
            namespace, rest = rest[1], rest[2:]
        self.type = next((t for t in TYPES if t[:3] == (group, version, rest[0])), None)
        if self.type is None:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        self.key = (group, rest[0])
        self.api_version = f"{group}/{version}" if group else version
        name = rest[1] if len(rest) > 1 else None
        self.is_status = len(rest) > 2 and rest[2] == "status"
        if name is None and self.command == "GET":
            if self.query.get("watch") in ("true", "1"):
                return self.watch(namespace)
            return 200, self.list(namespace, is_emptied)
        with self.server.store.changed:
            if self.command == "POST":
                return 201, self.create(namespace)
            return 200, getattr(self, self.command.lower())(namespace, name)

    # ---- lists and watches ----

    def is_wanted(self, obj, namespace):
        meta = obj["metadata"]
        if namespace and meta.get("namespace", "") != namespace:
            return False
        labels = meta.get("labels", {})
        for term in filter(None, self.query.get("labelSelector", "").split(",")):
            key, _, value = term.partition("=")
            if (value and labels.get(key) != value.lstrip("=")) or key not in labels:
                return False
        for term in filter(None, self.query.get("fieldSelector", "").split(",")):
            key, _, value = term.partition("=")
            if key.startswith("metadata.") and meta.get(key[9:], "") != value.lstrip("="):
                return False
        return True

    def shown(self, obj):
        return {**obj, "apiVersion": self.api_version, "kind": self.type[3]}

    def list(self, namespace, is_emptied):
        store, limit = self.server.store, int(self.query.get("limit") or 0)
        with store.changed:
            start = int(self.query.get("continue") or 0)
            found = [] if is_emptied else [self.shown(o) for k, o in sorted(store.table(self.key).items())
                                           if self.is_wanted(o, namespace)]
            page = found[start:start + limit] if limit else found
            meta = {"resourceVersion": str(store.version)}
            if limit and start + limit < len(found):
                meta.update({"continue": str(start + limit), "remainingItemCount": len(found) - start - limit})
            return {"kind": f"{self.type[3]}List", "apiVersion": self.api_version, "metadata": meta, "items": page}

    def watch(self, namespace):
        store = self.server.store
        seen = int(self.query.get("resourceVersion") or store.version)
        until = time.monotonic() + float(self.query.get("timeoutSeconds") or 600)
        drops = store.drops
        self.note(200)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if seen < store.oldest:
            self.chunk({"type": "ERROR", "object": Refusal(410, "Expired", "too old resource version").status()})
        else:
            self.follow(namespace, seen, until, drops)
        self.close_connection = True
        self.wfile.write(b"0\r\n\r\n")
        return 0, None

    def follow(self, namespace, seen, until, drops):
        store = self.server.store
        while time.monotonic() < until:
            with store.changed:
                fresh = [e for e in store.events if e[0] > seen]
                if not fresh:
                    store.changed.wait(BOOKMARK_S)
                    fresh = [e for e in store.events if e[0] > seen]
                if store.drops != drops or seen < store.oldest:
                    return
                lines = [{"type": what, "object": self.shown(obj)} for _, key, what, obj in fresh
                         if key == self.key and self.is_wanted(obj, namespace)]
                seen = store.version
            if not lines and self.query.get("allowWatchBookmarks") == "true":
                lines = [{"type": "BOOKMARK", "object": {
                    "kind": self.type[3], "apiVersion": self.api_version, "metadata": {"resourceVersion": str(seen)}}}]
            for line in lines:
                self.chunk(line)

    def chunk(self, line):
        text = json.dumps(line).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))

    # ---- one object; the store is locked ----

    def found(self, namespace, name):
        obj = self.server.store.table(self.key).get((namespace, name))
        if obj is None:
            raise Refusal(404, "NotFound", f'{self.type[2]} "{name}" not found')
        return obj

    def get(self, namespace, name):
        return self.shown(self.found(namespace, name))

    def create(self, namespace):
        store, obj = self.server.store, copy.deepcopy(self.body)
        meta = obj.setdefault("metadata", {})
        if self.type[4]:
            meta["namespace"] = namespace
        if "name" not in meta and "generateName" in meta:
            meta["name"] = meta.pop("generateName") + uuid.uuid4().hex[:5]
        if (meta.get("namespace", ""), meta["name"]) in store.table(self.key):
            raise Refusal(409, "AlreadyExists", f'{self.type[2]} "{meta["name"]}" already exists')
        meta.update({"uid": str(uuid.uuid4()), "creationTimestamp": now()})
        if self.type[0] in WITH_GENERATION:
            meta["generation"] = 1
        if self.type[5]:
            obj.pop("status", None)
            if pending(self.type[3]):
                obj["status"] = pending(self.type[3])
        store.put(self.key, obj, "ADDED")
        if store.has_lost_its_owner(obj):
            store.remove(self.key, obj)
        return self.shown(obj)

    def check(self, old, meta):
        for key in ("resourceVersion", "uid"):
            if meta.get(key) and meta[key] != old["metadata"][key]:
                raise Refusal(409, "Conflict", f"the object has been modified: {key}")

    def write(self, old, new):
        """Of `new` what this path may change."""
        store = self.server.store
        if self.is_status:
            wanted = {**copy.deepcopy(old), "status": new.get("status")}
            if wanted["status"] is None:
                del wanted["status"]
            elif self.is_altering:
                text = re.sub(r'"message": "[^"]*"', '"message": ""', json.dumps(wanted["status"]))
                wanted["status"] = json.loads(text)
        else:
            wanted = copy.deepcopy(new)
            keep = old["metadata"]
            wanted["metadata"] = {**wanted["metadata"], **{k: keep[k] for k in (
                "uid", "creationTimestamp", "generation", "deletionTimestamp", "name", "namespace") if k in keep}}
            if self.type[5]:
                wanted.pop("status", None)
                if "status" in old:
                    wanted["status"] = copy.deepcopy(old["status"])
        wanted["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
        if wanted == old:
            return old
        bare = [{k: v for k, v in o.items() if k not in ("metadata", "status")} for o in (old, wanted)]
        if bare[0] != bare[1] and "generation" in wanted["metadata"]:
            wanted["metadata"]["generation"] += 1
        if "deletionTimestamp" in wanted["metadata"] and not wanted["metadata"].get("finalizers"):
            store.remove(self.key, old)
            return wanted
        return store.put(self.key, wanted, "MODIFIED")

    def put(self, namespace, name):
        old = self.found(namespace, name)
        self.check(old, self.body.get("metadata", {}))
        return self.shown(self.write(old, self.body))

    def patch(self, namespace, name):
        if self.headers.get("Content-Type", "").partition(";")[0] != MERGE_PATCH:
            raise Refusal(415, "UnsupportedMediaType", "only merge patches here")
        old = self.found(namespace, name)
        self.check(old, self.body.get("metadata", {}))
        return self.shown(self.write(old, merged(copy.deepcopy(old), self.body)))

    def delete(self, namespace, name):
        old, store = self.found(namespace, name), self.server.store
        self.check(old, (self.body or {}).get("preconditions", {}))
        if old["metadata"].get("finalizers"):
            if "deletionTimestamp" not in old["metadata"]:
                going = copy.deepcopy(old)
                going["metadata"]["deletionTimestamp"] = now()
                store.put(self.key, going, "MODIFIED")
            return self.shown(old)
        store.remove(self.key, old)
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for option in ("--listen", "--cert", "--key", "--token"):
        parser.add_argument(option, required=True)
    options = parser.parse_args()
    host, _, port = options.listen.rpartition(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(options.cert, options.key)
    server = Server((host.strip("[]"), int(port)), options.token, context)
    with server.store.changed:
        for name in ("default", "kube-system"):
            server.store.put((CORE, "namespaces"), {"metadata": {"name": name, "uid": str(uuid.uuid4()), "labels": {
                "kubernetes.io/metadata.name": name}}}, "ADDED")
    print(f"the API is served on port {server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
