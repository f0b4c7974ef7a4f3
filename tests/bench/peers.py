# SPDX-License-Identifier: Apache-2.0
"""HAProxy and nginx as reverse proxies beside the appliance, on veths of the same kind, with one thread each."""
import os

import lab as labs
import namespace

FRONT, PORT = f"{labs.FRONT4}.3", 80
CPU = "0"  # of whichever proxy is measured; clients and backends have the others
REST = "1"

HAPROXY = """
global
    nbthread 1
    maxconn 4000
defaults
    mode http
    option http-keep-alive
    option forwardfor
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend web
    bind {front}:{port}
    default_backend servers
backend servers
    balance roundrobin
{servers}
"""

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log stderr;
events {{ worker_connections 4000; }}
http {{
    access_log off; keepalive_requests 100000000; client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/fastcgi; uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    upstream servers {{ {servers} keepalive 64; keepalive_requests 100000000; }}
    server {{
        listen {front}:{port} backlog=1024;
        location / {{
            proxy_pass http://servers; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; proxy_buffers 16 8k;
        }}
    }}
}}
"""


def plug_in(l):
    """A namespace with a leg in both networks, as the appliance has. The kernel's work lands on the proxy's core."""
    box = l.namespaces["peer"] = namespace.Namespace(l.prefix, "peer")
    l.undo.add("peer", box.remove)
    for leg, switch, address in (("p0", "front", FRONT), ("p1", "back", f"{labs.BACK4}.3")):
        namespace.link(box, leg, l["switch"], f"{switch}-peer")
        namespace.attach(l["switch"], switch, f"{switch}-peer")
        box.address(leg, f"{address}/24")
        box.run("sh", "-c", f"echo {1 << int(CPU):x} > /sys/class/net/{leg}/queues/rx-0/rps_cpus", check=True)


def config(l, kind):
    """Writes the configuration; the command line that uses it."""
    where = os.path.join(l.dir, f"peer-{kind}")
    os.makedirs(where, exist_ok=True)
    addresses = [f"{labs.backend_address(n)}:8080" for n in range(1, l.n_backends + 1)]
    line = "    server s{n} {a}\n" if kind == "haproxy" else "server {a}; "
    servers = "".join(line.format(n=n, a=a) for n, a in enumerate(addresses))
    path = os.path.join(where, f"{kind}.conf")
    with open(path, "w") as f:
        f.write((HAPROXY if kind == "haproxy" else NGINX).format(front=FRONT, port=PORT, dir=where, servers=servers))
    return ["haproxy", "-db", "-f", path] if kind == "haproxy" else ["nginx", "-p", where, "-c", path, "-e", "stderr"]


def start(l, kind):
    """The proxy as a process that answers."""
    started = l.start(f"peer-{kind}", "peer", "taskset", "-c", CPU, *config(l, kind))

    def answers():
        return l.curl(f"http://{FRONT}/", address=FRONT, timeout=2)[0] == 200
    started.wait_ready(answers, "answer", 10)
    return started
