"""Finding secrets and personal data in the texts of requests.

Comes in: texts. Goes out: the names of what was found in any of them, such as `secret.aws`, never what it was; or, of one
text, where each finding stands.

The one idea: an agent sends its whole history on every turn, so what was found in a text is remembered under a keyed hash
of it. What a detector overflows on counts as found, because undecided is sensitive.

Threads: a `Scanner` may be used from several at once. Not here: text inside images.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple, Protocol

from policyd.detect.builtin import DETECTORS, built_in
from policyd.detect.engine import Engine
from policyd.detect.views import views
from policyd.memo import Memo

__all__ = ["Beside", "DetectorFailed", "Scanner", "Span", "known_findings", "scan"]


class DetectorFailed(Exception):
    """A detector did not finish: the findings of this request are unknown, which a policy takes as all of them."""


class Span(NamedTuple):
    """A finding and the characters of a text in which it stands; all of them where it cannot be told."""

    start: int
    end: int
    name: str


def known_findings() -> frozenset[str]:
    """Every finding that can be reported. A name above one of them (`secret`) covers it."""
    return frozenset[str]().union(*(d.names for d in DETECTORS))


class Place(Protocol):
    """A finding and the characters of a text in which it stands."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def name(self) -> str: ...


class Beside(Protocol):
    """What looks at every text besides the detectors, such as a company's classifiers."""

    def scan(
        self, texts: Iterable[str], unanswered: dict[str, frozenset[str]] | None = None
    ) -> frozenset[str]: ...
    def places(self, text: str) -> Iterable[Place]: ...


class Scanner:
    """Detectors with a memory, and what looks beside them with its own. `salt` keys the memory's hashes: pass random bytes
    where others could read the process."""

    __slots__ = ("_beside", "_engine", "_memo")

    def __init__(
        self,
        engine: Engine | None = None,
        *,
        beside: Beside | None = None,
        memo_bytes: int = 16 << 20,
        salt: bytes = b"",
    ) -> None:
        self._engine = engine
        self._beside = beside
        self._memo: Memo[frozenset[str]] = Memo(memo_bytes, salt=salt, cost=200)

    def scan(
        self, texts: Iterable[str], unanswered: dict[str, frozenset[str]] | None = None
    ) -> frozenset[str]:
        """What is found in any of the texts. Raises `DetectorFailed`, and nothing else. What only counts as found, because
        something beside the detectors did not answer, is left out where `unanswered` is given, and stands there by its name."""
        found: set[str] = set()
        engine = self._engine or built_in()
        try:
            if self._beside is not None:
                texts = tuple(texts)
                found |= self._beside.scan(texts, unanswered)
            for text in texts:
                if len(text) < engine.shortest:
                    continue
                key = self._memo.key(text)
                known = self._memo.get(key)
                if known is None:
                    known = _one(frozenset[str]().union(*(engine.names_in(v.data) for v in views(text))))
                    self._memo.put(key, known)
                found |= known
        except Exception as error:
            raise DetectorFailed(type(error).__name__) from error
        return frozenset(found)

    def spans(self, text: str) -> tuple[Span, ...]:
        """Everything that is found in one text, and where, in order; stretches may overlap. Raises `DetectorFailed`, and
        nothing else. The memory is not asked: it knows names only."""
        engine = self._engine or built_in()
        try:
            others = self._beside.places(text) if self._beside is not None else ()
            found = {Span(place.start, place.end, place.name) for place in others}
            if len(text) >= engine.shortest:
                found.update(
                    Span(*view.place(hit.start, hit.end), hit.name)
                    for view in views(text)
                    for hit in engine.hits(view.data)
                )
            return tuple(sorted(found))
        except Exception as error:
            raise DetectorFailed(type(error).__name__) from error


@lru_cache(maxsize=1024)
def _one(found: frozenset[str]) -> frozenset[str]:
    """Equal findings as one object: an empty set for each text is more than all else that is remembered of it."""
    return found


@lru_cache(maxsize=1)
def _shared() -> Scanner:
    return Scanner()


def scan(texts: Iterable[str]) -> frozenset[str]:
    """`Scanner.scan` of the process-wide scanner."""
    return _shared().scan(texts)
