#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""./dev bench tls [--json FILE] [--skip PART...]: TLS beside nginx, HAProxy and Envoy (tls_peers.py).

    handshake_us                  the proxy's CPU for a connection: TCP, full handshake, one answer of its own
    handshake_share_of_limit      1 / handshake_us over `openssl speed`'s signatures a second of the same key on the
                                  same core; by `worker`, and by `crypto_core` over what that one takes for it. The
                                  peer `ceiling` is what OpenSSL reaches by itself, in memory and with nothing around
                                  it (tls/ceiling.c): nobody who uses this version of it gets more, at any address
    handshake_ceiling_share       that share by itself
    tls_request_us                the proxy's CPU for a request over kept connections, answered by a backend
    idle_tls_conn_bytes           what the proxy's resident memory grows by for a connection that asked once and rests
    plain_p99_us_under_handshakes 99 of 100 plain requests on kept connections take no longer, while others do
                                  handshakes as fast as they can; ours with 0 and 1 crypto cores
    worker_round_p99_us_under_handshakes   of our worker's rounds that did something meanwhile
    handshake_us with certificates N       the same of ours, for one and for thousands of certificates
    tls_handshake_instructions    what TLS executes for a handshake and an answer, by callgrind (front_cost.c: in
                                  memory, without TCP and HTTP), and where they go; beside all that nginx's process
                                  executes for one. No clock: the same on a busy machine

Parts: instructions, handshakes, requests, idle, flood, many. Clients and backends have one CPU, the proxy another; a
crypto core shares the clients'. docs/perf-budget.md says what these numbers were.
"""
import argparse
import base64
import json
import os
import random
import re
import ssl
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lab"), os.path.join(HERE, "..", "e2e")]

import callgrind  # noqa: E402
import certs  # noqa: E402 (its folder is known only now)
import cleanup  # noqa: E402
import control  # noqa: E402
import lab as labs  # noqa: E402
import objects  # noqa: E402
import peers  # noqa: E402
import proxies  # noqa: E402
import suite  # noqa: E402
import tls_peers  # noqa: E402

NS = "bench"
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
IDLE = 1000
GATEWAYS, LISTENERS, EACH = 20, 16, 64  # 20,480 certificates, as many a listener as there may be
NAMES = 500  # of them that are asked for, of one Gateway
SPEED = {"ecdsa": "ecdsap256", "rsa": "rsa2048"}
PARTS = ("instructions", "handshakes", "requests", "idle", "flood", "many")
COUNTED = 32  # handshakes under callgrind
COUNTED_PARTS = {
    "key pair": ["EVP_PKEY_generate"],
    "shared secret": ["EVP_PKEY_derive"],
    "signature": ["EVP_DigestSign"],
    "key schedule": ["EVP_KDF_fetch", "EVP_KDF_derive"],
    "finished": ["EVP_Q_mac"],
    "ticket": ["i2d_SSL_SESSION", "d2i_SSL_SESSION", "tls_on_ticket"],
    "objects": ["SSL_new", "SSL_free"],
}
BUILD = os.environ.get("SLUICE_BUILD", os.path.join(os.path.dirname(os.path.dirname(HERE)), "build"))
RESULTS = []


def tell(name, unit, value, peers_of=None, spread=0, **params):
    """One line, and the same as an object for each peer."""
    said = {"name": name, "params": params, "unit": unit, "value": value, "spread": spread, "runs": RUNS}
    text = " ".join([name, *(f"{k} {v}" for k, v in params.items()), f"{value:.5g} {unit}"])
    for peer, other in (peers_of or {}).items():
        text += f", {peer} {other:.5g}"
        RESULTS.append({**said, "peer": peer, "peer_value": other, "ratio": value / other if other else 0})
    if not peers_of:
        RESULTS.append(said)
    print(text + (f" (spread {spread:.0%})" if spread else ""), flush=True)


def program(name):
    return os.path.join(BUILD, "tests", "bench", "tls", name)


def spread_of(values):
    return (max(values) - min(values)) / statistics.median(values)


class Sluice:
    """The appliance as one more of the peers."""

    def __init__(self, l):
        self.l = l

    pid = property(lambda self: self.l.appliance.dataplane.pid)
    address = property(lambda self: self.l.vip)

    def restart(self, *options, cores=None):
        """With these options; all of it on the proxy's CPU, but with `cores` as they say."""
        self.l.appliance.dataplane.end()
        self.l.appliance.options = list(options)
        self.l.appliance.start_dataplane()
        if cores is None:
            proxies.pin(self.pid, peers.CPU)
        suite.eventually(lambda: self.l.curl("http://a.example.com/", address=self.l.vip)[0] == 200, "it serves", 20)

    def end(self):
        pass


