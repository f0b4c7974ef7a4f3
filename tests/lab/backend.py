# SPDX-License-Identifier: Apache-2.0
"""Real HTTP servers behind the appliance, and curl in front of it."""
import json
import os
import socket
import urllib.parse

import process

PORT = 8080

NGINX_CONFIG = """
daemon off; master_process off; worker_processes 1; pid {dir}/nginx.pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_timeout 60s; keepalive_requests 1000000; server_tokens off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    default_type text/plain; sendfile on; client_max_body_size 0;
    server {{
        listen {port} backlog=1024; listen [::]:{port} backlog=1024; server_name {name};
        add_header X-Backend {name} always;
        location / {{ {location} }}
        location /files/ {{ alias {files}/; }}
    }}
}}
"""


class Server:
    """What all backends share: a process in a namespace that listens on PORT."""

    def __init__(self, lab, name):
        self.lab = lab
        self.name = name
        self.process = None
        self.start()

    def is_listening(self):
        try:
            self.lab[self.name].connect("127.0.0.1", PORT, timeout=1).close()
            return True
        except OSError:
            return False

    def wait_ready(self):
        self.process.wait_ready(self.is_listening, "answer", 10)


class Nginx(Server):
    """nginx: small answers that name the backend, and files under /files/."""

    location = 'return 200 "{name} answers $request_method $request_uri for $host; My-Header: $http_my_header\\n";'

    def start(self):
        where = os.path.join(self.lab.dir, f"nginx-{self.name}")
        files = os.path.join(self.lab.dir, "files")
        os.makedirs(where, exist_ok=True)
        os.makedirs(files, exist_ok=True)
        os.chmod(self.lab.dir, 0o755)  # nginx drops its rights
        config = os.path.join(where, "nginx.conf")
        with open(config, "w") as f:
            f.write(NGINX_CONFIG.format(dir=where, port=PORT, name=self.name, files=files,
                                        location=self.location.format(name=self.name)))
        self.process = self.lab.start(f"nginx-{self.name}", self.name, "nginx", "-p", where, "-c", config,
                                      "-e", "stderr")


class Origin(Server):
    """origin.py: answers with what it was asked, and misbehaves on request."""

    def start(self):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "origin.py")
        self.process = self.lab.start(f"origin-{self.name}", self.name, "python3", program, self.name, str(PORT))


class SecureOrigin(Server):
    """The same by TLS, with the certificate of one of `certificates` (a pair of files by backend's name); where
    `client_ca` is a file, clients have to show a certificate of that CA."""

    certificates = {}
    client_ca = {}

    def start(self):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "origin.py")
        more = [self.client_ca[self.name]] if self.name in self.client_ca else []
        self.process = self.lab.start(f"origin-{self.name}", self.name, "python3", program, self.name, str(PORT),
                                      *self.certificates[self.name], *more)


class Recorder(Server):
    """recorder.py: writes down each request that it is sent, or what is wrong with it."""

    def start(self):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "recorder.py")
        self.path = os.path.join(self.lab.dir, f"recorded-{self.name}")
        self.process = self.lab.start(f"recorder-{self.name}", self.name, "python3", program, str(PORT), self.path)

    def recorded(self):
        """All of it, the oldest first."""
        return lines_of(self.path)


class Patient(Server):
    """patient.py: can fall ill, and writes down each health check."""

    def start(self):
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "patient.py")
        self.path = os.path.join(self.lab.dir, f"patient-{self.name}")
        self.be("200")
        self.process = self.lab.start(f"patient-{self.name}", self.name, "python3", program, self.name, str(PORT),
                                      self.path)

    def be(self, health):
        """What health checks are answered from now on: a status, or "hang"."""
        with open(f"{self.path}.new", "w", encoding="ascii") as f:
            f.write(health)
        os.replace(f"{self.path}.new", f"{self.path}.health")

    def checks(self):
        """All HTTP checks that it was sent, the oldest first."""
        return [line for line in lines_of(self.path) if "target" in line]

    def calls(self):
        """All gRPC checks that it was sent."""
        return [line for line in lines_of(self.path) if "service" in line]

    def visits(self):
        """All connections on which it was asked nothing."""
        return [line for line in lines_of(self.path) if "reset" in line]


def lines_of(path):
    """The objects of a file of one each line, as far as it is written."""
    try:
        with open(path, encoding="ascii") as f:
            return [json.loads(line) for line in f if line.endswith("\n")]
    except FileNotFoundError:
        return []


def curl(namespace, url, *options, address=None, timeout=15):
    """One request: (status, headers in lower case, body as bytes). Status 0: no answer, `body` is curl's reason."""
    resolve = []
    if address:
        parts = urllib.parse.urlsplit(url)
        literal = f"[{address}]" if ":" in address else address
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        resolve = ["--resolve", f"{parts.hostname}:{port}:{literal}"]
    done = namespace.run("curl", "-sS", "-i", "--max-time", str(timeout), *resolve, *options, url,
                         timeout=timeout + 5, text=False)
    if done.returncode != 0:
        return 0, {}, done.stderr.strip()
    return split_answer(done.stdout)


def split_answer(raw):
    """The last answer in what curl -i printed: 100 Continue and the like come before it."""
    while True:
        head, _, rest = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        if status >= 200:
            break
        raw = rest
    headers = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        key = name.strip().lower()
        headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return status, headers, rest


def echoed(body):
    """What origin.py's /echo says it was asked."""
    try:
        return json.loads(body)
    except ValueError:
        raise process.Failed(f"no echo: {body[:200]!r}") from None


def request_bytes(sock, data, until, limit=1 << 20):
    """Sends raw bytes, then reads until `until(received)` holds, the peer closes, or it takes too long."""
    sock.sendall(data)
    received = b""
    while not until(received) and len(received) < limit:
        try:
            chunk = sock.recv(65536)
        except (socket.timeout, ConnectionError):
            break
        if not chunk:
            break
        received += chunk
    return received
