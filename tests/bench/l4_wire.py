# SPDX-License-Identifier: Apache-2.0
"""Forwarding over af_xdp in the lab beside HAProxy (mode tcp), nginx (stream) and Linux itself (DNAT and SNAT by
nftables, as our NAT has it): requests a second and CPU a request.

kept: wrk's 16 connections of HTTP through a port that nobody reads; new: a connection for each request; udp, udp_new:
datagrams there and back, by 32 sockets or by a new one each. The proxy has CPU 0, everybody else CPU 1.

Two CPU times: of the proxy's process, which Linux' forwarding has not; and of the machine, which counts clients and
backends for all alike, and interrupts. IPVS is measured where the kernel has it."""
import os
import re
import shutil

import lab as labs
import objects
import peers
import proxies
import suite

NS = "bench"
TCP_PORT, UDP_PORT, ECHO_PORT = 9000, 9001, 7000
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
SOCKETS = 32
BACK = f"{labs.BACK4}.4"  # of Linux' own; the proxies' ports are in TIME_WAIT at the backends, with other timestamps
CASES = ("kept", "new", "udp", "udp_new")
STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so"

HAPROXY = """
global
    nbthread 1
    maxconn 8000
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend tcp
    bind {front}:{tcp}
    default_backend servers
backend servers
    balance roundrobin
{servers}
"""

NGINX = """
load_module {module};
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log stderr crit;
worker_rlimit_nofile 65536;
events {{ worker_connections 60000; }}
stream {{
    upstream servers {{ {servers} }}
    upstream echoes {{ {echoes} }}
    server {{ listen {front}:{tcp} backlog=1024; proxy_pass servers; }}
    server {{ listen {front}:{udp} udp; proxy_pass echoes; proxy_timeout 1s; }}
}}
"""

DNAT = """
table ip lb {{
    chain in {{
        type nat hook prerouting priority dstnat;
        ip daddr {front} tcp dport {tcp} dnat ip to numgen inc mod {n} map {{ {servers} }}
        ip daddr {front} udp dport {udp} dnat ip to numgen inc mod {n} map {{ {echoes} }}
    }}
    chain out {{
        type nat hook postrouting priority srcnat;
        oifname "p1" snat to {back}
    }}
}}
"""

SNAT = f"""
table ip lb {{
    chain out {{
        type nat hook postrouting priority srcnat;
        oifname "p1" snat to {BACK}
    }}
}}
"""

CONNTRACK = {"net__netfilter__nf_conntrack_tcp_timeout_time_wait": 1, "net__netfilter__nf_conntrack_udp_timeout": 2,
             "net__netfilter__nf_conntrack_udp_timeout_stream": 2, "net__ipv4__ip_forward": 1}


def busy_s():
    """What all CPUs did so far, but for idling and waiting."""
    with open("/proc/stat", encoding="ascii") as f:
        user, nice, system, _, _, irq, softirq, *_ = map(int, f.readline().split()[1:])
    return (user + nice + system + irq + softirq) / proxies.TICKS


class Ours:
    """The appliance as one more of the peers."""

    def __init__(self, l):
        self.l = l

    pid = property(lambda self: self.l.appliance.dataplane.pid)
    address = property(lambda self: self.l.vip)

    def end(self):
        pass


class Proxy:
    """HAProxy or nginx."""
    address = peers.FRONT

    def __init__(self, l, kind):
        where = os.path.join(l.dir, f"stream-{kind}")
        os.makedirs(where, exist_ok=True)
        path = os.path.join(where, f"{kind}.conf")
        line = "    server s{n} {a}\n" if kind == "haproxy" else "server {a}; "
        with open(path, "w", encoding="ascii") as f:
            f.write((HAPROXY if kind == "haproxy" else NGINX).format(
                front=peers.FRONT, tcp=TCP_PORT, udp=UDP_PORT, dir=where, module=STREAM_MODULE,
                servers="".join(line.format(n=n, a=f"{a}:8080") for n, a in enumerate(addresses(l))),
                echoes="".join(line.format(n=n, a=f"{a}:{ECHO_PORT}") for n, a in enumerate(addresses(l)))))
        argv = ["haproxy", "-db", "-f", path] if kind == "haproxy" else ["nginx", "-p", where, "-c", path, "-e",
                                                                         "stderr"]
        self.process = l.start(f"stream-{kind}", "peer", "taskset", "-c", peers.CPU, *argv)
        self.end = self.process.end

    pid = property(lambda self: self.process.pid)