def bring_up(l):
    l.start_backends()
    l.appliance.options = []
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    l.authority = certs.Authority(l.dir)
    api = l.appliance.api
    api.put(objects.namespace(NS))
    l.keys = {}
    for name, key in (("ecdsa", "ec"), ("rsa", "rsa")):
        api.put(objects.tls_secret(NS, name, *l.authority.server(name, "a.example.com", key=key)))
        l.keys[name] = (l.authority.path(f"{name}.crt"), l.authority.path(f"{name}.key"))
    gateway = objects.gateway(NS, "gw")
    gateway["spec"]["listeners"] = [
        {"name": "plain", "port": 80, "protocol": "HTTP"},
        *(objects.https(name, name, port=tls_peers.PORTS[name]) for name in l.keys)]
    api.put(gateway)
    api.put(objects.service(NS, "app"))
    api.put(objects.slice_of(NS, "app", *(labs.backend_address(n + 1) for n in range(l.n_backends))))
    to_other = {"matches": [{"path": {"type": "Exact", "value": "/r"}}], "filters": [
        {"type": "RequestRedirect", "requestRedirect": {"hostname": "other.example.com"}}]}
    api.put(objects.route(NS, "app", [f"{NS}/gw"], [to_other, objects.to("app")]))
    l.vip = objects.gateway_address(l, NS, "gw")
    suite.eventually(lambda: l.curl("http://a.example.com/", address=l.vip)[0] == 200, "it is answered")
    peers.plug_in(l)
    for b in l.backends:
        proxies.pin(b.process.pid, peers.REST)


def wrk(l, address, kind, path, *options, connections=16, seconds=SECONDS):
    scheme = "http" if kind == "plain" else "https"
    return l["client"].run("taskset", "-c", peers.REST, "wrk", "-t", "1", "-c", str(connections), "-d", str(seconds),
                           "--latency", *options, f"{scheme}://{address}:{tls_peers.PORTS[kind]}{path}",
                           timeout=seconds + 30).stdout


def requests_of(out):
    found = re.search(r"(\d+) requests in", out)
    assert found and int(found[1]) > 0, out
    return int(found[1])


def address_of(proxy):
    return proxy.address if isinstance(proxy, Sluice) else peers.FRONT


def request_us(l, proxy, kind):
    """The proxy's CPU a request on kept connections."""
    before = proxies.cpu_s(proxy.pid)
    n = requests_of(wrk(l, address_of(proxy), kind, "/files/100", "-H", "Host: a.example.com"))
    return 1e6 * (proxies.cpu_s(proxy.pid) - before) / n


def do_handshakes(l, address, key, seconds=SECONDS, threads=16, names=()):
    """How many were done; tls/handshakes.c."""
    out = l["client"].run("taskset", "-c", peers.REST, program("handshakes"), address, str(tls_peers.PORTS[key]),
                          str(seconds), str(threads), *names, timeout=seconds + 30).stdout
    said = {name: int(n) for name, n in map(str.split, out.splitlines())}
    assert said["full"] > 0 and said["full"] == said["connections"] and said["failed"] <= said["full"] / 100, out
    return said["full"]


