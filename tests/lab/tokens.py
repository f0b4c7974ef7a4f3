# SPDX-License-Identifier: Apache-2.0
"""JSON Web Tokens for the tests, signed by openssl, and the JWK Sets of their keys."""
import base64
import hashlib
import hmac
import json
import os
import subprocess


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def part(value):
    return b64(json.dumps(value).encode())


def openssl(*argv, data=None):
    return subprocess.run(["openssl", *argv], input=data, check=True, capture_output=True, timeout=60).stdout


class Key:
    """A key of an issuer: "RS256" or "ES256". Its files lie in `folder`."""

    def __init__(self, folder, kid, alg):
        self.kid, self.alg = kid, alg
        self.path = os.path.join(folder, f"{kid}.pem")
        kind, option = ("RSA", "rsa_keygen_bits:2048") if alg == "RS256" else ("EC", "ec_paramgen_curve:P-256")
        openssl("genpkey", "-algorithm", kind, "-pkeyopt", option, "-out", self.path)

    def public(self):
        """SubjectPublicKeyInfo, DER."""
        return openssl("pkey", "-in", self.path, "-pubout", "-outform", "DER")

    def jwk(self):
        if self.alg == "RS256":
            modulus = openssl("rsa", "-in", self.path, "-noout", "-modulus").decode().strip().split("=")[1]
            return {"kty": "RSA", "kid": self.kid, "use": "sig", "n": b64(bytes.fromhex(modulus)), "e": "AQAB"}
        x, y = self.public()[-64:-32], self.public()[-32:]  # where P-256 has its point
        return {"kty": "EC", "crv": "P-256", "kid": self.kid, "alg": "ES256", "x": b64(x), "y": b64(y)}

    def sign(self, text):
        signature = openssl("dgst", "-sha256", "-sign", self.path, data=text.encode())
        return signature if self.alg == "RS256" else _numbers(signature)

    def token(self, claims, **header):
        text = part({"alg": self.alg, "kid": self.kid, "typ": "JWT", **header}) + "." + part(claims)
        return f"{text}.{b64(self.sign(text))}"

    def forged(self, claims):
        """HS256 with the bytes of the public key, which everybody has."""
        text = part({"alg": "HS256", "kid": self.kid}) + "." + part(claims)
        return f"{text}.{b64(hmac.new(self.public(), text.encode(), hashlib.sha256).digest())}"


def unsigned(claims):
    return part({"alg": "none"}) + "." + part(claims) + "."


def _numbers(der):
    """The two numbers of a signature of ECDSA, 32 bytes each."""
    first = der[4:4 + der[3]]
    second = der[6 + der[3]:]
    return b"".join(int.from_bytes(n, "big").to_bytes(32, "big") for n in (first, second))


def key_set(*keys):
    return json.dumps({"keys": [k.jwk() for k in keys]})
