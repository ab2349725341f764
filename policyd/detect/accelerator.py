"""Hyperscan as a prefilter: one pass over a text says which expressions could match anywhere in it, and RE2 finds where.

In: detectors that say by which `expression` they find. Out: for a text, the numbers of those that could find anything. The
one idea: what hyperscan reports too much costs a look, what it reports too little would be a leak, so an expression is left
to it only when a self-test at load found no text that RE2 matches and it does not. What fails stays with RE2, and what is
found is the same either way.

Threads: from any; each has scratch memory of its own.
"""

import threading
from collections.abc import Iterator, Sequence
from typing import Any, Final

from policyd.detect.detector import Detector, compiled
from policyd.detect.rules import expression_of
from policyd.detect.samples import samples

__all__ = ["Accelerator", "accelerate"]

SAMPLES: Final = 12
ROUNDS: Final = 4
FILLER: Final = (b"", b"aB3_ ", b"\n", b'key="', b"0123456789abcdef" * 8, b" lorem ipsum " * 20)
"""What stands around a sample in the self-test."""


class Accelerator:
    """`covered` are the numbers of the detectors that are asked only where `possible` has them; `tried` is how many
    expressions were held against RE2."""

    __slots__ = ("_database", "_ids", "_local", "covered", "tried")

    def __init__(self, database: Any, ids: Sequence[int], tried: int) -> None:
        self._database = database
        self._ids = tuple(ids)
        self._local = threading.local()
        self.covered = frozenset(ids)
        self.tried = tried

    def possible(self, data: bytes) -> set[int]:
        """Of the covered detectors, those that could find anything."""
        import hyperscan  # noqa: PLC0415

        scratch = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = hyperscan.Scratch(self._database)
        seen: set[int] = set()

        def matched(number: int, _from: int, _to: int, _flags: int, _context: object) -> None:
            seen.add(number)

        self._database.scan(data, match_event_handler=matched, scratch=scratch)
        return {self._ids[number] for number in seen}


def accelerate(detectors: Sequence[Detector]) -> Accelerator | None:
    """An accelerator for those of them that pass; None where none does, or where the library takes none of them."""
    wanted = [n for n, d in enumerate(detectors) if d.expression is not None and _takes(d)]
    trials = {n: list(_trials(detectors[n])) for n in wanted}
    covered = [n for n in wanted if trials[n]]
    for _ in range(ROUNDS):
        if not covered:
            return None
        accelerator = Accelerator(_database([detectors[n] for n in covered]), covered, len(wanted))
        failed = {n for n in covered if any(n not in accelerator.possible(text) for text in trials[n])}
        if not failed:
            return accelerator
        covered = [n for n in covered if n not in failed]
    return None


def _database(detectors: Sequence[Detector]) -> Any:
    import hyperscan  # noqa: PLC0415

    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[(d.expression or "").encode() for d in detectors],
        ids=list(range(len(detectors))),
        flags=[_flags(d) for d in detectors],
    )
    return database


def _flags(detector: Detector) -> int:
    """Never DOTALL: in RE2 a dot ends at a line's end."""
    import hyperscan  # noqa: PLC0415

    return int(hyperscan.HS_FLAG_SINGLEMATCH | (hyperscan.HS_FLAG_UTF8 if detector.unicode else 0))


def _takes(detector: Detector) -> bool:
    """Whether hyperscan compiles it at all. One that it does not would spoil the compilation of all."""
    import hyperscan  # noqa: PLC0415

    try:
        _database([detector])
    except hyperscan.error:
        return False
    return True


def _trials(detector: Detector) -> Iterator[bytes]:
    """Texts in which RE2 finds the expression: samples of it, alone and in what may stand around them."""
    expression = detector.expression or ""
    by_re2 = expression_of(expression) if detector.unicode else compiled(expression)
    for number, sample in enumerate(samples(expression, SAMPLES)):
        if detector.unicode and not _is_utf8(sample):
            continue
        before, after = FILLER[number % len(FILLER)], FILLER[(number * 5 + 1) % len(FILLER)]
        for text in (sample, before + sample + after, before[:16] * 40 + sample, sample + sample):
            if by_re2.search(text) is not None:
                yield text


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