def handshake_us(l, proxy, key, **how):
    """The proxy's CPU a connection with a full handshake and an answer."""
    before = proxies.cpu_s(proxy.pid)
    n = do_handshakes(l, address_of(proxy), key, **how)
    return 1e6 * (proxies.cpu_s(proxy.pid) - before) / n


def nginx_instructions(l):
    """Of its process, a handshake and an answer; the kernel's are not seen."""
    counted = callgrind.Counted(os.path.join(l.dir, "nginx.callgrind"))
    nginx = tls_peers.start(l, "nginx", l.keys, under=counted.under, limit_s=60)
    do_handshakes(l, peers.FRONT, "ecdsa", threads=4)  # what is made once
    counted.zero(nginx.pid)
    n = do_handshakes(l, peers.FRONT, "ecdsa", threads=4)
    total = counted.instructions(nginx.pid)
    nginx.end()
    return total / n


def instructions(l):
    costs = callgrind.run("serve", program("front_cost"), str(COUNTED))
    ours = costs.of("serve")[0] / COUNTED
    tell("tls_handshake_instructions", "instructions", ours, {"nginx": nginx_instructions(l)}, key="ecdsa")
    for part, functions in COUNTED_PARTS.items():
        spent = sum(costs.of(f)[0] for f in functions) / COUNTED
        tell("tls_handshake_instructions", "instructions", spent, key="ecdsa", part=part)


def in_turn(l, measure):
    """{who: [values]}; a peer that cannot be had is said and left out."""
    found = {}
    for _ in range(RUNS):
        for who in ("sluice", *tls_peers.KINDS):
            try:
                proxy = Sluice(l) if who == "sluice" else tls_peers.start(l, who, l.keys)
            except Exception as e:
                print(f"  ({who} is left out: {e})", flush=True)
                continue
            found.setdefault(who, []).append(measure(proxy))
            proxy.end()
    return found


def compare(name, unit, found, **params):
    medians = {who: statistics.median(values) for who, values in found.items()}
    tell(name, unit, medians.pop("sluice"), medians, spread=spread_of(found["sluice"]), **params)
    return statistics.median(found["sluice"])


def signatures_a_second(key):
    out = subprocess.run(["taskset", "-c", peers.CPU, "openssl", "speed", "-seconds", "1", SPEED[key]], check=True,
                         capture_output=True, text=True, timeout=60).stdout
    return float(out.strip().splitlines()[-1].split()[-2])


def ceiling_us(l, key):
    """The library's own CPU for a handshake, on the same core."""
    out = subprocess.run(["taskset", "-c", peers.CPU, program("ceiling"), *l.keys[key], "1"], check=True,
                         capture_output=True, text=True, timeout=60).stdout
    return float(out.split()[-1])


def on_a_crypto_core(l, key):
    """Microseconds that such a core takes for a handshake; the steps are timed where they are run."""
    before = l.appliance.counters()
    n = do_handshakes(l, l.vip, key)
    return (l.appliance.counters()["tls_away_ns"] - before["tls_away_ns"]) / 1e3 / n


def handshakes(l):
    Sluice(l).restart()
    limits, took, ceilings = {}, {}, {}
    for key in l.keys:
        took[key] = compare("handshake_us", "us", in_turn(l, lambda p, k=key: handshake_us(l, p, k)), key=key)
        limits[key] = statistics.median(signatures_a_second(key) for _ in range(RUNS))
        alone = [ceiling_us(l, key) for _ in range(RUNS)]
        ceilings[key] = 1e6 / statistics.median(alone) / limits[key]
        tell("signature_limit", "signatures a second", limits[key], key=key)
        tell("ceiling_us", "us", statistics.median(alone), spread=spread_of(alone), key=key)
        tell("handshake_ceiling_share", "share", ceilings[key], key=key)
        tell("handshake_share_of_limit", "share", 1e6 / took[key] / limits[key], {"ceiling": ceilings[key]}, key=key,
             by="worker")
    Sluice(l).restart("--crypto-cores", "1", cores=True)
    for key in l.keys:
        away = statistics.median(on_a_crypto_core(l, key) for _ in range(RUNS))
        tell("crypto_core_us", "us", away, key=key)
        tell("handshake_share_of_limit", "share", 1e6 / away / limits[key], {"ceiling": ceilings[key]}, key=key,
             by="crypto_core")


