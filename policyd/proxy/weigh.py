"""The features that cost: the prompt's tokens and the detectors' findings, bounded in time and off the event loop.

In comes a reading and what the policy compares with; out come values. The one idea: cheap bounds first. Where the lowest
and the highest possible number of tokens lie between the same two constants of the policy, the decision cannot depend on
the number, and nothing is counted. Where they do not, what was counted in an earlier turn is added up, and the rest is counted until they
do. What fails or takes too long is unknown. It holds no text after it has answered.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Final, TypeVar

from policyd.detect.builtin import DETECTORS
from policyd.detect.engine import Engine
from policyd.detect.scanner import Beside, DetectorFailed, Scanner
from policyd.policy.program import MAX_NUMBER
from policyd.policy.request import EVERYTHING, expand_names
from policyd.proxy.lanes import Lanes, Stopped, shared_lanes, until_stopped
from policyd.traffic.language import preload as load_languages
from policyd.traffic.reading import Reading
from policyd.traffic.tokens import AS_COUNTED, Measure, TokenCounter, least, preload, size_of

__all__ = ["Weigher", "Weight", "settled", "warm"]

T = TypeVar("T")

INLINE: Final = 8 * 1024
"""Bytes of a body up to which it is weighed on the event loop: a thread costs as much as that takes."""

LIKELY: Final = 8
"""Bytes for each token from which the lower bound is likely to be enough."""

SECONDS: Final = 20.0
"""For counting or scanning one body. What takes longer is unknown."""


@dataclass(frozen=True, slots=True)
class Weight:
    """Tokens of the prompt and of the context that is needed. `between`: the bounds, where they were enough."""

    tokens: int
    context_needed: int
    between: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class Weigher:
    """Counts and scans for one sidecar. What it remembers are keyed hashes, with a key of its own. `measure` is how the
    policy's tokens are counted, `counters` who counts instead of the vocabularies of these names, `engine` what finds instead of the built-in
    detectors."""

    def __init__(
        self,
        answer_reserve: int,
        measure: Measure = AS_COUNTED,
        *,
        seconds: float = SECONDS,
        lanes: Lanes | None = None,
        counters: Mapping[str, TokenCounter] | None = None,
        engine: Engine | None = None,
        classifiers: Beside | None = None,
    ) -> None:
        self._lanes = shared_lanes() if lanes is None else lanes
        self._reserve = answer_reserve
        self._seconds = seconds
        self._measure = measure
        self.prefilter = None if engine is None else engine.prefilter
        self._scanner = Scanner(engine, beside=classifiers, salt=os.urandom(32))
        # A question to another process is never waited for on the event loop.
        self._scans_inline = INLINE if classifiers is None else -1
        self._counters = dict(counters or {})

    async def findings(self, reading: Reading, size: int) -> frozenset[str]:
        """What the detectors find; everything where they do not finish. The reading is told who did not answer."""
        unanswered: dict[str, frozenset[str]] = {}
        try:
            found = await self.scanning(partial(_scan, reading, unanswered), size)
        except (DetectorFailed, TimeoutError):
            return EVERYTHING
        if unanswered:
            reading.unanswered = tuple(unanswered.items())
            found = found.union(*unanswered.values())
        return expand_names(found)

    @property
    def scans_inline(self) -> int:
        """Bytes of a body up to which it is scanned on the event loop; -1 for never."""
        return self._scans_inline

    @property
    def scanner(self) -> Scanner:
        """What finds, with its memory; from any thread."""
        return self._scanner

    async def scanning(self, work: Callable[[Scanner, Stopped], T], size: int) -> T:
        """Other work with the detectors, off the event loop unless it is as small as a body of this size. Raises what the work
        raises, and TimeoutError."""
        if size <= self._scans_inline:
            return work(self._scanner, _never)
        return await self._lanes.run(lambda stopped: work(self._scanner, stopped), size, self._seconds)

    def _answer(self, reading: Reading) -> int:
        return self._reserve if reading.max_output is None else reading.max_output

    def by_size(
        self, reading: Reading, size: int, thresholds: Mapping[str, tuple[int, ...]], exact: frozenset[str]
    ) -> Weight | None:
        """The token features where the body's size alone settles them, as it does for most requests: a token is at least
        a byte of the prompt, and JSON never writes text shorter than it is (numbers it may, by a factor below 4)."""
        if exact or not reading.countable:
            return None
        answer, most = self._answer(reading), self._measure.of(4 * size) + reading.extra_tokens
        marks = _marks(thresholds, answer)
        if marks and bisect_right(marks, reading.extra_tokens) != bisect_right(marks, most):
            return None
        high = most if most < MAX_NUMBER else MAX_NUMBER
        between = {
            "tokens": (reading.extra_tokens, most),
            "context_needed": (reading.extra_tokens + answer, most + answer),
        }
        return Weight(high, min(high + answer, MAX_NUMBER), between)

    def marks(
        self, reading: Reading, size: int, thresholds: Mapping[str, tuple[int, ...]]
    ) -> tuple[int, tuple[int, ...]]:
        """What the answer may take of the context, and the numbers of tokens from which on the policy may decide differently,
        as far as a body of this size reaches."""
        answer = self._answer(reading)
        marks = _marks(thresholds, answer)
        first = bisect_right(marks, reading.extra_tokens)
        return answer, marks[first : bisect_right(marks, self._measure.of(4 * size) + reading.extra_tokens)]

    async def tokens(
        self, reading: Reading, size: int, thresholds: Mapping[str, tuple[int, ...]], exact: frozenset[str]
    ) -> Weight:
        """The token features, as far as a policy with these constants can tell numbers apart. `exact`: those whose
        number itself counts."""
        if not reading.countable:
            return _UNKNOWN
        answer = self._answer(reading)
        marks = _marks(thresholds, answer)
        try:
            low, high = await self._run(
                lambda stopped: self._weigh(reading, marks, stopped, exact=bool(exact)), size
            )
        except TimeoutError:
            return _UNKNOWN
        tokens, needed = min(high, MAX_NUMBER), min(high + answer, MAX_NUMBER)
        if low == high:
            return Weight(tokens, needed)
        between = {"tokens": (low, high), "context_needed": (low + answer, high + answer)}
        return Weight(tokens, needed, between)

    def _weigh(
        self, reading: Reading, marks: tuple[int, ...], stopped: Stopped, *, exact: bool
    ) -> tuple[int, int]:
        """At least and at most this many tokens, with no mark between."""
        texts, extra, measure = reading.prompt, reading.extra_tokens, self._measure
        at = tuple(measure.reached_at(mark - extra) for mark in marks)
        # No character has more than four bytes; how many it has is only asked where that is too many.
        low, high = 0, sum(len(text) if text.isascii() else 4 * len(text) for text in texts)
        if exact or not settled(low, high, at):
            low, high = self._between(texts, None if exact else at, measure.vocabulary, stopped)
        return measure.of(low) + extra, measure.of(high) + extra

    def _between(
        self, texts: Iterable[str], marks: tuple[int, ...] | None, vocabulary: str, stopped: Stopped
    ) -> tuple[int, int]:
        """The same of what a vocabulary counts; without marks, the number itself."""
        counter = self._counter(vocabulary)
        known, high = 0, 0
        unknown: list[tuple[str, bytes | None, int]] = []
        for text in until_stopped(texts, stopped):
            key, before = counter.known(text)
            if before is not None:
                known += before
            else:
                unknown.append((text, key, size_of(text)))
                high += unknown[-1][2]
        if marks is not None:
            if settled(known, known + high, marks):
                return known, known + high
            low = _least(unknown, marks[bisect_right(marks, known + high) - 1] - known, high, stopped)
            if settled(known + low, known + high, marks):
                return known + low, known + high
        for text, key, size in unknown:
            # From here on `high` is of the texts behind this one, `left` of what is left of it.
            high, counted, left = high - size, 0, size
            for step in until_stopped(counter.steps(text, key), stopped):
                counted, left = counted + step.tokens, left - step.size
                if marks is not None:
                    bounds = known + counted, known + counted + left + high
                    if settled(*bounds, marks):
                        return bounds
            known += counted
        return known, known

    async def count(
        self, reading: Reading, size: int, vocabulary: str, *, lanes: Lanes | None = None
    ) -> int | None:
        """The tokens of the text itself, as this vocabulary has them; None where they are not known. On threads of these
        `lanes` and never on the event loop, or where requests are weighed."""
        if not reading.countable:
            return None

        def work(stopped: Stopped) -> int:
            return self._between(reading.prompt, None, vocabulary, stopped)[0]

        try:
            if lanes is None:
                return await self._run(work, size)
            return await lanes.run(work, size, self._seconds)
        except TimeoutError:
            return None

    def _counter(self, vocabulary: str) -> TokenCounter:
        found = self._counters.get(vocabulary)
        if found is None:
            # Two threads may come here at once; both use the one that was first.
            made = TokenCounter(vocabulary=vocabulary, salt=os.urandom(32))
            found = self._counters.setdefault(vocabulary, made)
        return found

    async def _run(self, work: Callable[[Stopped], T], size: int) -> T:
        if size <= INLINE:
            return work(_never)
        return await self._lanes.run(work, size, self._seconds)


def _scan(
    reading: Reading, unanswered: dict[str, frozenset[str]], scanner: Scanner, stopped: Stopped
) -> frozenset[str]:
    return scanner.scan(until_stopped(reading.texts, stopped), unanswered)


def _never() -> bool:
    return False


def _least(texts: Iterable[tuple[str, bytes | None, int]], enough: int, most: int, stopped: Stopped) -> int:
    """Tokens that these texts have at least, as far as `enough`. It costs a quarter of counting, so it is only asked for where
    it is likely to be enough: in English and code it is an eighth of the bytes."""
    found = 0
    if most >= LIKELY * enough:
        for text, _, _ in texts:
            for number in until_stopped(least(text), stopped):
                found += number
                if found >= enough:
                    return found
    return found


@lru_cache(maxsize=256)
def _shifted(tokens: tuple[int, ...], context: tuple[int, ...], answer: int) -> tuple[int, ...]:
    return tuple(sorted({*tokens, *(t - answer for t in context)}))


def _marks(thresholds: Mapping[str, tuple[int, ...]], answer: int) -> tuple[int, ...]:
    """Numbers of tokens from which on the policy may decide differently."""
    return _shifted(thresholds.get("tokens", ()), thresholds.get("context_needed", ()), answer)


_UNKNOWN: Final = Weight(MAX_NUMBER, MAX_NUMBER)


def settled(low: int, high: int, marks: tuple[int, ...]) -> bool:
    """Whether every number from `low` to `high` lies between the same two marks. A mark belongs to what it begins."""
    return bisect_right(marks, low) == bisect_right(marks, high)


_SAMPLE: Final = "a text that is long enough to be looked at, with a number or two: 10 and 4111"


def warm(features: frozenset[str], vocabulary: str = AS_COUNTED.vocabulary) -> None:
    """Loads what these features need (a vocabulary, automata): most of a second that no request should wait for."""
    if features & {"tokens", "context_needed"}:
        preload(vocabulary)
    if "language" in features:
        load_languages()
    if "findings" in features:
        Scanner().scan((_SAMPLE,))
        for detector in DETECTORS:
            # Each makes its expressions when it is first asked, which a scan does only where a text may hold something.
            list(detector.find(_SAMPLE.encode()))
