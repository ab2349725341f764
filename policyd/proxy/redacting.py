"""What can be taken out of one request, worked out when it is first asked for, and asked again of the bytes that go.

In come a request as it was read and what serves; out go the names that cannot be taken out (the feature `unredactable`), the
request without what a plan's redaction names (`Plain`), and, of bytes on their way to a target, what must not be in them.
The one idea: whatever goes on is made of the redacted body and of nothing else, in every form in which a target may get it,
and no decision, attempt or translation sees the other one. What takes too long or fails is everything. It decides nothing.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial

from policyd.detect.scanner import DetectorFailed, Scanner
from policyd.policy.program import Program, Redaction, Target, Value
from policyd.policy.request import EVERYTHING, expand_names
from policyd.proxy.lanes import Stopped, until_stopped
from policyd.proxy.translated import Speech, Translation
from policyd.proxy.way import Way
from policyd.proxy.weigh import Weigher
from policyd.redact.extent import covered
from policyd.redact.redacted import Redacted, found_in, redacted, still_in
from policyd.traffic.body import Body
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.reading import Reading
from policyd.translate.directions import DIRECTIONS
from policyd.translate.loss import Loss

__all__ = ["Plain", "Redacting", "Redactions", "left_in_bytes", "redactions_of"]

DEARER = 4
"""A byte costs more to redact than to scan: a body leaves the event loop that much earlier."""


@dataclass(frozen=True, slots=True)
class Redactions:
    """What a policy redacts anywhere: its variants, the different sets of names, the key of placeholders, and the endpoints
    that are translated for any target."""

    variants: Mapping[str, Target]
    names: tuple[tuple[str, ...], ...]
    key: bytes
    translated: frozenset[str]


def redactions_of(program: Program, key: str | None, translated: frozenset[str]) -> Redactions | None:
    """None for a policy that redacts nothing. `translated`: the endpoints that are translated for any target."""
    variants = {t.name: t for t in program.targets if t.redaction is not None}
    if not variants:
        return None
    names = sorted({t.redaction.names for t in variants.values() if t.redaction is not None})
    return Redactions(variants, tuple(names), _own_key() if key is None else key.encode(), translated)


@lru_cache(maxsize=1)
def _own_key() -> bytes:
    """For as long as the process lives, whatever is loaded anew."""
    return os.urandom(32)


@dataclass(frozen=True, slots=True)
class Plain:
    """A request as it goes on. `taken` is what was taken out of it, or None where nothing is redacted."""

    body: Body
    reading: Reading
    translation: Translation
    taken: Redacted | None = None
    restored: bool = False


class Redacting:
    """Of one request. What was worked out for a set of names is kept for as long as the same policy asks."""

    __slots__ = ("_endpoint", "_made", "_plain")

    def __init__(self, endpoint: EndpointName, plain: Plain) -> None:
        self._endpoint = endpoint
        self._plain = plain
        self._made: dict[tuple[object, ...], tuple[Redacted, Translation, frozenset[str]]] = {}

    async def unredactable(
        self, redactions: Redactions, values: Mapping[str, Value], weigher: Weigher
    ) -> frozenset[str]:
        """The findings that any of the policy's redactions names and cannot take out."""
        found = values.get("findings")
        if found is EVERYTHING:
            # What was not scanned cannot be redacted.
            return EVERYTHING
        out: set[str] = set()
        for names in redactions.names:
            if isinstance(found, frozenset) and not any(covered(name, names) for name in found):
                continue
            try:
                out |= (await self._without(names, redactions, weigher))[2]
            except (DetectorFailed, TimeoutError):
                return EVERYTHING
        return expand_names(out)

    async def without(
        self, redaction: Redaction, redactions: Redactions, weigher: Weigher
    ) -> Plain | frozenset[str]:
        """The request to send, or what would be left in it."""
        try:
            taken, translation, left = await self._without(redaction.names, redactions, weigher)
        except (DetectorFailed, TimeoutError):
            return frozenset(redaction.names)
        if left:
            return left
        return Plain(taken.body, taken.reading, translation, taken, redaction.restored)

    async def _without(
        self, names: tuple[str, ...], redactions: Redactions, weigher: Weigher
    ) -> tuple[Redacted, Translation, frozenset[str]]:
        of = (names, redactions.key, redactions.translated, weigher)
        made = self._made.get(of)
        if made is None:
            work = partial(self._work, names, redactions)
            made = self._made[of] = await weigher.scanning(work, len(self._plain.body.raw) * DEARER)
        return made

    def _work(
        self, names: tuple[str, ...], redactions: Redactions, scanner: Scanner, stopped: Stopped
    ) -> tuple[Redacted, Translation, frozenset[str]]:
        def watched(texts: Iterable[str]) -> Iterable[str]:
            return until_stopped(texts, stopped)

        plain, endpoint = self._plain, self._endpoint
        taken = redacted(endpoint, plain.body, plain.reading, names, scanner, redactions.key, watched)
        same = taken.body is plain.body
        translation = plain.translation if same else Translation(endpoint, taken.body)
        left = set(taken.left)
        # Headers and query go on as they came.
        beside = scanner.scan(text for _, text in plain.reading.beside)
        left |= {name for name in beside if covered(name, names)}
        if translation.may_differ(redactions.translated):
            for other in translation.readings(redactions.translated):
                left |= (
                    set(names)
                    if other.refused is not None
                    else found_in(other, names, scanner, taken.values, watched)
                )
            if not same and endpoint in redactions.translated and isinstance(translation.said(), Loss):
                left |= set() if isinstance(plain.translation.said(), Loss) else set(names)
        return taken, translation, frozenset(left)


def left_in_bytes(
    redaction: Redaction, goes: Plain, endpoint: EndpointName, speech: Mapping[str, Speech], scanner: Scanner
) -> Callable[[str, Way], frozenset[str]]:
    """Asks, just before bytes are handed to the gate, what of the redaction's names is in them, whatever they were made of."""
    names = redaction.names
    values = {} if goes.taken is None else goes.taken.values

    def left_in(target: str, way: Way) -> frozenset[str]:
        translates = endpoint.value in speech[target].translates
        form = EndpointName(DIRECTIONS[endpoint.value].into) if translates else endpoint
        try:
            return still_in(form, way.body, names, values, scanner)
        except DetectorFailed:
            return frozenset(names)

    return left_in
