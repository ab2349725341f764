"""Requests that must be refused whatever the policy says, and as what.

In come the parts of a good request; out come spoilt ones. The one idea: none of them may arrive anywhere, not even where
the good one could go.
"""

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from tests.faults.policies import LARGEST_BODY

__all__ = ["MALFORMED", "Spoilt", "spoil"]

Parts = tuple[str, str, dict[str, str], bytes]


@dataclass(frozen=True, slots=True)
class Spoilt:
    """How to spoil a request, and the statuses that its refusal may have. `behind_identity`: found after the caller is
    known, so that an unknown one is told that first."""

    how: Callable[[Parts], Parts]
    statuses: frozenset[int]
    behind_identity: bool = True


def _body(change: Callable[[bytes], bytes]) -> Callable[[Parts], Parts]:
    return lambda p: (p[0], p[1], p[2], change(p[3]))


def _headers(**more: str) -> Callable[[Parts], Parts]:
    return lambda p: (p[0], p[1], p[2] | {n.replace("_", "-"): v for n, v in more.items()}, p[3])


def _path(path: str, method: str = "POST") -> Callable[[Parts], Parts]:
    return lambda p: (method, path.replace("PATH", p[1]), p[2], p[3])


def _smuggling(parts: Parts) -> Parts:
    method, path, headers, raw = parts
    return method, path, headers | {"content-length": str(len(raw)), "transfer-encoding": "chunked"}, raw


def _one_more(key: bytes) -> Callable[[Parts], Parts]:
    return _body(lambda raw: raw[:-1] + b", " + key + b"}")


_400: Final = frozenset({400})

MALFORMED: Final = MappingProxyType(
    {
        "no JSON": Spoilt(_body(lambda raw: raw[:-1]), _400),
        "no body": Spoilt(_body(lambda _: b""), _400),
        "a list": Spoilt(_body(lambda raw: b"[" + raw + b"]"), _400),
        "not UTF-8": Spoilt(_body(lambda raw: raw[:-2] + b'\xff"}'), _400),
        "a byte order mark": Spoilt(_body(lambda raw: b"\xef\xbb\xbf" + raw), _400),
        "a key twice": Spoilt(_one_more(b'"model": "other"'), _400),
        "another spelling": Spoilt(_one_more(b'"Model": "other"'), _400),
        "a reach key": Spoilt(_one_more(b'"fallbacks": ["other"]'), _400),
        "another base": Spoilt(_one_more(b'"api_base": "http://127.0.0.1:1"'), _400),
        "too deep": Spoilt(_one_more(b'"deep": ' + b"[" * 3000 + b"]" * 3000), _400),
        "too large": Spoilt(_body(lambda raw: raw + b" " * (LARGEST_BODY + 1 - len(raw))), frozenset({413})),
        "compressed": Spoilt(_headers(content_encoding="gzip"), frozenset({415})),
        "no JSON by its type": Spoilt(_headers(content_type="text/plain"), frozenset({415})),
        "a label that is none": Spoilt(_headers(x_data_class="harmless"), _400),
        # The plus is taken off again: two headers of one name.
        "a label twice": Spoilt(_headers(**{"x-data-class": "internal", "x-data-class+": "internal"}), _400),
        "another path": Spoilt(_path("PATH/"), frozenset({404}), False),
        "a path with dots": Spoilt(_path("/v1/../PATH"), frozenset({404}), False),
        "another method": Spoilt(_path("PATH", "PUT"), frozenset({405}), False),
        "two lengths": Spoilt(_smuggling, _400, False),
        "a query that is none": Spoilt(_path('PATH?a="b'), _400, False),
    }
)


def spoil(kind: str, path: str, headers: dict[str, str], raw: bytes) -> Parts:
    return MALFORMED[kind].how(("POST", path, headers, raw))
