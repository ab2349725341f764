"""All detectors over one text.

Comes in: a text as a reader sees it, in UTF-8. Goes out: hits. The one idea: one pass of an Aho-Corasick automaton and one
of RE2 say which detectors could find anything at all, and only those look.

Threads: an `Engine` may be used from several at once; both passes let other threads run.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, Protocol

from policyd.detect.detector import Detector, Hit, compiled

__all__ = ["SHORTEST", "Engine", "Prefilter"]

CHUNK: Final = 1 << 18
"""Bytes that the automaton is given at once: it returns all its matches as a list."""

MOST_SPELLINGS: Final = 64
"""How often a literal is looked at for how it is written in one piece. After that, those who ask for it look themselves."""

DIGITS: Final = b"0123456789"

SHORTEST: Final = 4
"""A shorter text holds nothing that any detector knows."""


class Prefilter(Protocol):
    """Says of the detectors with the numbers `covered` which could find anything. It may name too many, never too few.
    `tried` is how many it could have covered."""

    @property
    def covered(self) -> frozenset[int]: ...
    @property
    def tried(self) -> int: ...
    def possible(self, data: bytes) -> set[int]: ...


class Engine:
    """Immutable after it was made. `shortest` is the fewest characters of a text that is worth a look; `prefilter` is asked once
    for all the detectors that it covers. An expression is compiled when its detector is first asked: 20 MB for all."""

    __slots__ = (
        "_always",
        "_automaton",
        "_detectors",
        "_exact",
        "_longest",
        "_plain",
        "_shapes",
        "prefilter",
        "shortest",
    )

    def __init__(
        self, detectors: Iterable[Detector], *, shortest: int = SHORTEST, prefilter: Prefilter | None = None
    ) -> None:
        import ahocorasick_rs  # noqa: PLC0415

        self.shortest = shortest
        self.prefilter = prefilter
        self._detectors = tuple(detectors)
        literals = sorted({w.lower() for d in self._detectors for w in (*d.keywords, *d.exact)})
        self._automaton: Any = ahocorasick_rs.BytesAhoCorasick(
            [literal.encode("ascii") for literal in literals],
            implementation=ahocorasick_rs.Implementation.DFA,
        )
        self._plain = tuple(self._where(word, lambda d: d.keywords) for word in literals)
        self._exact = tuple(
            tuple(
                (spelled.encode("ascii"), self._where(spelled, lambda d: d.exact))
                for spelled in sorted({w for d in self._detectors for w in d.exact if w.lower() == word})
            )
            for word in literals
        )
        self._always = frozenset(i for i, d in enumerate(self._detectors) if not d.keywords and not d.exact)
        self._longest = max(map(len, literals), default=1)
        shapes = [d.shape for d in self._detectors if d.shape is not None]
        self._shapes: Any = compiled("|".join(f"(?:{s})" for s in dict.fromkeys(shapes))) if shapes else None

    def _where(self, word: str, words: Callable[[Detector], tuple[str, ...]]) -> frozenset[int]:
        return frozenset(i for i, d in enumerate(self._detectors) if word in words(d))

    @property
    def names(self) -> frozenset[str]:
        """Every finding that can be reported."""
        return frozenset[str]().union(*(d.names for d in self._detectors))

    def names_in(self, data: bytes) -> frozenset[str]:
        """What is found. A detector looks no further when it has found all that it can."""
        found: set[str] = set()
        for detector in self._asked(data):
            for hit in detector.find(data):
                found.add(hit.name)
                if detector.names <= found:
                    break
        return frozenset(found)

    def hits(self, data: bytes) -> Iterator[Hit]:
        """Everything that is found, and where."""
        for detector in self._asked(data):
            yield from detector.find(data)

    def _asked(self, data: bytes) -> Iterator[Detector]:
        """The detectors that could find anything, in their order."""
        possible = self._by_literals(data)
        if self.prefilter is not None and not possible.isdisjoint(self.prefilter.covered):
            possible &= self.prefilter.possible(data) | (possible - self.prefilter.covered)
        digits = len(data) - len(data.translate(None, DIGITS))
        shaped: bool | None = None
        for index in sorted(possible):
            detector = self._detectors[index]
            if digits < detector.digits:
                continue
            if detector.shape is not None:
                if shaped is None:
                    shaped = self._shapes.search(data) is not None
                if not shaped:
                    continue
            yield detector

    def _by_literals(self, data: bytes) -> set[int]:
        """The detectors of which a literal occurs, and those that have none."""
        possible = set(self._always)
        lowered = data.lower()
        for base in range(0, len(lowered), CHUNK):
            piece = lowered if len(lowered) <= CHUNK else lowered[base : base + CHUNK + self._longest]
            settled: set[int] = set()
            looked: Counter[int] = Counter()
            for literal, start, end in self._automaton.find_matches_as_indexes(piece, overlapping=True):
                if literal in settled:
                    continue
                possible |= self._plain[literal]
                spelled = [
                    exact for exact in self._exact[literal] if data[base + start : base + end] == exact[0]
                ]
                looked[literal] += 1
                if looked[literal] > MOST_SPELLINGS:
                    spelled = list(self._exact[literal])
                for _, detectors in spelled:
                    possible |= detectors
                if len(spelled) == len(self._exact[literal]):
                    settled.add(literal)
        return possible
