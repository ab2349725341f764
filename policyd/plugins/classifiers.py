"""A company's own classifiers beside the built-in detectors.

In come texts; out go names and spans, like a `Scanner`'s. The one idea: a classifier's failure is never silence. What it
does not answer (its process died, its time is over, it said what it did not declare) counts as found: all that it may find.

What was said of a text is remembered, as an agent sends its whole history on every turn. Failures are not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Any, Final

from policyd.memo import Memo
from policyd.plugins.child import Child, Failed, Plan, Unloadable

__all__ = ["NO_CLASSIFIERS", "Classifiers", "Declared", "Place", "Tally", "Unloadable"]

MOST_TEXTS: Final = 64
MOST_CHARACTERS: Final = 1 << 20
"""Texts and characters of one question; a longer text is asked for alone."""

MEMO_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Declared:
    """One classifier as the deployment declares it: the names that it may report, seconds for one question, processes."""

    name: str
    findings: frozenset[str]
    seconds: float
    processes: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class Place:
    """A finding and the characters of a text in which it stands."""

    start: int
    end: int
    name: str


class Tally:
    """How often a classifier was asked, and how often that failed, by the word of the failure."""

    __slots__ = ("asked", "failed")

    def __init__(self) -> None:
        self.asked = 0
        self.failed: dict[str, int] = {}

    def note(self, word: str) -> None:
        self.failed[word] = self.failed.get(word, 0) + 1


class _One:
    """One classifier: its processes, of which each question takes the next, and its memory."""

    __slots__ = ("_children", "_lock", "_memo", "_turn", "declared", "tally")

    def __init__(self, declared: Declared, salt: bytes) -> None:
        self.declared = declared
        self.tally = Tally()
        self._children = tuple(Child(declared.plan) for _ in range(declared.processes))
        self._memo: Memo[frozenset[str]] = Memo(MEMO_BYTES, salt=salt, cost=200)
        self._lock = Lock()
        self._turn = 0

    def start(self) -> str:
        for child in self._children:
            child.start()
        return self._children[0].confined

    def close(self) -> None:
        for child in self._children:
            child.close()

    def names(self, texts: Iterable[str]) -> frozenset[str]:
        found: set[str] = set()
        for batch in _batches(self._new(texts, found)):
            answers = self._ask([text for text, _ in batch])
            if answers is None:
                return self.declared.findings
            for (_, key), places in zip(batch, answers, strict=True):
                names = frozenset(place.name for place in places)
                self._memo.put(key, names)
                found |= names
        return frozenset(found)

    def places(self, text: str) -> list[Place]:
        if not text or self._memo.get(self._memo.key(text)) == frozenset():
            return []
        answers = self._ask([text])
        if answers is None:
            return [Place(0, len(text), name) for name in sorted(self.declared.findings)]
        return answers[0]

    def _new(self, texts: Iterable[str], found: set[str]) -> Iterator[tuple[str, bytes]]:
        """The texts that nothing is remembered of; what is remembered of the others goes into `found`."""
        for text in texts:
            if not text:
                continue
            key = self._memo.key(text)
            known = self._memo.get(key)
            if known is None:
                yield text, key
            else:
                found |= known

    def _ask(self, texts: list[str]) -> list[list[Place]] | None:
        """What stands where in each text; None where nothing that can be believed was said."""
        with self._lock:
            child = self._children[self._turn % len(self._children)]
            self._turn += 1
            self.tally.asked += 1
        try:
            answer = child.ask(texts, monotonic() + self.declared.seconds)
            return [
                [_place(finding, text, self.declared.findings) for finding in each]
                for text, each in zip(texts, answer, strict=True)
            ]
        except Failed as failed:
            word = str(failed)
        except (ValueError, TypeError):
            word = "undeclared"
        with self._lock:
            self.tally.note(word)
        return None


class Classifiers:
    """All classifiers of a deployment. Threads: may be used from several. `start` before the first question."""

    __slots__ = ("_all",)

    def __init__(self, declared: Iterable[Declared], *, salt: bytes = b"") -> None:
        self._all = tuple(_One(each, salt) for each in declared)

    def __bool__(self) -> bool:
        return bool(self._all)

    def start(self, tell: Callable[[str, str], None] | None = None) -> None:
        """Start every process. `tell` hears each classifier's name and by what it is confined: `kernel`, `python`, or
        `declared` where it has a network. Raises `Unloadable`, with the name in front, after closing what was started."""
        for one in self._all:
            try:
                confined = one.start()
            except (Unloadable, OSError) as error:
                self.close()
                raise Unloadable(f"the classifier `{one.declared.name}`: {error}") from None
            if tell is not None:
                tell(one.declared.name, confined)

    def close(self) -> None:
        for one in self._all:
            one.close()

    @property
    def tallies(self) -> Mapping[str, Tally]:
        return {one.declared.name: one.tally for one in self._all}

    def scan(self, texts: Iterable[str]) -> frozenset[str]:
        """What is found in any of the texts. Never raises."""
        held = tuple(texts)
        return frozenset[str]().union(*(one.names(held) for one in self._all))

    def places(self, text: str) -> Iterator[Place]:
        """Where in a text what was found stands; all of it for what cannot be told. Never raises."""
        for one in self._all:
            yield from one.places(text)


NO_CLASSIFIERS: Final = Classifiers(())


def _place(finding: Any, text: str, declared: frozenset[str]) -> Place:
    """A finding as it may be believed. Raises ValueError and TypeError."""
    name, start, end = finding
    if name not in declared:
        raise ValueError("a name that was not declared")
    if type(start) is not int or type(end) is not int or not 0 <= start < end <= len(text):
        raise ValueError("a place that is not in the text")
    return Place(start, end, name)


def _batches(texts: Iterable[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    batch: list[tuple[str, bytes]] = []
    size = 0
    for text, key in texts:
        if batch and (len(batch) >= MOST_TEXTS or size + len(text) > MOST_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append((text, key))
        size += len(text)
    if batch:
        yield batch
