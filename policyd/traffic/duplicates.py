"""Where a key stands twice in a body that is known to have such a key.

Comes in: the raw bytes. Goes out: words for the message of a refusal.

The one idea: below the top, keys may be data (a tool's input, metadata) and so may hold a secret, and a refusal is sent and
logged. Keys of the dialects are shown; of any other key the first characters only.
"""

import json
from typing import Final

from policyd.traffic.reach import PASSED, REACH_KEYS, READ_KEYS
from policyd.traffic.refused import quoted

__all__ = ["place_of_duplicate", "shown_key"]

KNOWN: Final = (
    READ_KEYS
    | {row.key for row in REACH_KEYS}
    | {key for _, keys in PASSED for key in keys}
    | {"function", "arguments", "parameters", "input_schema", "properties", "name", "description", "tool_calls", "output",
       "action", "file", "input_audio", "summary", "definition", "format", "schema", "title"}
)  # fmt: skip

SHOWN: Final = 8
"""Characters of an unknown key that a message repeats."""


LONGEST_PLACE: Final = 160


class _Pairs(list[tuple[str, object]]):
    """An object as its pairs, in order, with every repetition. Not a list of the body's."""


def place_of_duplicate(raw: bytes) -> str:
    """The first repeated key, and the place of its object: `` `name` in `tools[0].function` ``."""
    stack: list[tuple[object, str]] = [(json.loads(raw, object_pairs_hook=_Pairs), "")]
    while stack:
        value, place = stack.pop()
        if isinstance(value, _Pairs):
            seen: set[str] = set()
            for key, _ in value:
                if key in seen:
                    where = place if len(place) <= LONGEST_PLACE else place[:LONGEST_PLACE] + "…"
                    return quoted(shown_key(key)) + (f" in `{where}`" if where else "")
                seen.add(key)
            stack.extend((item, f"{place}.{_plain(key)}".lstrip(".")) for key, item in reversed(value))
        elif isinstance(value, list):
            stack.extend((item, f"{place}[{index}]") for index, item in reversed(tuple(enumerate(value))))
    raise AssertionError("INVARIANT: fewer keys were written back than came, so one of them was repeated")


def shown_key(key: str) -> str:
    """A key that a message may hold: whole where it is known, otherwise its first characters."""
    return key if key in KNOWN or len(key) <= 1 else key[:SHOWN] + "…"


def _plain(key: str) -> str:
    return quoted(shown_key(key)).strip("`")
