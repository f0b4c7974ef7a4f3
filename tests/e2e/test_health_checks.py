# SPDX-License-Identifier: Apache-2.0
"""Health checks on the wire: who is asked, how often and how, and what becomes of backends that fall ill and recover.

The backends are patient.py: what /healthz answers is as the test says, everything else is always well.
"""
import os

import backend
import certs
import lab as labs
import objects
import suite

NS, HOST = "checks", "app.example.com"
N_BACKENDS, WORKERS = 3, 2
INTERVAL_S = 0.25
WAIT_S = 20  # the machine that runs the tests may be busy


def lab():
    return labs.Lab("health-checks", backends=N_BACKENDS, workers=WORKERS)


def policy(**active):
    usual = {"type": "HTTP", "interval": "250ms", "timeout": "200ms", "healthyThreshold": 2, "unhealthyThreshold": 2}
    return {"apiVersion": "sluice.internal/v1", "kind": "HealthPolicy", "metadata": {"namespace": NS, "name": "app"},
            "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "app"}], "active": {**usual, **active}}}


HTTP = policy(http={"path": "/healthz", "expectedStatuses": [{"start": 200, "end": 299}]})
TCP = policy(type="TCP")
TLS_PORT = 8443
GRPC = policy(type="GRPC", grpc={"service": "app.v1.Shop"})


def vip(l):
    return objects.gateway_address(l, NS, "gw")


def prepare(l):
    l.start_backends(backend.Patient)
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    api = l.appliance.api
    api.put(objects.namespace(NS))
    api.put(objects.gateway(NS, "gw"))
    api.put(objects.service(NS, "app"))
    api.put(objects.slice_of(NS, "app", *[labs.backend_address(n) for n in range(1, N_BACKENDS + 1)]))
    for n in range(3):  # routes must not multiply checks
        api.put(objects.route(NS, f"app-{n}", [f"{NS}/gw"], [objects.to("app")], HOST if n == 0 else f"{n}.{HOST}"))
    objects.wait_answer(l, vip(l), HOST, everybody())
    api.put(HTTP)
    counter_is(l, "probes_now", N_BACKENDS)


def everybody(*but):
    return {f"backend-{n}" for n in range(1, N_BACKENDS + 1) if n not in but}


def counted(l, name):
    return l.appliance.counters()[f"health_{name}"]


def counter_is(l, name, value):
    suite.eventually(lambda: counted(l, name) == value, f"health_{name} is {value}", WAIT_S)


def patient(l, n):
    return l.backends[n - 1]


def answering(l, n=30):
    return {objects.answers(l, vip(l), HOST) for _ in range(n)}


def is_out(l, n):
    """The backend is found to be ill, and then nobody is sent there, nor sees anything of it."""
    counter_is(l, "unhealthy_now", 1)
    assert answering(l) == everybody(n)


def is_back(l):
    counter_is(l, "unhealthy_now", 0)
    suite.eventually(lambda: answering(l) == everybody(), "all backends answer", WAIT_S)


@suite.test("health")
def an_endpoint_hears_one_check_an_interval_whatever_workers_and_routes(l):
    begun = [len(patient(l, n).checks()) for n in range(1, N_BACKENDS + 1)]
    suite.eventually(lambda: len(patient(l, 1).checks()) >= begun[0] + 20, "twenty checks come", WAIT_S)
    for n in range(1, N_BACKENDS + 1):
        seen = patient(l, n).checks()[begun[n - 1]:]
        assert 15 <= len(seen) <= 25, (n, len(seen))
        apart_s = (seen[-1]["at"] - seen[0]["at"]) / (len(seen) - 1)
        assert apart_s > 0.8 * INTERVAL_S, (n, apart_s)  # two an interval would be half of it
    fields = {name.lower(): value for name, value in seen[0]["fields"]}
    assert fields == {"host": f"{labs.backend_address(N_BACKENDS)}:8080", "user-agent": "sluice-health",
                      "connection": "close"}, fields
    assert counted(l, "probes_now") == N_BACKENDS and counted(l, "unhealthy_now") == 0


@suite.test("health")
def an_endpoint_that_answers_500_gets_no_requests_until_it_recovers(l):
    patient(l, 2).be("500")
    is_out(l, 2)
    patient(l, 2).be("204")
    is_back(l)


@suite.test("health")
def an_endpoint_that_does_not_answer_checks_gets_no_requests(l):
    patient(l, 1).be("hang")
    is_out(l, 1)
    assert counted(l, "end_timeout") > 0
    patient(l, 1).be("200")
    is_back(l)


@suite.test("health")
def an_endpoint_that_stops_listening_gets_no_requests(l):
    patient(l, 3).process.kill()
    is_out(l, 3)
    assert counted(l, "end_refused") > 0
    patient(l, 3).start()
    is_back(l)


@suite.test("health")
def what_is_known_of_endpoints_stays_when_the_list_changes(l):
    patient(l, 2).be("503")
    is_out(l, 2)
    api, addresses = l.appliance.api, [labs.backend_address(n) for n in range(1, N_BACKENDS + 1)]
    api.put(objects.slice_of(NS, "app", *addresses[1:]))
    suite.eventually(lambda: answering(l) == everybody(1, 2), "one is gone, one is ill", WAIT_S)
    api.put(objects.slice_of(NS, "app", *addresses))
    suite.eventually(lambda: answering(l) == everybody(2), "one is new, one is ill", WAIT_S)
    patient(l, 2).be("200")
    is_back(l)


@suite.test("health")
def a_tcp_check_sees_who_listens_and_leaves_quietly(l):
    patient(l, 1).be("500")  # which TCP does not ask
    l.appliance.api.put(TCP)
    suite.eventually(lambda: len(patient(l, 1).visits()) >= 5, "five connections come", WAIT_S)
    assert not any(v["reset"] for n in range(1, N_BACKENDS + 1) for v in patient(l, n).visits())
    is_back(l)
    patient(l, 2).process.kill()
    is_out(l, 2)
    patient(l, 2).start()
    is_back(l)
    patient(l, 1).be("200")


@suite.test("health")
def a_grpc_check_asks_the_health_service(l):
    l.appliance.api.put(GRPC)
    suite.eventually(lambda: len(patient(l, 3).calls()) >= 5, "five calls come", WAIT_S)
    assert {call["service"] for call in patient(l, 3).calls()} == {"app.v1.Shop"}
    is_back(l)
    for illness in ("500", "hang"):
        patient(l, 2).be(illness)
        is_out(l, 2)
        patient(l, 2).be("200")
        is_back(l)


def start_tls(l, n):
    """A server that shakes hands with who asks for HOST, and with nobody else."""
    pair = ["-cert", l.authority.path("pod.crt"), "-key", l.authority.path("pod.key")]
    second = ["-cert2", pair[1], "-key2", pair[3]]
    return l.start(f"tls-{n}", f"backend-{n}", "openssl", "s_server", "-accept", str(TLS_PORT), *pair, *second,
                   "-servername", HOST, "-servername_fatal", "-www")


def tls_policy(hostname):
    return policy(type="TLS", port=TLS_PORT, tls={"hostname": hostname})


@suite.test("health")
def a_tls_check_shakes_hands_asks_for_the_name_and_leaves_quietly(l):
    l.authority = certs.Authority(l.dir)
    l.authority.server("pod", "expired.example")  # whose it is nobody asks
    servers = {n: start_tls(l, n) for n in range(1, N_BACKENDS + 1)}
    l.appliance.api.put(tls_policy(HOST))
    is_back(l)
    before = {name: counted(l, f"end_{name}") for name in ("ok", "fault", "closed", "timeout")}
    suite.eventually(lambda: counted(l, "end_ok") >= before["ok"] + 5 * N_BACKENDS, "checks pass", WAIT_S)
    assert {name: counted(l, f"end_{name}") for name in before if name != "ok"} == \
           {name: n for name, n in before.items() if name != "ok"}
    for server in servers.values():
        assert "ERROR" not in server.log_end(1000), server.log_end()
    servers[2].kill()
    is_out(l, 2)
    start_tls(l, 2)
    is_back(l)
    l.appliance.api.put(tls_policy("other.example.com"))
    counter_is(l, "unhealthy_now", N_BACKENDS)
    assert counted(l, "end_fault") > before["fault"]
    assert answering(l) == everybody(), "when all are ill all are used"
    l.appliance.api.put(tls_policy(HOST))
    is_back(l)


H2C_PORT, H2_TLS_PORT, H2_HOST = 8090, 8453, "h2.example.com"
H2_BACKENDS = (1, 2)


def folder_of(l, n):
    return os.path.join(l.dir, f"h2-{n}")


def be_well(l, n, is_well=True):
    """What nghttpd answers to /healthz: 200 or 404."""
    path = os.path.join(folder_of(l, n), "healthz")
    if is_well:
        with open(path, "w", encoding="ascii") as f:
            f.write("well")
    elif os.path.exists(path):
        os.remove(path)


def start_h2(l, n, port, *options):
    """nghttpd: HTTP/2 with prior knowledge or, with TLS, by ALPN, and nothing else."""
    os.makedirs(folder_of(l, n), exist_ok=True)
    be_well(l, n)
    with open(os.path.join(folder_of(l, n), "who"), "w", encoding="ascii") as f:
        f.write(f"backend-{n}")
    return l.start(f"nghttpd-{port}-{n}", f"backend-{n}", "nghttpd", "-d", folder_of(l, n), *options, str(port))


def put_h2(l, name, port, **more):
    """A Service of nghttpd, its route, and a policy that asks for /healthz."""
    api = l.appliance.api
    service, endpoints = objects.service(NS, name), objects.slice_of(NS, name, *map(labs.backend_address, H2_BACKENDS))
    service["spec"]["ports"] = [{"name": "h2", "port": port, "protocol": "TCP", **more}]
    endpoints["ports"] = [{"name": "h2", "port": port, "protocol": "TCP"}]
    asks = policy(http={"path": "/healthz", "expectedStatuses": [{"start": 200, "end": 299}]})
    asks["metadata"]["name"] = asks["spec"]["targetRefs"][0]["name"] = name
    for what in (service, endpoints, asks):
        api.put(what)
    api.put(objects.route(NS, name, [f"{NS}/gw"], [objects.to(name, port=port)], H2_HOST))


def who(l, n=20):
    return {l.curl(f"http://{H2_HOST}/who", address=vip(l))[2] for _ in range(n)}


def falls_ill_and_recovers(l, start):
    """Both are well, by what they speak; one says no, one is gone, and both come back."""
    both, first = {b"backend-1", b"backend-2"}, {b"backend-1"}
    suite.eventually(lambda: who(l, 6) == both, "both answer", WAIT_S)
    counter_is(l, "unhealthy_now", 0)
    before = {name: counted(l, f"end_{name}") for name in ("ok", "status", "fault", "closed", "timeout")}
    suite.eventually(lambda: counted(l, "end_ok") >= before["ok"] + 10, "checks pass", WAIT_S)
    assert [counted(l, f"end_{name}") for name in list(before)[1:]] == list(before.values())[1:], "and all of them"
    be_well(l, 2, False)
    counter_is(l, "unhealthy_now", 1)
    assert who(l) == first and counted(l, "end_status") > before["status"]
    be_well(l, 2)
    counter_is(l, "unhealthy_now", 0)
    suite.eventually(lambda: who(l, 6) == both, "both answer", WAIT_S)
    start[2].kill()
    counter_is(l, "unhealthy_now", 1)
    suite.eventually(lambda: who(l, 10) == first, "who is gone gets none", WAIT_S)


@suite.test("health")
def a_port_of_http_2_is_asked_by_http_2(l):
    l.appliance.api.delete("HealthPolicy", "app", NS)
    counter_is(l, "probes_now", 0)
    servers = {n: start_h2(l, n, H2C_PORT, "--no-tls") for n in H2_BACKENDS}
    suite.eventually(lambda: all(talks_h1_not(l, n) for n in H2_BACKENDS), "they listen", WAIT_S)
    put_h2(l, "h2c", H2C_PORT, appProtocol="kubernetes.io/h2c")
    falls_ill_and_recovers(l, servers)
    servers[2] = start_h2(l, 2, H2C_PORT, "--no-tls")
    counter_is(l, "unhealthy_now", 0)
    l.appliance.api.delete("HealthPolicy", "h2c", NS)
    l.appliance.api.delete("HTTPRoute", "h2c", NS)
    counter_is(l, "probes_now", 0)


def talks_h1_not(l, n):
    """It listens, and has no answer for HTTP/1.1."""
    try:
        with l[f"backend-{n}"].connect("127.0.0.1", H2C_PORT, timeout=2) as sock:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b"".join(iter(lambda: sock.recv(4096), b""))
    except OSError:
        return False
    assert not got.startswith(b"HTTP/1"), got
    return True


@suite.test("health")
def a_secured_port_of_http_2_is_asked_by_http_2_over_tls(l):
    l.authority = certs.Authority(l.dir)
    l.authority.server("h2", H2_HOST)
    pair = [l.authority.path("h2.key"), l.authority.path("h2.crt")]
    servers = {n: l.start(f"nghttpd-tls-{n}", f"backend-{n}", "nghttpd", "-d", folder_of(l, n), str(H2_TLS_PORT), *pair)
               for n in H2_BACKENDS}
    with open(l.authority.ca, encoding="ascii") as f:
        cas = f.read()
    l.appliance.api.put({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": NS, "name": "cas"},
                         "data": {"ca.crt": cas}})
    l.appliance.api.put({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "BackendTLSPolicy",
        "metadata": {"namespace": NS, "name": "h2"},
        "spec": {"targetRefs": [{"group": "", "kind": "Service", "name": "h2s"}],
                 "validation": {"hostname": H2_HOST, "caCertificateRefs": [
                     {"group": "", "kind": "ConfigMap", "name": "cas"}]}}})
    put_h2(l, "h2s", H2_TLS_PORT, appProtocol="kubernetes.io/h2c")
    falls_ill_and_recovers(l, servers)
    l.appliance.api.delete("HealthPolicy", "h2s", NS)
    counter_is(l, "probes_now", 0)


@suite.test("health")
def checks_end_with_their_policy_and_so_does_what_they_found(l):
    l.appliance.api.put(HTTP)
    patient(l, 3).be("500")
    is_out(l, 3)
    l.appliance.api.delete("HealthPolicy", "app", NS)
    suite.eventually(lambda: answering(l) == everybody(), "all are used again", WAIT_S)
    counter_is(l, "probes_now", 0)
    before = counted(l, "started")
    seen = [len(patient(l, n).checks()) for n in range(1, N_BACKENDS + 1)]
    answering(l)
    assert counted(l, "started") == before
    assert [len(patient(l, n).checks()) for n in range(1, N_BACKENDS + 1)] == seen
