"""A company's own classifiers beside the built-in detectors.

In come texts; out go names and spans, like a `Scanner`'s. The one idea: a classifier's failure is never silence. What it
does not answer (its process died, its time is over, it said what it did not declare) counts as found: all that it may find.

What was said of a text is remembered, as an agent sends its whole history on every turn. Failures are not.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf
from threading import Lock
from time import monotonic
from typing import Any, Final, TypeAlias

from policyd.memo import Memo
from policyd.plugins.child import Child, Failed, Plan, Unloadable

__all__ = ["NO_CLASSIFIERS", "Classifiers", "Declared", "Place", "Tally", "Tell", "Unanswered", "Unloadable"]

MOST_TEXTS: Final = 64
MOST_CHARACTERS: Final = 1 << 20
"""Texts and characters of one question; a longer text is asked for alone."""

MEMO_BYTES: Final = 4 << 20

TELL_SECONDS: Final = 60.0
"""Between two lines that the same classifier begins to fail: one text in ten may be what it stumbles over."""

Unanswered: TypeAlias = dict[str, frozenset[str]]
"""Classifiers that did not answer, each with all that it may find."""

Tell: TypeAlias = Callable[[str, str | None], None]
"""Hears a classifier's name and the word of its failure, or None when it answers again."""


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
    """How often a classifier was asked, and how often that failed, by the word of the failure. `failing` is the word of the
    last question, None where that was answered."""

    __slots__ = ("_next", "_open", "asked", "failed", "failing")

    def __init__(self) -> None:
        self.asked = 0
        self.failed: dict[str, int] = {}
        self.failing: str | None = None
        self._open = False
        self._next = -inf

    def note(self, word: str | None, now: float) -> bool:
        """How a question went: the word of its failure, or None. Whether that is to be told: that failing begins, at most once
        in a while, and that what was told is over."""
        self.failing = word
        if word is None:
            ends, self._open = self._open, False
            return ends
        self.failed[word] = self.failed.get(word, 0) + 1
        if self._open or now < self._next:
            return False
        self._open, self._next = True, now + TELL_SECONDS
        return True


class _One:
    """One classifier: its processes, of which each question takes the next, and its memory."""

    __slots__ = ("_lock", "_memo", "_tell", "_turn", "children", "declared", "tally")

    def __init__(self, declared: Declared, salt: bytes, tell: Tell) -> None:
        self.declared = declared
        self._tell = tell
        self.tally = Tally()
        self.children = tuple(Child(declared.plan) for _ in range(declared.processes))
        self._memo: Memo[frozenset[str]] = Memo(MEMO_BYTES, salt=salt, cost=200)
        self._lock = Lock()
        self._turn = 0

    def start(self) -> str:
        for child in self.children:
            child.start()
        return self.children[0].confined

    def close(self) -> None:
        for child in self.children:
            child.close()

    def names(self, texts: Iterable[str], unanswered: Unanswered) -> frozenset[str]:
        """What it says of these texts, or said before. Who is among the `unanswered` is not asked."""
        found: set[str] = set()
        for batch in _batches(self._new(texts, found)):
            if self.declared.name in unanswered:
                continue
            answers = self._ask([text for text, _ in batch])
            if answers is None:
                unanswered[self.declared.name] = self.declared.findings
                continue
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
            child = self.children[self._turn % len(self.children)]
            self._turn += 1
            self.tally.asked += 1
        said: list[list[Place]] | None = None
        word: str | None = None
        try:
            answer = child.ask(texts, monotonic() + self.declared.seconds)
            said = [
                [_place(finding, text, self.declared.findings) for finding in each]
                for text, each in zip(texts, answer, strict=True)
            ]
        except Failed as failed:
            word = str(failed)
        except (ValueError, TypeError):
            word = "undeclared"
        with self._lock:
            is_news = self.tally.note(word, monotonic())
        if is_news:
            self._tell(self.declared.name, word)
        return said


class Classifiers:
    """All classifiers of a deployment. Threads: may be used from several. `start` before the first question. `tell` hears,
    from any thread, which begin to fail and which answer again."""

    __slots__ = ("_all",)

    def __init__(
        self, declared: Iterable[Declared], *, salt: bytes = b"", tell: Tell = lambda _name, _word: None
    ) -> None:
        self._all = tuple(_One(each, salt, tell) for each in declared)

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
                name = one.declared.name
                cure, key = (error.cure, error.key) if isinstance(error, Unloadable) else ("", "")
                raise Unloadable(f"the classifier `{name}`: {error}", cure=cure, key=key, name=name) from None
            if tell is not None:
                tell(one.declared.name, confined)

    def close(self) -> None:
        for one in self._all:
            one.close()

    @property
    def processes(self) -> tuple[int, ...]:
        """Ids of the processes that run now."""
        return tuple(child.pid for one in self._all for child in one.children if child.pid is not None)

    @property
    def tallies(self) -> Mapping[str, Tally]:
        return {one.declared.name: one.tally for one in self._all}

    def scan(self, texts: Iterable[str], unanswered: Unanswered | None = None) -> frozenset[str]:
        """What is found in any of the texts. Never raises. What counts as found because a classifier does not answer goes into
        `unanswered`, where that is given, and is left out of what is found; who is in it already is not asked again."""
        held = tuple(texts)
        silent: Unanswered = {} if unanswered is None else unanswered
        found = frozenset[str]().union(*(one.names(held, silent) for one in self._all))
        return found if unanswered is not None else found.union(*silent.values())

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
