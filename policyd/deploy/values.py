"""How single values of `policyd.toml` are written: durations, sizes, networks, URLs, secrets, certificates.

Each function takes what TOML read and returns what it means, or raises `PydanticCustomError` whose type is the kind of
mistake (see `complaints`) and whose message is a whole sentence. Those that look outside the file (a secret, a
certificate, the time zones) take what they may look at from the validation's context.
"""

import ipaddress
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from policyd.deploy.addresses import NEVER_PRIVATE
from policyd.deploy.headers import RESERVED, is_header_name, is_header_value
from policyd.deploy.model import Credential, Endpoint, Network, Secret

__all__ = [
    "UNSENDABLE", "Missing", "Surroundings", "address", "certificate_authority", "credential", "duration", "endpoint", "header_map", "network", "pause", "pin", "private_network",
    "api_version", "fits_a_path", "prefix", "request_path", "scalar", "sha256", "size", "why_unread", "zone",
]  # fmt: skip

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE: Final = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB|kB|MB|GB)")
_BYTES: Final = {
    "B": 1,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "kB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
}
_REQUEST_PATH: Final = re.compile(r"/|(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")
_HEX: Final = re.compile(r"[0-9a-f]{64}")
_PREFIX: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~-]+)*")
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_STYLES: Final = ("bearer", "x-api-key", "api-key")


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a secret cannot be had. `absent`: there is none here, which elsewhere may be different."""

    message: str
    absent: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a deployment file may refer to: the environment, and files relative to its own folder. Reading the file fills
    in which files were looked at and, by its reference, why a secret could not be had: that must not hide other mistakes."""

    environ: Mapping[str, str]
    folder: Path
    files: list[str] = field(default_factory=list)
    missing: dict[tuple[str, str], Missing] = field(default_factory=dict)

    def read(self, where: str, encoding: str) -> str:
        path = self.folder / where
        self.files.append(str(path.absolute()))
        return path.read_text(encoding=encoding)


UNSENDABLE: Final = "\0"
"""Stands for a secret that cannot be had. No header can hold it, and the gate refuses a head with it."""


def _surroundings(info: ValidationInfo) -> Surroundings:
    return cast(Surroundings, info.context)


def _wrong(message: str, kind: str = "value") -> PydanticCustomError:
    # The braces of a value must not be read as pydantic's own placeholders.
    return PydanticCustomError(kind, "{sentence}", {"sentence": message})


def duration(value: Any) -> float:
    """Seconds, from `"500ms"`, `"30s"`, `"2m"` or a number of seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    else:
        found = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise _wrong(f'`{value}` is not a duration: write `"30s"`, `"500ms"`, `"2m"` or seconds')
        seconds = float(found.group(1)) * _SECONDS[found.group(2)]
    if not 0 < seconds <= 86_400:
        raise _wrong(f"`{value}` is not a duration above 0 and up to a day")
    return seconds


def pause(value: Any) -> float:
    """A duration that may be nothing: `0` or `"0s"`."""
    return 0.0 if value in (0, "0s") and not isinstance(value, bool) else duration(value)


def request_path(value: Any) -> str:
    """What a request below a target's URL asks for: a path without a query."""
    if not isinstance(value, str) or not _REQUEST_PATH.fullmatch(value):
        raise _wrong('a path begins with `/` and has no query, no `%`, and no `.` or `..`: write `"/health"`')
    return value


def size(value: Any) -> int:
    """Bytes, from `"32MiB"`, `"32MB"` (of a thousand each) or a number of bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise _wrong(f'`{value}` is not a size: write `"32MiB"`, `"64KiB"` or bytes')
        number = int(found.group(1)) * _BYTES[found.group(2)]
    if not 0 < number <= 4 * 1024**3:
        raise _wrong(f"`{value}` is not a size above 0 and up to 4GiB")
    return number


def scalar(value: Any) -> str | int | bool:
    """A feature's value."""
    if isinstance(value, str | int | bool):
        return value
    raise _wrong("a feature's value is a string, a whole number, or true or false")


