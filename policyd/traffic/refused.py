"""Why a request is turned away before any policy sees it.

A `Refused` is a value, never an exception: the code is from a closed vocabulary, the status is the HTTP status the
caller gets, and the message names the place in the request and the cure. It never quotes prompt text: only key names,
cut short and escaped, and positions.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["CallerFault", "Refused", "quoted"]


class CallerFault(StrEnum):
    """Everything a caller can do wrong with a request's envelope or body."""

    CONTENT_ENCODING = "caller_content_encoding"
    CONTENT_TYPE = "caller_content_type"
    EMPTY_BODY = "caller_empty_body"
    BYTE_ORDER_MARK = "caller_byte_order_mark"
    NOT_UTF8 = "caller_not_utf8"
    MALFORMED_JSON = "caller_malformed_json"
    NOT_AN_OBJECT = "caller_not_an_object"
    TOO_DEEP = "caller_too_deep"
    DUPLICATE_KEY = "caller_duplicate_key"
    UNKNOWN_PATH = "caller_unknown_path"
    METHOD = "caller_method_not_allowed"
    UPGRADE = "caller_upgrade_refused"
    WRONG_SHAPE = "caller_wrong_shape"
    REACH_KEY = "caller_reach_key"
    AMBIGUOUS_KEY = "caller_ambiguous_key"


STATUS: Final[dict[CallerFault, int]] = {
    CallerFault.CONTENT_ENCODING: 415,
    CallerFault.CONTENT_TYPE: 415,
    CallerFault.UNKNOWN_PATH: 404,
    CallerFault.METHOD: 405,
    CallerFault.UPGRADE: 426,
}
"""The status of each fault that is not a 400."""

LONGEST_QUOTE: Final = 60
"""Characters of a caller's key that a message repeats."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One request turned away: `code` and `status` for machines, `message` for the person who must change the request."""

    fault: CallerFault
    message: str

    @property
    def code(self) -> str:
        return self.fault.value

    @property
    def status(self) -> int:
        return STATUS.get(self.fault, 400)


def quoted(name: str) -> str:
    """A caller's key as a message may repeat it: cut short, and without characters that could act on a terminal."""
    shown = name if len(name) <= LONGEST_QUOTE else name[:LONGEST_QUOTE] + "…"
    return "`" + "".join(c if c.isprintable() and c != "`" else f"\\u{ord(c):04x}" for c in shown) + "`"