class Linux:
    """The kernel's own forwarding: no process does it."""
    address, pid = peers.FRONT, None

    def __init__(self, l):
        self.l = l
        choices = [", ".join(f"{n} : {a} . {port}" for n, a in enumerate(addresses(l))) for port in (8080, ECHO_PORT)]
        rules = DNAT.format(front=peers.FRONT, back=BACK, tcp=TCP_PORT, udp=UDP_PORT, n=l.n_backends,
                            servers=choices[0], echoes=choices[1])
        l["peer"].sysctl(**CONNTRACK)
        l["peer"].run("nft", "-f", "-", input=rules, check=True)

    def end(self):
        self.l["peer"].run("nft", "delete", "table", "ip", "lb", check=True)


class Ipvs:
    """Linux' load balancer, with NAT."""
    address, pid = peers.FRONT, None

    def __init__(self, l):
        self.l = l
        l["peer"].sysctl(net__ipv4__ip_forward=1, net__ipv4__vs__conntrack=1)
        for kind, port, real in (("-t", TCP_PORT, 8080), ("-u", UDP_PORT, ECHO_PORT)):
            l["peer"].run("ipvsadm", "-A", kind, f"{peers.FRONT}:{port}", "-s", "rr", check=True)
            for a in addresses(l):
                l["peer"].run("ipvsadm", "-a", kind, f"{peers.FRONT}:{port}", "-r", f"{a}:{real}", "-m", check=True)
        l["peer"].run("nft", "-f", "-", input=SNAT, check=True)

    def end(self):
        self.l["peer"].run("ipvsadm", "-C", check=True)
        self.l["peer"].run("nft", "delete", "table", "ip", "lb", check=True)


def addresses(l):
    return [labs.backend_address(n) for n in range(1, l.n_backends + 1)]


def peers_here(l):
    """Those that this machine can have; says which it cannot."""
    made = {"sluice": lambda: Ours(l)}
    if shutil.which("haproxy"):
        made["haproxy"] = lambda: Proxy(l, "haproxy")
    if os.path.exists(STREAM_MODULE):
        made["nginx"] = lambda: Proxy(l, "nginx")
    else:
        print("# nginx has no stream module here", flush=True)
    if shutil.which("nft") and l["peer"].run("nft", "add", "table", "ip", "probe").returncode == 0:
        l["peer"].run("nft", "delete", "table", "ip", "probe", check=True)
        made["dnat"] = lambda: Linux(l)
    else:
        print("# this kernel has no nftables", flush=True)
    if shutil.which("ipvsadm") and l["peer"].run("ipvsadm", "-L", "-n").returncode == 0:
        made["ipvs"] = lambda: Ipvs(l)
    else:
        print("# this kernel has no IPVS", flush=True)
    return made


# ---- the appliance ----

def l4_objects():
    gateway = objects.gateway(NS, "gw")
    gateway["spec"]["listeners"] = [{"name": "tcp", "port": TCP_PORT, "protocol": "TCP"},
                                    {"name": "udp", "port": UDP_PORT, "protocol": "UDP"}]
    yield objects.namespace(NS)
    yield gateway
    for kind, name, port in (("TCP", "tcp", 8080), ("UDP", "udp", ECHO_PORT)):
        service = objects.service(NS, name, port)
        service["spec"]["ports"] = [{"port": port, "protocol": kind}]
        yield service
        made = objects.slice_of(NS, name, *[labs.backend_address(n) for n in (1, 2)])
        made["ports"] = [{"port": port, "protocol": kind}]
        yield made
        route = objects.route(NS, name, [{"name": "gw", "sectionName": name}], [objects.to(name, port=port)])
        yield {**route, "kind": f"{kind}Route"}


