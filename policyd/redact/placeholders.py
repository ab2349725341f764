"""What stands in a request for a value that was taken out.

In comes a value with the name of its finding; out goes a word such as `[card-number:kfrwtxqzbmhd]`. The one idea: it is
made from the value with a key, so one value has one placeholder in every turn and at every sidecar that has the key
(caches of prompts go on working), and nobody without the key can tell values by trying. It has no digit and nothing that JSON,
HTML or Markdown escapes, and is short enough for a model to repeat.

A text that looks like a placeholder means nothing: only those that were made for a request's own values are put back.
"""

import re
from bisect import bisect_left
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

__all__ = ["LETTERS", "LONGEST_PLACEHOLDER", "PLACEHOLDER", "Known", "Placeholders"]

LETTERS: Final = "bcdfghjkmnpqrstvwxz"
"""No digits, which other detectors look for, and no vowels, which would make words."""

LENGTH: Final = 12
"""Letters: 19 to the twelfth are 50 bits."""

LONGEST_NAME: Final = 80

LONGEST_PLACEHOLDER: Final = LONGEST_NAME + LENGTH + 3

_PATTERN: Final = rf"\[[A-Za-z0-9._-]{{1,{LONGEST_NAME}}}:[{LETTERS}]{{{LENGTH}}}\]"
PLACEHOLDER: Final = re.compile(_PATTERN)
"""What a placeholder looks like, whoever wrote it."""

_IN_BYTES: Final = re.compile(_PATTERN.encode())


class Placeholders:
    """Those of one request. INVARIANT: two values never share one."""

    __slots__ = ("_key", "_made", "values")

    def __init__(self, key: bytes) -> None:
        self._key = blake2b(key, digest_size=32, person=b"policyd redact").digest()
        self._made: dict[str, str] = {}
        self.values: dict[str, str] = {}
        """placeholder to value"""

    def of(self, value: str, name: str) -> str:
        """The placeholder of this value. The first name that it was found under is shown."""
        made = self._made.get(value)
        if made is not None:
            return made
        turn = 0
        while True:
            placeholder = f"[{name[:LONGEST_NAME]}:{self._letters(value, turn)}]"
            if placeholder not in self.values:
                self._made[value] = placeholder
                self.values[placeholder] = value
                return placeholder
            turn += 1

    def _letters(self, value: str, turn: int) -> str:
        text = value if turn == 0 else f"{value}\0{turn}"
        digest = blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).digest()
        number = int.from_bytes(digest)
        out = []
        for _ in range(LENGTH):
            number, letter = divmod(number, len(LETTERS))
            out.append(LETTERS[letter])
        return "".join(out)


class Known:
    """The placeholders that may be put back into one answer, and what begins like one."""

    __slots__ = ("_sorted", "values")

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values
        self._sorted = sorted(values)

    def in_bytes(self, data: bytes) -> bool:
        """Whether anything in here looks like a placeholder."""
        return _IN_BYTES.search(data) is not None

    def at(self, text: str, start: int) -> str | None:
        """The placeholder that stands at this place of a text."""
        found = PLACEHOLDER.match(text, start)
        return found[0] if found is not None and found[0] in self.values else None

    def open_from(self, text: str, start: int) -> int:
        """Where, from here on, what may become a placeholder begins and goes on to the end of the text; else that end."""
        at = text.find("[", max(start, len(text) - LONGEST_PLACEHOLDER + 1))
        while at >= 0:
            if self.may_begin(text, at):
                return at
            at = text.find("[", at + 1)
        return len(text)

    def may_begin(self, text: str, start: int) -> bool:
        """Whether the text ends, from here on, inside what may become a placeholder."""
        if len(text) - start >= LONGEST_PLACEHOLDER:
            return False
        rest = text[start:]
        index = bisect_left(self._sorted, rest)
        return (
            index < len(self._sorted) and self._sorted[index].startswith(rest) and self._sorted[index] != rest
        )
