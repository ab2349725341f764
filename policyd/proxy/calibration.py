"""Our estimate of a prompt's tokens beside the number that the target reported.

In comes a request that has ended; out go comparisons, to telemetry and to the page of targets. The one idea: an estimate that
was made anyway costs nothing to compare, and of the requests whose tokens nobody had to count one in so many is counted now, after its
answer, on a thread of its own, one at a time. What does not fit in is skipped: this is a sample, and delays nobody.

It compares what an operator can set (`tokenizer`, `tokens_scale` of a target), and changes nothing by itself.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

from policyd.policy.program import MAX_NUMBER
from policyd.proxy.lanes import Lanes
from policyd.proxy.live import Live
from policyd.proxy.record import Record
from policyd.traffic.reading import Flag, Reading
from policyd.traffic.tokens import Measure

__all__ = ["Calibration", "Compared", "Comparison"]

LARGEST: Final = 1024 * 1024
"""Bytes of a body that is counted for this alone."""

ENOUGH: Final = 256
"""Tokens of text from which a request says something about the scale."""

MOST_TARGETS: Final = 1000

_COUNTS: Final = frozenset({"tokens", "context_needed"})


class Comparison(NamedTuple):
    """One request. `named` is the model in the caller's words."""

    live: Live
    target: str
    named: str
    estimated: int
    reported: int


@dataclass(slots=True)
class Compared:
    """All comparisons at one target, under one measure. `text` is what the vocabulary counted, and `text_reported` what the target's
    numbers leave for it beside images and framing; ratios are estimate by report, `largest_scale` what one request needed."""

    measure: Measure
    requests: int = 0
    estimated: int = 0
    reported: int = 0
    lowest: float = 0.0
    highest: float = 0.0
    text: int = 0
    text_reported: int = 0
    largest_scale: float = 0.0

    def add(self, counted: int, extra: int, estimated: int, reported: int) -> None:
        ratio = estimated / reported
        self.lowest = ratio if self.requests == 0 else min(self.lowest, ratio)
        self.highest = max(self.highest, ratio)
        self.requests += 1
        self.estimated += estimated
        self.reported += reported
        if counted >= ENOUGH:
            self.text += counted
            self.text_reported += max(0, reported - extra)
            self.largest_scale = max(self.largest_scale, (reported - extra) / counted)

    @property
    def fitting_scale(self) -> float | None:
        """The scale that would have been right on the whole."""
        return self.text_reported / self.text if self.text else None


class Calibration:
    """Of one event loop. `tell` is called for each comparison."""

    __slots__ = ("_compared", "_lanes", "_since", "_task", "_tell")

    def __init__(self, tell: Callable[[Comparison], None]) -> None:
        self._tell = tell
        self._compared: dict[str, Compared] = {}
        self._lanes = Lanes(small=1)
        self._since = 0
        self._task: asyncio.Task[None] | None = None

    def view(self) -> Mapping[str, Compared]:
        return self._compared

    def ended(self, live: Live, record: Record, reading: Reading | None) -> None:
        """A request that has ended, with the reading of its body, if it came so far."""
        usage, target = record.told.usage, record.target
        if usage is None or not usage.input or target is None or reading is None or record.status >= 300:
            return
        if not reading.countable or Flag.SERVER_TOOLS in reading.flags or target not in live.measures:
            return
        measure = live.measures[target]
        tokens = record.features.get("tokens")
        if (
            type(tokens) is int
            and tokens < MAX_NUMBER
            and "tokens" not in record.between
            and measure.vocabulary == live.measure.vocabulary
        ):
            # Where it was scaled, up to a token.
            counted = (tokens - reading.extra_tokens) * 1000 // live.measure.permille
            self._compare(live, target, reading, counted, usage.input)
            return
        self._since += 1
        sample = live.deployment.tokens.sample
        # The first one at a target is counted in any case: an operator wants to see something.
        if sample == 0 or (self._since < sample and target in self._compared):
            return
        if self._task is None and record.bytes_in <= LARGEST and not live.read.isdisjoint(_COUNTS):
            self._since = 0
            counting = self._count(live, target, reading, record.bytes_in, usage.input)
            self._task = asyncio.get_running_loop().create_task(counting)

    async def _count(self, live: Live, target: str, reading: Reading, size: int, reported: int) -> None:
        try:
            vocabulary = live.measures[target].vocabulary
            counted = await live.weigher.count(reading, size, vocabulary, lanes=self._lanes)
        finally:
            self._task = None
        if counted is not None:
            self._compare(live, target, reading, counted, reported)

    def _compare(self, live: Live, target: str, reading: Reading, counted: int, reported: int) -> None:
        measure = live.measures[target]
        extra = reading.extra_tokens_at(live.bindings[target].model_for(reading.model))
        estimated = measure.of(counted) + extra
        known = self._compared.get(target)
        if known is None or known.measure != measure:
            if known is None and len(self._compared) >= MOST_TARGETS:
                # Those of earlier policies; what serves now comes again.
                self._compared.clear()
            known = self._compared[target] = Compared(measure)
        known.add(counted, extra, estimated, reported)
        self._tell(Comparison(live, target, reading.model, estimated, reported))
