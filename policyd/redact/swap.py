"""Values in a string put in place of others: plainly, and inside the JSON that a string may hold.

In come a table of values and a string; out goes the string with the table's words in it. The one idea: JSON in a string is
changed string by string, each decoded and written anew, so that it stays JSON whatever a value looks like escaped; all
else of it keeps its characters. One pass of an automaton finds all values, the longest first.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import orjson

__all__ = ["Swaps"]

DEPTH: Final = 3
"""How often JSON inside a string of JSON is unpacked: as often as for the detectors."""

DISTINCT: Final = 12
"""Characters from which a value is taken out even in the middle of a longer word."""

_TOKEN: Final = re.compile(r'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*', re.DOTALL)
_OPENS: Final = frozenset('{["')


class Swaps:
    """`table`: values to what stands for them. `counts` grows with every replacement, by what was put in. A short value
    is left where it is a part of a longer word, unless it is one of those that are meant `anywhere`."""

    __slots__ = ("_anywhere", "_automaton", "_every", "_table", "_values", "counts")

    def __init__(self, table: Mapping[str, str], anywhere: Collection[str] = ()) -> None:
        import ahocorasick_rs  # noqa: PLC0415

        self._table = table
        self._values = tuple(table)
        self._anywhere = anywhere
        self._automaton: Any = ahocorasick_rs.AhoCorasick(
            self._values, matchkind=ahocorasick_rs.MATCHKIND_LEFTMOST_LONGEST
        )
        self._every: Any = None
        self.counts: Counter[str] = Counter()

    def text(self, text: str, depth: int = DEPTH) -> str:
        """The string; the very object where nothing of the table is in it."""
        if depth > 0 and text.lstrip()[:1] in _OPENS and (self._finds(text) or "\\" in text):
            changed = self._json(text, depth)
            if changed is not None:
                return changed
        return self._plain(text)

    def number(self, value: float) -> str | None:
        """What stands for a whole number that is a value."""
        word = self._table.get(_digits(value))
        if word is not None:
            self.counts[word] += 1
        return word

    def found(self, text: str) -> Iterator[str]:
        """The values that stand in a string."""
        for index, _, _ in self._standing(text):
            yield self._values[index]

    def _finds(self, text: str) -> bool:
        return bool(self._automaton.find_matches_as_indexes(text))

    def _standing(self, text: str) -> list[tuple[int, int, int]]:
        """The values that are no part of a longer word, none inside another; of those that begin at one place the longest."""
        found: list[tuple[int, int, int]] = self._automaton.find_matches_as_indexes(text)
        standing = [match for match in found if self._stands(text, *match)]
        if len(standing) == len(found):
            return standing
        # What does not stand may have hidden what overlaps it.
        if self._every is None:
            import ahocorasick_rs  # noqa: PLC0415

            self._every = ahocorasick_rs.AhoCorasick(self._values)
        every = self._every.find_matches_as_indexes(text, overlapping=True)
        standing = [match for match in every if self._stands(text, *match)]
        out: list[tuple[int, int, int]] = []
        for match in sorted(standing, key=lambda m: (m[1], -m[2])):
            if not out or match[1] >= out[-1][2]:
                out.append(match)
        return out

    def _plain(self, text: str) -> str:
        out: list[str] = []
        at = 0
        for index, start, end in self._standing(text):
            word = self._table[self._values[index]]
            self.counts[word] += 1
            out += (text[at:start], word)
            at = end
        return "".join((*out, text[at:])) if out else text

    def _json(self, text: str, depth: int) -> str | None:
        """The same where the whole string is JSON, or None."""
        try:
            orjson.loads(text)
        except orjson.JSONDecodeError:
            return None
        changed = False

        def swap(token: re.Match[str]) -> str:
            nonlocal changed
            written = token[0]
            if written[0] != '"':
                word = self._table.get(written.removeprefix("-"))
                if word is None:
                    return written
                self.counts[word] += 1
                changed = True
                return f'"{word}"'
            inner: str = written[1:-1] if "\\" not in written else orjson.loads(written)
            swapped = self.text(inner, depth - 1)
            if swapped is inner:
                return written
            changed = True
            return orjson.dumps(swapped).decode()

        out = _TOKEN.sub(swap, text)
        return out if changed else text

    def _stands(self, text: str, index: int, start: int, end: int) -> bool:
        """Whether what is found is no part of a longer word, or too long to be one by chance."""
        if end - start >= DISTINCT or self._values[index] in self._anywhere:
            return True
        before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
        after = end < len(text) and text[end].isalnum() and text[end - 1].isalnum()
        return not before and not after


def _digits(value: float) -> str:
    """As the detectors are given it."""
    return f"{value:.0f}".removeprefix("-") if isinstance(value, float) else str(value).removeprefix("-")
