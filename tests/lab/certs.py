# SPDX-License-Identifier: Apache-2.0
"""Certificates for the tests, made by openssl: a CA, and servers' certificates of it, as files."""
import os
import subprocess

KEYS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}


def openssl(*argv):
    subprocess.run(["openssl", *argv], check=True, capture_output=True, timeout=60)


class Authority:
    """A CA whose files lie in `folder`; `ca` is what clients trust."""

    def __init__(self, folder, name="ca"):
        self.folder = folder
        self.ca, self._key = self.path(f"{name}.crt"), self.path(f"{name}.key")
        openssl("req", "-x509", "-nodes", "-days", "2", "-subj", f"/CN={name}", *KEYS["ec"], "-keyout", self._key,
                "-out", self.ca, "-addext", "basicConstraints=critical,CA:TRUE")

    def path(self, name):
        return os.path.join(self.folder, name)

    def server(self, label, *names, key="ec", addresses=()):
        """(certificate, key) as PEM texts for these names, of hosts or URIs, and addresses; other files of that label
        are written over."""
        crt, private, csr, ext = (self.path(f"{label}.{end}") for end in ("crt", "key", "csr", "ext"))
        with open(ext, "w", encoding="ascii") as f:
            told = [f"{'URI' if '://' in n else 'DNS'}:{n}" for n in names] + [f"IP:{a}" for a in addresses]
            f.write("subjectAltName=" + ",".join(told) + "\n")
        openssl("req", "-nodes", "-subj", f"/CN={label}", *KEYS[key], "-keyout", private, "-out", csr)
        openssl("x509", "-req", "-in", csr, "-CA", self.ca, "-CAkey", self._key, "-CAcreateserial", "-days", "2",
                "-extfile", ext, "-out", crt)
        return tuple(_text(p) for p in (crt, private))

    def pair(self, label):
        """The paths of certificate and key of that label, which were made."""
        return self.path(f"{label}.crt"), self.path(f"{label}.key")

    def client(self, label):
        """What curl shows as a client of that name, as its options; the files are made anew."""
        self.server(label, f"{label}.client.example")
        return ["--cert", self.path(f"{label}.crt"), "--key", self.path(f"{label}.key")]

    def text(self):
        """The CA's certificate."""
        return _text(self.ca)

    def staple(self, label):
        """What this CA says of the certificate that server() made last under that label: an OCSP response, DER."""
        crt, index, out = (self.path(f"{label}.{end}") for end in ("crt", "index", "ocsp"))
        serial = subprocess.run(["openssl", "x509", "-in", crt, "-noout", "-serial"], check=True, capture_output=True,
                                text=True, timeout=60).stdout.strip().partition("=")[2]
        with open(index, "w", encoding="ascii") as f:
            f.write(f"V\t400101000000Z\t\t{serial}\tunknown\t/CN={label}\n")
        openssl("ocsp", "-index", index, "-CA", self.ca, "-rsigner", self.ca, "-rkey", self._key, "-issuer", self.ca,
                "-cert", crt, "-ndays", "1", "-respout", out)
        with open(out, "rb") as f:
            return f.read()


def _text(path):
    with open(path, encoding="ascii") as f:
        return f.read()
