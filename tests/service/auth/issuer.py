"""An OpenID Connect issuer on loopback: it knows one person, and can be made to lie."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "waferscope", "a client's secret"
CODE = "the-code"


def new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@dataclass
class Issuer:
    """``claims`` go over the right ones of the token; ``asked`` is what the browser brought."""

    url: str
    key: rsa.RSAPrivateKey
    signing_key: rsa.RSAPrivateKey
    claims: dict[str, Any] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    name: str = ""

    def visit(self, address: str) -> dict[str, str]:
        """Be the browser that was sent here; return what it is sent back with."""
        self.asked = {name: one[0] for name, one in parse_qs(urlsplit(address).query).items()}
        return {"code": CODE, "state": self.asked["state"]}

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest())
        if challenge.decode().rstrip("=") != self.asked["code_challenge"] or form["code"] != CODE:
            return {"error": "invalid_grant"}
        right = {
            "iss": self.url,
            "sub": "42",
            "aud": CLIENT_ID,
            "iat": int(time.time()),
            "exp": int(time.time()) + 60,
            "nonce": self.asked["nonce"],
            "preferred_username": "Ada Lovelace",
            "email": "ada@fab.example",
        }
        claims = {name: one for name, one in {**right, **self.claims}.items() if one is not None}
        headers = {"kid": "k1"}
        signed = jwt.encode(claims, self.signing_key, algorithm="RS256", headers=headers)
        return {"access_token": "at", "token_type": "Bearer", "id_token": signed}

    def page(self, path: str) -> dict[str, Any]:
        if path == "/keys":
            public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
            return {"keys": [{**public, "kid": "k1", "use": "sig", "alg": "RS256"}]}
        return {
            "issuer": self.name or self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
        }


@contextmanager
def issuing() -> Iterator[Issuer]:
    """An issuer that answers on loopback."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer(issuer.page(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: one[0] for name, one in parse_qs(body).items()}
            said = issuer.token(form)
            self.answer(said, 400 if "error" in said else 200)

        def answer(self, content: dict[str, Any], status: int = 200) -> None:
            body = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    key = new_key()
    issuer = Issuer(f"http://127.0.0.1:{server.server_address[1]}", key, key)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
