# SPDX-License-Identifier: Apache-2.0
"""nginx, HAProxy and Envoy as TLS servers and proxies beside the appliance, with one thread each.

Ports: 80 plain, 443 with a key for ECDSA P-256, 8443 with one for RSA of 2048 bits. /r is answered by the proxy itself,
all else by the backends. nginx and HAProxy stand on the system's OpenSSL as we do, Envoy brings BoringSSL.
"""
import json
import os
import sys

import lab as labs
import peers

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "route"))
import rivals  # noqa: E402 (its folder is known only now)

KINDS = ("nginx", "haproxy", "envoy")
PORTS = {"plain": 80, "ecdsa": 443, "rsa": 8443}

NGINX = """
daemon off; master_process off; worker_processes 1; pid {dir}/pid; error_log stderr;
events {{ worker_connections 9000; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 600;
    client_body_temp_path {dir}/b; proxy_temp_path {dir}/p;
    fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    ssl_protocols TLSv1.2 TLSv1.3; ssl_session_tickets on;
    upstream servers {{ {servers} keepalive 64; keepalive_requests 100000000; }}
    {listeners}
}}
"""
NGINX_SERVER = """
    server {{
        listen {front}:{port} backlog=4096 {tls};
        {certificate}
        location /r {{ return 302 http://other.example.com/; }}
        location / {{ proxy_pass http://servers; proxy_http_version 1.1; proxy_set_header Connection "";
                     proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr; }}
    }}
"""
HAPROXY = """
global
    nbthread 1
    maxconn 9000
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    option http-keep-alive
    option forwardfor
    http-reuse always
    timeout connect 5s
    timeout client 600s
    timeout server 60s
    timeout http-keep-alive 600s
frontend web
{binds}
    http-request redirect location http://other.example.com/ if {{ path /r }}
    default_backend servers
backend servers
    balance roundrobin
{servers}
"""


def backends(l):
    return [(labs.backend_address(n), 8080) for n in range(1, l.n_backends + 1)]


def nginx(l, where, keys):
    servers = ""
    for name, port in PORTS.items():
        files = zip(("ssl_certificate", "ssl_certificate_key"), keys.get(name, ()))
        certificate = "".join(f"{directive} {path};" for directive, path in files)
        servers += NGINX_SERVER.format(front=peers.FRONT, port=port, tls="ssl" if certificate else "",
                                       certificate=certificate)
    text = NGINX.format(dir=where, listeners=servers, servers="".join(f"server {a}:{p}; " for a, p in backends(l)))
    return text, ["nginx", "-p", where, "-e", "stderr", "-c"]


def haproxy(l, where, keys):
    binds = ""
    for name, port in PORTS.items():
        tls = ""
        if name in keys:
            pem = os.path.join(where, f"{name}.pem")
            with open(pem, "w") as f:
                for part in keys[name]:
                    with open(part) as text:
                        f.write(text.read())
            tls = f" ssl crt {pem}"
        binds += f"    bind {peers.FRONT}:{port} backlog 4096{tls}\n"
    servers = "".join(f"    server s{n} {a}:{p}\n" for n, (a, p) in enumerate(backends(l)))
    return HAPROXY.format(binds=binds, servers=servers), ["haproxy", "-db", "-f"]


def envoy(l, where, keys):
    x = "type.googleapis.com/envoy.extensions"
    routes = [{"match": {"path": "/r"}, "redirect": {"host_redirect": "other.example.com"}},
              {"match": {"prefix": "/"}, "route": {"cluster": "servers"}}]
    manager = {"@type": f"{x}.filters.network.http_connection_manager.v3.HttpConnectionManager", "stat_prefix": "web",
               "codec_type": "HTTP1",
               "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}]},
               "http_filters": [{"name": "router", "typed_config": {"@type": f"{x}.filters.http.router.v3.Router"}}]}
    listeners = []
    for name, port in PORTS.items():
        chain = {"filters": [{"name": "http", "typed_config": manager}]}
        if name in keys:
            files = {k: {"filename": path} for k, path in zip(("certificate_chain", "private_key"), keys[name])}
            chain["transport_socket"] = {"name": "tls", "typed_config": {
                "@type": f"{x}.transport_sockets.tls.v3.DownstreamTlsContext",
                "common_tls_context": {"tls_certificates": [files]}}}
        listeners.append({"name": name, "address": {"socket_address": {"address": peers.FRONT, "port_value": port}},
                          "filter_chains": [chain]})
    ends = [{"endpoint": {"address": {"socket_address": {"address": a, "port_value": p}}}} for a, p in backends(l)]
    cluster = {"name": "servers", "type": "STATIC", "load_assignment": {
        "cluster_name": "servers", "endpoints": [{"lb_endpoints": ends}]}}
    text = json.dumps({"static_resources": {"listeners": listeners, "clusters": [cluster]}})
    return text, [rivals.envoy_program(), "--concurrency", "1", "--disable-hot-restart", "-l", "critical", "-c"]


def start(l, kind, keys, under=(), limit_s=10):
    """The peer as a process that answers. `keys`: (certificate file, key file) by the names of PORTS; `under`: a
    command line that runs it."""
    where = os.path.join(l.dir, f"tls-{kind}")
    os.makedirs(where, exist_ok=True)
    text, argv = {"nginx": nginx, "haproxy": haproxy, "envoy": envoy}[kind](l, where, keys)
    path = os.path.join(where, "config.json" if kind == "envoy" else "config")
    with open(path, "w") as f:
        f.write(text)
    started = l.start(f"tls-{kind}", "peer", "taskset", "-c", peers.CPU, *under, *argv, path)
    url = f"http://{peers.FRONT}/"
    started.wait_ready(lambda: l.curl(url, address=peers.FRONT, timeout=2)[0] == 200, "answer", limit_s)
    return started
