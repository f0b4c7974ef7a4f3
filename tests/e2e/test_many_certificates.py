# SPDX-License-Identifier: Apache-2.0
"""Twenty thousand certificates: nobody is kept waiting while they are read, and a change costs what it changes."""
import base64
import json
import os
import ssl
import subprocess
import threading

import backend
import certs
import control
import lab as labs
import objects
import suite

NS = "many"
GATEWAYS, LISTENERS, EACH = 5, 64, 64  # the most that a Gateway may have: 4,096 certificates each
CHANGES_MAX = 4096  # in one change set, for the bytes that it may have
LOAD_S = 300
ROTATIONS = 3


def lab():
    return labs.Lab("many", backends=1)


def prepare(l):
    backend.Origin(l, "backend-1").wait_ready()
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    l.authority = certs.Authority(l.dir)
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.service(NS, "app"))
    api.put(objects.slice_of(NS, "app", labs.backend_address(1)))
    key, l.certificates = make(l)
    items = [secret(name, certificate, key) for name, certificate in l.certificates.items()]
    for at in range(0, len(items), CHANGES_MAX):
        put_all(l, items[at:at + CHANGES_MAX])


def make(l):
    """(key, {name: certificate}), base64 of PEM, all with one key."""
    program = os.path.join(l.build, "tests", "bench", "tls", "make_certs")
    out = subprocess.run([program, str(GATEWAYS * LISTENERS), str(EACH)], check=True, capture_output=True, text=True,
                         timeout=120).stdout
    key, end, rest = out.partition("-----END PRIVATE KEY-----\n")
    return base64.b64encode((key + end).encode()).decode(), dict(line.split() for line in rest.splitlines())


def secret(name, certificate, key):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NS, "name": name},
            "type": "kubernetes.io/tls", "data": {"tls.crt": certificate, "tls.key": key}}


def put_all(l, items):
    changes = {"apiVersion": "v1", "kind": "List", "items": items}
    l.appliance.api.call("POST", "/apis/sluice.internal/v1/changesets", changes)


def gateway_of(n, names):
    """A listener for each group of names, with all its certificates."""
    made = objects.gateway(NS, f"gw-{n}")
    groups = [names[i:i + EACH] for i in range(0, len(names), EACH)]
    made["spec"]["listeners"] = [objects.https(f"g{i}", *group, hostname="*." + group[0].partition(".")[2])
                                 for i, group in enumerate(groups)]
    return made


class Asking(threading.Thread):
    """Asks again and again until it is left; what was answered, and what failed."""

    def __init__(self, ask):
        super().__init__(daemon=True)
        self.ask, self.answers, self.failed, self.is_over = ask, [], [], threading.Event()

    def run(self):
        while not self.is_over.is_set():
            try:
                self.answers.append(self.ask())
            except Exception as e:
                self.failed.append(repr(e))
            self.is_over.wait(0.02)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.join()


def observe(l):
    """How many identities the dataplane had read when it answered an observer."""
    said = control.hello(l.appliance.run_dir)
    assert said is not None, "an observer was not answered"
    return said.telemetry.total()["core_identities_read"]


def manage(l):
    """A client of the API with a connection of its own, which has to last."""
    api = l.appliance.new_api()
    api.connect()

    def ask():
        api.connection.request("GET", "/api/v1/namespaces/many", headers={"Authorization": f"Bearer {api.token}"})
        answer = api.connection.getresponse()
        answer.read()
        return answer.status
    return ask


def ask_by_tls(l, name):
    """The status and the certificate of one request on a connection of its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(l["client"].connect(l.vip, 443), server_hostname=name) as s:
        s.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        answer = s.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        return s.getpeercert(binary_form=True)


@suite.test("S20")
def gateways_of_4096_certificates_each_are_applied_while_observers_and_the_api_are_answered(l):
    names = list(l.certificates)
    path = os.path.join(l.dir, "gateways.json")
    gateways = [gateway_of(n, names[n * LISTENERS * EACH:(n + 1) * LISTENERS * EACH]) for n in range(GATEWAYS)]
    route = objects.route(NS, "app", [f"{NS}/gw-{n}" for n in range(GATEWAYS)], [objects.to("app")])
    with open(path, "w") as f:
        json.dump({"apiVersion": "v1", "kind": "List", "items": [*gateways, route]}, f)
    with Asking(lambda: observe(l)) as observer, Asking(manage(l)) as manager:
        l.appliance.ctl("apply", "-f", path, timeout=LOAD_S)
        suite.eventually(lambda: l.appliance.counters()["core_identities_now"] == len(names), "all are loaded", LOAD_S)
    assert not observer.failed and not manager.failed, (observer.failed[:3], manager.failed[:3])
    assert set(manager.answers) == {200}
    between = {n for n in observer.answers if 0 < n < len(names)}
    assert len(between) > GATEWAYS * 10, f"{len(between)} answers from the middle of it"
    assert l.appliance.counters()["core_identities_read"] == len(names), "none was read twice"


@suite.test("S20")
def one_of_them_is_rotated_under_load_and_alone_is_read(l):
    names = list(l.certificates)
    l.vip = objects.gateway_address(l, NS, "gw-0")
    suite.eventually(lambda: ask_by_tls(l, names[0]), "it serves", LOAD_S)
    before = l.appliance.counters()["core_identities_read"]
    with Asking(lambda: ask_by_tls(l, names[1])) as other, Asking(lambda: ask_by_tls(l, names[0])) as rotated, \
            Asking(lambda: observe(l)) as observer:
        for n in range(ROTATIONS):
            certificate, key = l.authority.server(f"new-{n}", names[0])
            l.appliance.api.put(objects.tls_secret(NS, names[0], certificate, key))
            wanted = ssl.PEM_cert_to_DER_cert(certificate)
            suite.eventually(lambda w=wanted: w == rotated.answers[-1], "the new one is shown", LOAD_S)
    for asking in (other, rotated, observer):
        assert not asking.failed, asking.failed[:3]
    assert len(set(rotated.answers)) == 1 + ROTATIONS and len(set(other.answers)) == 1
    assert l.appliance.counters()["core_identities_read"] == before + ROTATIONS
    suite.eventually(lambda: l.appliance.counters()["core_identities_now"] == len(names), "the old one goes", LOAD_S)
