# SPDX-License-Identifier: Apache-2.0
"""A real sluice-mgmtd with directories of its own, and a client for it: standard library only."""
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lab"))
import kept  # noqa: E402 (its folder is known only now)

START_LIMIT_S = 30
HOST = "127.0.0.1"


def free_port():
    with socket.socket() as s:
        s.bind((HOST, 0))
        return s.getsockname()[1]


class Mgmtd:
    def __init__(self, program):
        self.program = program
        self.dir = tempfile.mkdtemp(prefix="sluice-mgmt-test.")
        self.state_dir = os.path.join(self.dir, "state")
        self.token_file = os.path.join(self.dir, "token")
        self.log_path = os.path.join(self.dir, "log")
        self.port = free_port()
        self.process = None
        os.makedirs(os.path.join(self.dir, "run"))

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "--run-dir", os.path.join(self.dir, "run"), "--state-dir", self.state_dir, "--listen",
                 f"{HOST}:{self.port}", "--bootstrap-token-file", self.token_file], stdout=log, stderr=log)
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"sluice-mgmtd ended: {self.log()}")
            try:
                if self.client(token=None).raw("GET", "/readyz")[0] == 200:
                    return self
            except (OSError, http.client.HTTPException):
                time.sleep(0.02)
        raise RuntimeError("sluice-mgmtd does not answer")

    def kill(self):
        """As power failure would, as far as a process can tell."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def remove(self):
        if self.process and self.process.poll() is None:
            self.kill()
        shutil.rmtree(self.dir)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def audit(self):
        with open(os.path.join(self.state_dir, "audit.log")) as f:
            return [json.loads(line) for line in f]

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGESIZE")

    @property
    def ca_file(self):
        return os.path.join(self.state_dir, "tls", "server.crt")

    @property
    def token(self):
        with open(self.token_file) as f:
            return f.read().strip()

    def client(self, token=""):
        return Client(self, self.token if token == "" else token)


class Client(kept.Kept):
    def __init__(self, mgmtd, token):
        self.mgmtd = mgmtd
        self.token = token

    def connect(self):
        context = ssl.create_default_context(cafile=self.mgmtd.ca_file)
        self.connection = http.client.HTTPSConnection(HOST, self.mgmtd.port, timeout=30, context=context)
        self.connection.connect()
        return self.connection

    def headers(self, **more):
        headers = {k.replace("_", "-"): v for k, v in more.items()}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def raw(self, method, path, body=None, content_type="application/json", **headers):
        """(status, headers, bytes) of one request on a kept connection."""
        return self.request(method, path, body, self.headers(**headers), content_type)

    def call(self, method, path, body=None, content_type="application/json", **headers):
        """(status, decoded body)."""
        status, _, text = self.raw(method, path, body, content_type, **headers)
        return status, json.loads(text) if text else None

    def ok(self, method, path, body=None, content_type="application/json", **headers):
        """The decoded body of a 2xx answer."""
        status, said = self.call(method, path, body, content_type, **headers)
        assert 200 <= status < 300, (method, path, status, said)
        return said

    def refused(self, code, reason, method, path, body=None, content_type="application/json", **headers):
        """The Status of an answer that must be this refusal."""
        status, said = self.call(method, path, body, content_type, **headers)
        assert status == code, (method, path, status, said)
        assert (said["kind"], said["apiVersion"], said["status"]) == ("Status", "v1", "Failure"), said
        assert (said["reason"], said["code"]) == (reason, code), said
        assert said["message"], said
        return said

    def watch(self, path, **params):
        """A generator of (type, object)."""
        query = "&".join(["watch=true", *(f"{k}={v}" for k, v in params.items())])
        client = Client(self.mgmtd, self.token)
        connection = client.connect()
        connection.request("GET", f"{path}?{query}", headers=client.headers())
        answer = connection.getresponse()
        if answer.status != 200:
            raise AssertionError((answer.status, answer.read()))
        return Watch(client, answer)


class Watch:
    def __init__(self, client, answer):
        self.client = client
        self.answer = answer

    def next(self):
        """(type, object), or None at its end."""
        line = self.answer.readline()
        if not line:
            return None
        event = json.loads(line)
        return event["type"], event["object"]

    def close(self):
        self.client.close()