def bring_up(l):
    l.start_backends()
    with open(os.path.join(l.dir, "files", "100"), "wb") as f:
        f.write(b"x" * 100)
    for n in range(1, l.n_backends + 1):
        l.start(f"echo-{n}", f"backend-{n}", "taskset", "-c", peers.REST, program(l), "echo", str(ECHO_PORT))
    l.appliance.start()
    l.appliance.apply(objects.example("appliance.yaml"))
    for made in l4_objects():
        l.appliance.api.put(made)
    l.vip = objects.gateway_address(l, NS, "gw")
    peers.plug_in(l)
    l["peer"].address("p1", f"{BACK}/24")
    for b in l.backends:
        proxies.pin(b.process.pid, peers.REST)
    proxies.pin(l.appliance.dataplane.pid, peers.CPU)


def program(l):
    return os.path.join(l.build, "tests", "bench", "l4", "udp_load")


# ---- a run ----

def rest(l, *argv):
    done = l["client"].run("taskset", "-c", peers.REST, *argv, timeout=SECONDS + 30)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def load(l, case, address):
    """How many were answered."""
    if case in ("kept", "new"):
        close = ("-H", "Connection: close") if case == "new" else ()
        out = rest(l, "wrk", "-t", "1", "-c", "16", "-d", str(SECONDS), *close,
                   f"http://{address}:{TCP_PORT}/files/100")
        assert "Non-2xx" not in out, out
        return int(re.search(r"(\d+) requests in", out)[1])
    out = rest(l, program(l), "new" if case == "udp_new" else "ask", address, str(UDP_PORT), str(SOCKETS), str(SECONDS))
    answers, lost = map(int, re.findall(r"\d+", out))
    if lost:
        print(f"# {case} by {address}: {lost} lost, {answers} answered", flush=True)
    return answers


def is_there(l, case, address):
    """Does it answer once?"""
    if case in ("kept", "new"):
        return l.curl(f"http://{address}:{TCP_PORT}/files/100", timeout=2)[0] == 200
    out = l["client"].run(program(l), "ask", address, str(UDP_PORT), "1", "1").stdout
    return int(re.search(r"answers (\d+)", out)[1]) > 0


def one(l, case, who):
    """(answers a second, us of the process, us of the machine, packets) an answer; None: it is not told."""
    started = who()
    try:
        suite.eventually(lambda: is_there(l, case, started.address), f"{case} is answered", 10)
        is_ours = isinstance(started, Ours)
        packets = l.appliance.counters()["l4_tx"] if is_ours else 0
        cpu, machine = proxies.cpu_s(started.pid) if started.pid else 0, busy_s()
        answers = load(l, case, started.address)
        machine = busy_s() - machine
        cpu = proxies.cpu_s(started.pid) - cpu if started.pid else None
        packets = l.appliance.counters()["l4_tx"] - packets if is_ours else None
    finally:
        started.end()
    return (answers / SECONDS, cpu and 1e6 * cpu / answers, 1e6 * machine / answers, packets and packets / answers)


def tell(tell_one, case, found):
    units = ("l4_wire_requests_a_second", "1/s"), ("l4_wire_us_cpu_a_request", "us"), ("l4_wire_us_machine_a_request",
                                                                                       "us")
    for at, (name, unit) in enumerate(units):
        values = {who: [run[at] for run in runs] for who, runs in found.items() if runs[0][at] is not None}
        mine = values.pop("sluice")
        tell_one(name, unit, mine, values, kind=case)
    cpu = [1.0 * run[1] / run[3] for run in found["sluice"]]
    tell_one("l4_wire_us_cpu_a_packet", "us", cpu, {}, kind=case)


def bench(tell_one):
    with labs.Lab("bench-l4", backends=2, workers=1) as l:
        bring_up(l)
        here = peers_here(l)
        for case in CASES:
            found = {}
            for _ in range(RUNS):  # in turn, so that a neighbour's load meets all
                for who, make in here.items():
                    if who == "haproxy" and case.startswith("udp"):
                        continue  # it passes no datagrams on
                    found.setdefault(who, []).append(one(l, case, make))
            tell(tell_one, case, found)

