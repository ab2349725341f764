"""Whether an answer that is a success by its status begins with an error. Pure.

In come the first bytes of a body; out goes whether they are an error that another target may not have, or that more is
needed to tell. The one idea: as long as nothing went to the client, an error in the first event is a failure like any
other; afterwards it is part of the answer. An error about the request itself is an answer: another target would be asked
the same wrong thing. It repeats nothing of what it reads.
"""

import re
from enum import StrEnum
from typing import Final

import orjson

__all__ = ["END", "LONGEST", "Whose", "begins_with_error", "data_of", "is_no_error", "whose_error"]

LONGEST: Final = 64 * 1024
"""Bytes in which a first event must end to be looked at."""

_AT_FAULT: Final = frozenset(
    {
        "invalid_request_error",
        "not_found_error",
        "permission_error",
        "request_too_large",
        "context_length_exceeded",
        "string_above_max_length",
        "invalid_prompt",
        "content_filter",
        "content_policy_violation",
    }
)
_AT_FAULT_CODES: Final = frozenset({"400", "403", "404", "413", "422"})
"""As text: some gateways say the number so."""
END: Final = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_WHOLE: Final = re.compile(rb'\s*\{\s*"error"\s*:\s*\{')
_GLANCE: Final = 64
_LINE: Final = re.compile(rb"\r\n|\n|\r")


def is_no_error(held: bytes) -> bool:
    """Whether a glance is enough: JSON that does not begin with an error, as most answers."""
    return held.startswith(b"{") and b'"error"' not in held[:_GLANCE]


def begins_with_error(held: bytes, *, events: bool, ended: bool) -> bool | None:
    """`events`: the body is a stream of server-sent events; `ended`: nothing more comes. None: not known yet."""
    if not events:
        if _WHOLE.match(held) is None:
            return False
        return _is_error(held) if ended else None if len(held) < LONGEST else False
    at = 0
    while (end := END.search(held, at)) is not None:
        data = data_of(held[at : end.start()])
        if data:
            return _is_error(data)
        at = end.end()
    return False if ended or len(held) >= LONGEST else None


def data_of(event: bytes) -> bytes:
    """The data of one event; empty for a comment, which keeps a connection alive and says nothing."""
    if b'"error"' not in event:
        return b"{}" if b"data:" in event else b""
    return b"\n".join(line[5:] for line in _LINE.split(event) if line.startswith(b"data:"))


class Whose(StrEnum):
    """Whom an error is about."""

    TARGET = "target"
    REQUEST = "request"
    """another target would be asked the same wrong thing"""


def _is_error(data: bytes) -> bool:
    return whose_error(data) is Whose.TARGET


def whose_error(data: bytes) -> Whose | None:
    """Of a body or of one event's data; None where it says no error."""
    try:
        said = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict):
        return None
    inside = said.get("response")
    error = said.get("error") or (inside.get("error") if isinstance(inside, dict) else None)
    if not error and said.get("type") != "error":
        return None
    about = error if isinstance(error, dict) else said
    kind, code = (_word(about.get(key)) for key in ("type", "code"))
    at_fault = kind in _AT_FAULT or code in _AT_FAULT or code in _AT_FAULT_CODES
    return Whose.REQUEST if at_fault else Whose.TARGET


def _word(said: object) -> str:
    """A server may say anything there: a list too, which no set can be asked for, and which may be too deep to be shown."""
    return str(said) if isinstance(said, str | int) else ""
