"""Values that detectors find, put together here so that no file holds one, and requests that hold them."""

import base64
import json
from typing import Any

from policyd.detect.scanner import Scanner
from policyd.redact.redacted import Redacted, redacted
from policyd.traffic.body import Body, read_body
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request

AWS = "AKIA" + "QYLPMN5HHHFPZAM2"
GITHUB = "ghp_" + "Zx81mQpLr7vTn2KcWy40bHs9JdFgUeAo3iXq"
CARD = "4111 1111 1111 1111"
PASSWORD = "hJ8#" + "kq2Lm9!xQz41vR"
KEY_LINES = "\n".join(["MIIEpAIBAAKCAQEAtY1b7k2XwQ9sZr0vF3nL8cJm5uTgHd4yKeR6aPqWxBoNiVfD"] * 4)
PRIVATE = f"-----BEGIN RSA {'PRIVATE'} KEY-----\n{KEY_LINES}\n-----END RSA {'PRIVATE'} KEY-----"

NAMES = ("card-number", "private-key", "secret")
KEY = b"a key of thirty-two characters, and more"

SCANNER = Scanner()


def body_of(request: Any) -> Body:
    body = read_body(json.dumps(request).encode(), "application/json", None)
    assert isinstance(body, Body)
    return body


def redact(
    endpoint: EndpointName, request: Any, names: tuple[str, ...] = NAMES, key: bytes = KEY
) -> Redacted:
    body = body_of(request)
    return redacted(endpoint, body, read_request(endpoint, body.parsed), names, SCANNER, key)


def forms_of(value: str) -> list[bytes]:
    """The ways in which a value could still be in bytes."""
    plain = value.encode()
    once = json.dumps(value)[1:-1]
    return [
        plain,
        once.encode(),
        json.dumps(once)[1:-1].encode(),
        base64.b64encode(plain).rstrip(b"=")[:-2],
        value.replace(" ", "").encode(),
        value.replace(" ", "-").encode(),
        value.replace(" ", "%20").encode(),
    ]


def assert_gone(raw: bytes, *values: str) -> None:
    for value in values:
        for form in forms_of(value):
            assert form not in raw, f"{form!r} is in the bytes"
