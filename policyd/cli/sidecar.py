"""The policy that a running sidecar serves, asked for at its admin address.

In comes the address; out comes a `Served`: the texts of the policy's files, the day they were read for and the digest
that the sidecar gives its decisions, or a diagnostic that says why there is none. What is read here is loaded like any
file; whether it means what the sidecar says is for the caller to see by the digest. It changes nothing at the sidecar,
follows no redirect and uses no proxy.
"""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from policyd.resolve.reading import Held
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["Served", "ask_sidecar", "served_digest"]

_SECONDS: Final = 20.0
_LARGEST: Final = 256 * 1024 * 1024
_KINDS: Final[Mapping[str, type[HTTPConnection]]] = {"http": HTTPConnection, "https": HTTPSConnection}
_HELP: Final = "give the admin address that `policyd serve` prints, such as `http://127.0.0.1:8485`"


@dataclass(frozen=True, slots=True)
class Served:
    """What a sidecar serves. `root` names the policy among `files`; `version` is the sidecar's policyd."""

    address: str
    digest: str
    today: date
    root: Path
    files: Held
    version: str


class _Trouble(Exception):
    """The sidecar's answer is none; the message says why."""


def ask_sidecar(address: str) -> Served | Diagnostic:
    """The policy that serves now, with its texts."""
    try:
        document = _get(address, "/policy/source")
        return _served(address, document)
    except _Trouble as trouble:
        return _diagnostic(address, str(trouble))


def served_digest(address: str) -> str | Diagnostic:
    """The digest of the policy that serves now."""
    try:
        return _text(_get(address, "/policy"), "digest")
    except _Trouble as trouble:
        return _diagnostic(address, str(trouble))


def _served(address: str, document: dict[str, object]) -> Served:
    if document.get("format") != 1:
        raise _Trouble(f"its answer has the format {document.get('format')!r}, and this policyd reads 1")
    files = document.get("files")
    if not isinstance(files, list) or not all(isinstance(f, dict) for f in files):
        raise _Trouble("its answer has no `files`")
    try:
        today = date.fromisoformat(_text(document, "today"))
    except ValueError:
        raise _Trouble("its answer has no date in `today`") from None
    texts: dict[str, str | bytes] = {_text(f, "name"): _text(f, "text") for f in files}
    return Served(
        address,
        _text(document, "digest"),
        today,
        Path(_text(document, "root")),
        Held(texts),
        _text(document, "policyd"),
    )


def _text(document: dict[str, object], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str):
        raise _Trouble(f"its answer has no `{key}`")
    return value


def _get(address: str, path: str) -> dict[str, object]:
    """The JSON object at a path of the sidecar."""
    connection = _connection(address)
    try:
        connection.connect()
        # The sidecar gives nothing to who calls it by a name, which a web page could make its own.
        connection.request(
            "GET", path, headers={"Host": _peer(connection.sock), "Accept": "application/json"}
        )
        answer = connection.getresponse()
        body = answer.read(_LARGEST + 1)
    except TimeoutError:
        raise _Trouble(f"it does not answer within {_SECONDS:.0f} seconds") from None
    except (OSError, HTTPException) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise _Trouble(why[0].lower() + why[1:]) from None
    finally:
        connection.close()
    if answer.status != 200:
        raise _Trouble(f"it answers {answer.status} at `{path}`, so it is no sidecar's admin address")
    try:
        document = json.loads(body) if len(body) <= _LARGEST else None
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _Trouble("its answer is not a JSON object")
    return document


def _connection(address: str) -> HTTPConnection:
    if address.startswith("unix:"):
        return _UnixConnection(address.removeprefix("unix:"))
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        kind = _KINDS.get(parts.scheme)
        if kind is not None and parts.hostname and not parts.path.strip("/") and not parts.query:
            return kind(parts.hostname, parts.port, timeout=_SECONDS)
    except (ValueError, HTTPException):
        pass
    raise _Trouble("this is no address")


def _peer(sock: socket.socket) -> str:
    if sock.family == socket.AF_UNIX:
        return "localhost"
    host, port = sock.getpeername()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class _UnixConnection(HTTPConnection):
    """HTTP over a socket file."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(_SECONDS)
        self.sock.connect(self._path)


def _diagnostic(address: str, why: str) -> Diagnostic:
    return Diagnostic("PD009", Severity.ERROR, f"cannot ask the sidecar at `{address}`: {why}", None, _HELP)
