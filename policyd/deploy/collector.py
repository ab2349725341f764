"""How single values of `[telemetry]` are written: where the collector is, what is shown to it, and how this process is named.

Like `values`: each function takes what TOML read and returns what it means, or raises a `PydanticCustomError`.
"""

import re
from typing import Any, Final

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from policyd.deploy.headers import CREDENTIALS, RESERVED, is_header_name
from policyd.deploy.model import Endpoint, Secret
from policyd.deploy.values import credential, endpoint

__all__ = ["collector", "is_in_the_clear", "resource", "secret_headers"]

_ATTRIBUTE: Final = re.compile(r"[a-z][a-z0-9_.]{0,127}")
_MOST_ATTRIBUTES: Final = 32
_SIGNAL: Final = re.compile(r"/v1(?:/(?:traces|metrics|logs))?$")


def collector(value: Any) -> Endpoint:
    """The base URL of an OTLP/HTTP collector: `/v1/traces` and `/v1/metrics` come behind it."""
    found = endpoint(value, whose="a collector's URL", socket=False)
    signal = _SIGNAL.search(found.prefix)
    if signal is not None:
        said = f"`{signal.group()}` would be there twice: policyd adds it itself, so leave it out"
        raise _wrong(said, "url")
    return found


def secret_headers(value: Any, info: ValidationInfo) -> tuple[tuple[str, Secret], ...]:
    """Headers by name, each `{ env = "NAME" }` or `{ file = "path" }`."""
    if not isinstance(value, dict):
        raise _wrong('headers are a table: `{ "x-api-key" = { env = "NAME" } }`')
    pairs: list[tuple[str, Secret]] = []
    for name, written in value.items():
        if not is_header_name(name) or name.lower() in RESERVED - CREDENTIALS | {"content-type"}:
            raise _wrong(f"`{name}` is no header that can be set here")
        if isinstance(written, dict) and "style" in written:
            raise _wrong("the header's name says how the secret is sent: leave `style` out")
        pairs.append((name.lower(), credential(written, info).secret))
    return tuple(pairs)


def resource(value: Any) -> tuple[tuple[str, str], ...]:
    """Attributes of this process in everything that it reports, such as `deployment.environment.name`."""
    if not isinstance(value, dict) or len(value) > _MOST_ATTRIBUTES:
        raise _wrong(f"`resource` is a table of at most {_MOST_ATTRIBUTES} attributes")
    flat = dict(_flat("", value))
    for name, text in flat.items():
        if not _ATTRIBUTE.fullmatch(name) or not isinstance(text, str) or not text or len(text) > 256:
            raise _wrong(
                f"`{name}` is not an attribute (lower-case words and dots) with a string as its value"
            )
        if name == "service.name":
            raise _wrong("`service.name` is the key `service_name`")
    return tuple(sorted(flat.items()))


def _flat(prefix: str, table: dict[str, Any]) -> list[tuple[str, Any]]:
    """TOML reads `a.b = "c"` as a table in a table."""
    out: list[tuple[str, Any]] = []
    for name, value in table.items():
        out += _flat(f"{prefix}{name}.", value) if isinstance(value, dict) else [(prefix + name, value)]
    return out


def is_in_the_clear(where: Endpoint | None) -> bool:
    """Whether what is sent there can be read on the way."""
    return (
        where is not None and where.scheme == "http" and where.host not in {"localhost", "127.0.0.1", "::1"}
    )


def _wrong(message: str, kind: str = "value") -> PydanticCustomError:
    # The braces of a value must not be read as pydantic's own placeholders.
    return PydanticCustomError(kind, "{sentence}", {"sentence": message})