def requests(l):
    Sluice(l).restart()
    with open(os.path.join(l.dir, "files", "100"), "wb") as f:
        f.write(b"x" * 100)
    for kind in ("plain", "ecdsa"):
        found = in_turn(l, lambda p, k=kind: request_us(l, p, k))
        compare("tls_request_us" if kind != "plain" else "plain_request_us", "us", found, connections=16)


def ask_and_keep(l, address):
    context = ssl.create_default_context(cafile=l.authority.ca)
    s = context.wrap_socket(l["client"].connect(address, tls_peers.PORTS["ecdsa"]), server_hostname="a.example.com")
    s.sendall(b"GET /r HTTP/1.1\r\nHost: a.example.com\r\n\r\n")
    assert s.recv(4096).startswith(b"HTTP/1.1 30"), "no answer"
    return s


def resident_bytes(pid):
    with open(f"/proc/{pid}/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def idle_bytes(l, proxy):
    """Of a process that had no connections before: what these give back, the next ones would get."""
    if isinstance(proxy, Sluice):
        proxy.restart()
    address = address_of(proxy)
    held = [ask_and_keep(l, address) for _ in range(100)]
    before = resident_bytes(proxy.pid)
    held += [ask_and_keep(l, address) for _ in range(IDLE)]
    grown = (resident_bytes(proxy.pid) - before) / IDLE
    for s in held:
        s.close()
    return grown


def idle(l):
    found = in_turn(l, lambda p: idle_bytes(l, p))
    # Ours has memory for connections and their TCP from its start on: their records are added.
    found["sluice"] = [v + 512 + 692 for v in found["sluice"]]  # `./dev bench http`
    compare("idle_tls_conn_bytes", "bytes", found, connections=IDLE)


def us_of(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1, "ms": 1e3, "s": 1e6, "m": 60e6}[unit]


def p99_under_flood(l, proxy, key):
    address = address_of(proxy)
    flood = threading.Thread(target=do_handshakes, args=(l, address, key, SECONDS + 2, 32))
    flood.start()
    try:
        out = wrk(l, address, "plain", "/r", connections=2)
    finally:
        flood.join()
    return us_of(re.search(r"99%\s+(\S+)", out)[1])


def round_p99_us(l, before):
    """Of the worker's busy rounds since: the bound below which 99 of 100 stay."""
    rounds = busy_rounds(l)
    grown = sorted((bound, n - before.get(bound, 0)) for bound, n in rounds.items())
    total, seen = sum(n for _, n in grown), 0
    for bound, n in grown:
        seen += n
        if seen >= 0.99 * total:
            return bound / 1e3
    return float("nan")


def busy_rounds(l):
    said = l.appliance.ctl("stats").stdout
    return {int(bound): int(n) for bound, n in re.findall(r"worker0\.round_busy_ns_to_(\d+) (\d+)", said)}


def flood(l):
    Sluice(l).restart()
    compare("plain_p99_us_under_handshakes", "us", in_turn(l, lambda p: p99_under_flood(l, p, "rsa")), key="rsa",
            crypto_cores=0)
    for cores in (0, 1):
        Sluice(l).restart("--crypto-cores", str(cores), cores=cores or None)
        before, found = busy_rounds(l), []
        for _ in range(RUNS):
            found.append(p99_under_flood(l, Sluice(l), "rsa"))
        if cores:
            tell("plain_p99_us_under_handshakes", "us", statistics.median(found), spread=spread_of(found), key="rsa",
                 crypto_cores=cores)
        tell("worker_round_p99_us_under_handshakes", "us", round_p99_us(l, before), key="rsa", crypto_cores=cores)


def certificates():
    """(key, [(name, PEM in base64)]): one key for all."""
    out = subprocess.run([program("make_certs"), str(GATEWAYS * LISTENERS), str(EACH)], check=True, capture_output=True,
                         text=True, timeout=120).stdout
    key, end, rest = out.partition("-----END PRIVATE KEY-----\n")
    return key + end, [line.split() for line in rest.splitlines()]


def secret(name, certificate, key):
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"namespace": NS, "name": name},
            "type": "kubernetes.io/tls", "data": {"tls.crt": certificate, "tls.key": key}}


