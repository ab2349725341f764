"""What the sidecar says of its requests, read for the judges: the decision log by request, and refusals by their shape.

In come the log's bytes or an answer; out go plain values. It judges nothing.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.faults.evidence import Seen

__all__ = ["RETRIED", "Log", "Refusal", "read_log", "refusal_of"]

RETRIED: Final = frozenset({408, 409, 429, *range(500, 600)})
"""Statuses after which the official SDKs send a request again unless they are told not to."""

_CODE: Final = re.compile(r"\[policyd ([a-z0-9_]+), decision ([0-9a-f]{24})\]")


@dataclass(frozen=True, slots=True)
class Log:
    """The records by the number of their request, those without one by their decision's id, and lines that are none."""

    of: Mapping[int, list[dict[str, Any]]]
    unnumbered: Mapping[str, dict[str, Any]]
    unreadable: tuple[bytes, ...]


def read_log(raw: bytes) -> Log:
    of: dict[int, list[dict[str, Any]]] = {}
    unnumbered: dict[str, dict[str, Any]] = {}
    unreadable = []
    for line in raw.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            unreadable.append(line)
            continue
        ticket = record.get("features", {}).get("ticket", "")
        if ticket.startswith("n"):
            of.setdefault(int(ticket[1:]), []).append(record)
        else:
            unnumbered[record["decision"]] = record
    return Log(of, unnumbered, tuple(unreadable))


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer of policyd's own: its code, the error's type, and whether its body is an error of the dialect."""

    code: str
    kind: str
    shaped: bool


def refusal_of(seen: Seen, dialect: str) -> Refusal:
    """The refusal in an answer, `shaped` false where it is none that a client of the dialect would understand."""
    try:
        body = json.loads(seen.body)
        error = body["error"]
        kind, message = error["type"], error["message"]
    except (ValueError, KeyError, TypeError):
        return Refusal("", "", False)
    found = _CODE.search(message)
    code = found[1] if found else error.get("code") or ""
    shaped = isinstance(message, str) and isinstance(kind, str)
    if dialect == "anthropic":
        shaped = shaped and body.get("type") == "error"
    return Refusal(code, kind, shaped)