def address(value: Any) -> str:
    try:
        if value != "localhost":
            ipaddress.ip_address(value if isinstance(value, str) else "")
    except ValueError:
        raise _wrong(
            f"`{value}` is not an address to listen on: write `127.0.0.1`, `::1` or another of this machine"
        ) from None
    return str(value)


def prefix(value: Any) -> str:
    """What stands before every path that is served. Letters, digits and `._~-` only: no server or client writes those in
    two ways."""
    bare = value.rstrip("/") if isinstance(value, str) else None
    if bare is None or not _PREFIX.fullmatch(bare):
        raise _wrong(f'`{value}` is not a prefix of paths: write `"/llm"`, with letters, digits and `._~-`')
    return bare


def api_version(value: Any) -> str:
    if not isinstance(value, str) or not fits_a_path(value):
        raise _wrong(f'`{value}` is not a version of an API: write one like `"2024-10-21"` or `"preview"`')
    return value


def fits_a_path(name: str) -> bool:
    """Whether a name can stand in a path in one way only."""
    return _NAME.fullmatch(name) is not None


def network(value: Any) -> Network:
    try:
        found = ipaddress.ip_network(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        raise _wrong(f'`{value}` is not a network: write `"10.1.0.0/16"`, with no bits set behind the mask')
    if found.prefixlen == 0:
        raise _wrong(f"`{value}` is every address there is, which says nothing about where a machine stands")
    return found


def private_network(value: Any) -> Network:
    """A network in which a provider's name may lie. Never this machine or its metadata."""
    found = network(value)
    for never in NEVER_PRIVATE:
        if found.version == never.version and found.overlaps(never):
            raise _wrong(
                f"`{value}` holds {never}, where no provider is: it is this machine, or what tells its credentials"
            )
    return found


def zone(value: Any) -> str:
    try:
        if value != "UTC":  # known even where the machine has no time zone data
            ZoneInfo(value)
    except (OSError, ValueError, TypeError, KeyError):
        raise _wrong(f'`{value}` is not a time zone: write one like `"Europe/Berlin"` or `"UTC"`') from None
    return str(value)


def sha256(value: Any) -> str:
    if not isinstance(value, str) or not _HEX.fullmatch(value.lower()):
        raise _wrong("this is not a SHA-256 in hex (64 digits); `policyd.deploy.keys.hash_key` makes one")
    return value.lower()


def pin(value: Any) -> tuple[str, ...]:
    """One or several fingerprints; colons between the digits are fine, as `openssl x509 -fingerprint` prints them."""
    written = value if isinstance(value, list) else [value]
    pins = tuple(p.replace(":", "").lower() if isinstance(p, str) else "" for p in written)
    if not pins or not all(_HEX.fullmatch(p) for p in pins):
        raise _wrong("a pin is the SHA-256 in hex (64 digits) of a certificate or of its public key")
    return pins


def endpoint(value: Any, *, whose: str = "a target's URL", socket: bool = True) -> Endpoint:
    """A URL: `https://host[:port][/prefix]`, `http://…` or `unix:/path/to.sock`. `whose` names it in what
    is told; without `socket` it is no socket's path."""
    if not isinstance(value, str) or not value.isascii() or any(c.isspace() or ord(c) < 32 for c in value):
        raise _wrong("a URL is a string of ASCII characters without spaces", "url")
    if socket and value.startswith("unix:"):
        path = "/" + value.removeprefix("unix:").lstrip("/")
        if path == "/":
            raise _wrong("a socket needs its path: `unix:/run/model.sock`", "url")
        return Endpoint("unix", path, 0)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise _wrong(f"this is not a URL: {error}", "url") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        schemes = "`https://`, `http://` or `unix:`" if socket else "`https://` or `http://`"
        raise _wrong(f"{whose} begins with {schemes}", "url")
    if parts.username is not None or parts.password is not None:
        raise _wrong("a URL may not hold a user or a password: use `credential`", "secret_literal")
    if parts.query or parts.fragment or "?" in value or "#" in value:
        raise _wrong(f"{whose} has no query and no fragment", "url")
    prefix = parts.path.rstrip("/")
    if prefix and not re.fullmatch(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._~!$&'()*+,;=:@-]+)+", prefix):
        raise _wrong(f"`{prefix}` is not a plain path", "url")
    if port == 0:
        raise _wrong("port 0 is no port", "url")
    https = parts.scheme == "https"
    return Endpoint("https" if https else "http", parts.hostname, port or (443 if https else 80), prefix)


def credential(value: Any, info: ValidationInfo) -> Credential:
    """`{ env = "NAME" }` or `{ file = "path" }`, with an optional `style`."""
    if not isinstance(value, dict):
        raise _wrong(
            'a secret is not written here but referred to: `{ env = "NAME" }` or `{ file = "path" }`',
            "secret_literal",
        )
    unknown = sorted(set(value) - {"env", "file", "style"})
    if unknown:
        raise _wrong(
            f"`{unknown[0]}` is not part of a credential: it has `env` or `file`, and `style`",
            "secret_literal",
        )
    style = value.get("style", "bearer")
    if style not in _STYLES:
        raise _wrong(f"`{style}` is not a style of a credential: bearer, x-api-key or api-key")
    sources = [key for key in ("env", "file") if key in value]
    if len(sources) != 1 or not isinstance(value[sources[0]], str):
        raise _wrong("a credential comes from one of `env` and `file`")
    source, where = sources[0], str(value[sources[0]])
    surroundings = _surroundings(info)
    secret = _fetch(source, where, surroundings)
    if isinstance(secret, Missing):
        surroundings.missing[source, where] = secret
        secret = Secret(f"{source} {where}", UNSENDABLE)
    return Credential(style, secret)


def _fetch(source: str, where: str, surroundings: Surroundings) -> Secret | Missing:
    if source == "env":
        origin = f"environment variable {where}"
        shown = f"the environment variable `{where}`"
        text = surroundings.environ.get(where)
        if text is None:
            return Missing(f"{shown} is not set", absent=True)
    else:
        origin = f"file {where}"
        shown = f"the file `{where}`"
        try:
            text = surroundings.read(where, "utf-8")
        except (OSError, ValueError) as error:
            absent = isinstance(error, FileNotFoundError)
            return Missing(f"{shown} cannot be read: {why_unread(error)}", absent=absent)
    text = text.strip()
    if not text:
        return Missing(f"{shown} is empty", absent=False)
    if not is_header_value(text):
        said = "holds what cannot be sent in a header (line breaks or characters beyond ASCII)"
        return Missing(f"{shown} {said}", absent=False)
    return Secret(origin, text)


def why_unread(error: OSError | ValueError) -> str:
    """Why a file cannot be read, for a person."""
    match error:
        case FileNotFoundError():
            return "there is no such file"
        case PermissionError():
            return "you may not read it"
        case IsADirectoryError():
            return "it is a folder"
        case UnicodeError():
            return "it is not text"
        case OSError() if error.strerror:
            return error.strerror[0].lower() + error.strerror[1:]
        case _:
            return "its name is not possible"


def certificate_authority(value: Any, info: ValidationInfo) -> str:
    """The PEM text of the file."""
    if not isinstance(value, str):
        raise _wrong("`ca` is the path of a PEM file")
    try:
        text = _surroundings(info).read(value, "ascii")
    except (OSError, ValueError) as error:
        raise _wrong(f"`{value}` cannot be read: {why_unread(error)}") from None
    try:
        ssl.create_default_context(cadata=text)
    except (ssl.SSLError, ValueError):
        raise _wrong(f"`{value}` holds no certificate in PEM") from None
    return text


def header_map(value: Any) -> tuple[tuple[str, str], ...]:
    """Headers added to every request of a target."""
    if not isinstance(value, dict):
        raise _wrong('headers are a table: `{ "x-name" = "value" }`')
    pairs: list[tuple[str, str]] = []
    for name, text in value.items():
        if not is_header_name(name) or not isinstance(text, str) or not is_header_value(text):
            raise _wrong(f"`{name}` is not a header with a value that can be sent")
        if name.lower() in RESERVED:
            raise _wrong(f"`{name}` is a header that policyd writes itself; a key belongs into `credential`")
        pairs.append((name.lower(), text))
    return tuple(pairs)