def gateway_of_many(n, names):
    """A listener for each group of names, with all its certificates."""
    made = objects.gateway(NS, f"many-{n}")
    groups = [names[i:i + EACH] for i in range(0, len(names), EACH)]
    made["spec"]["listeners"] = [objects.https(f"g{i}", *group, hostname="*." + group[0].partition(".")[2])
                                 for i, group in enumerate(groups)]
    return made


def identities_now(l):
    """0 also while nobody answers: housekeeping reads keys, 100 us each."""
    said = control.hello(l.appliance.run_dir)
    return said.telemetry.total()["core_identities_now"] if said else 0


def load_many(l):
    """Returns the names of the first Gateway."""
    key, all_certs = certificates()
    key = base64.b64encode(key.encode()).decode()
    names = [name for name, _ in all_certs]
    gateways = [gateway_of_many(n, names[n * LISTENERS * EACH:(n + 1) * LISTENERS * EACH]) for n in range(GATEWAYS)]
    items = [secret(name, certificate, key) for name, certificate in all_certs] + gateways
    route = l.appliance.api.get("HTTPRoute", "app", NS)
    route["spec"]["parentRefs"] += [{"name": g["metadata"]["name"]} for g in gateways]
    path = os.path.join(l.dir, "many.json")
    with open(path, "w") as f:
        json.dump({"apiVersion": "v1", "kind": "List", "items": items}, f)
    began = time.monotonic()
    l.appliance.ctl("apply", "-f", path, timeout=600)
    l.appliance.api.replace(route)
    suite.eventually(lambda: identities_now(l) >= len(names), "they are loaded", 300)
    tell("load_certificates", "s", time.monotonic() - began, certificates=len(names))
    return names[:LISTENERS * EACH]


def many(l):
    """Ours alone: the peers would need a configuration of that size, each in its way."""
    Sluice(l).restart()
    few = [handshake_us(l, Sluice(l), "ecdsa", names=["a.example.com"]) for _ in range(RUNS)]
    tell("handshake_us", "us", statistics.median(few), spread=spread_of(few), key="ecdsa", certificates=1)
    names = random.Random(1).sample(load_many(l), NAMES)
    l.vip = objects.gateway_address(l, NS, "many-0")
    handshake_us(l, Sluice(l), "ecdsa", names=names)  # the first use of each, and what housekeeping has left to do
    took = [handshake_us(l, Sluice(l), "ecdsa", names=names) for _ in range(RUNS)]
    tell("handshake_us", "us", statistics.median(took), spread=spread_of(took), key="ecdsa",
         certificates=GATEWAYS * LISTENERS * EACH)


def main(argv):
    cleanup.end_on_signals()
    parser = argparse.ArgumentParser(prog="dev bench tls", description=__doc__.splitlines()[0])
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--skip", nargs="*", default=[], choices=PARTS)
    options = parser.parse_args(argv)
    try:
        with labs.Lab("tls-bench", backends=2, workers=1) as l:
            bring_up(l)
            for part in PARTS:
                if part not in options.skip:
                    globals()[part](l)
    except cleanup.Ended:
        return 130
    if options.json:
        proxies.write(options.json, RESULTS)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
