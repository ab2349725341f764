"""Policies in which one target says one thing of itself that is wrong, or one route redacts less.

In comes the text that a policy was read from; out goes a mutant for each fact that could be another: the other location,
another target's region or retention, `yes` for `no`. The file is changed and everything is read again, since the predicates of
guards and assertions are settled while reading. A route's redaction loses one of its names, all of them, or `after redaction`. A change that no longer reads is left out when it is tried. Numbers and sets are left alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from policyd.policy.builtins import LOCATIONS
from policyd.policy.program import Program
from policyd.resolve.load import Loaded, load
from policyd.resolve.reading import Held
from policyd.syntax import nodes
from policyd.syntax.parse import parse
from policyd.syntax.writing import redaction_words
from policyd.text.source import Source
from policyd.trials.mutants import Mutant

__all__ = ["mutants_of_facts", "mutants_of_redactions"]

_TURNED: Final = {"yes": "no", "no": "yes", "true": "false", "false": "true"}


def mutants_of_facts(path: str, loaded: Loaded) -> Iterator[Mutant]:
    """In written order."""
    texts = {source.name: source.text for source in loaded.sources}
    targets = [(source, t) for source in loaded.sources for t in _targets(source)]
    for source, target in targets:
        for fact in target.facts:
            value = fact.values[0]
            was = " ".join(value.span.text.split())
            for now in _others(fact, [t for _, t in targets]):
                changed = source.text[: value.span.start] + now + source.text[value.span.end :]
                name = fact.name.text
                said = f"`{name} {was}` became `{name} {now}` in target `{target.name.text}`"
                yield Mutant(said, partial(_read, path, {**texts, source.name: changed}), value.span)


def mutants_of_redactions(path: str, loaded: Loaded) -> Iterator[Mutant]:
    """In written order. `restored` is left alone: no decision depends on it."""
    texts = {source.name: source.text for source in loaded.sources}
    for source in loaded.sources:
        for route in _routes(source):
            for said, now in _less(route):
                assert route.redaction is not None  # INVARIANT: only a redaction can be less
                at = route.redaction.span
                changed = source.text[: at.start] + now + source.text[at.end :]
                told = f"{said} in route `{route.name.text}`"
                yield Mutant(told, partial(_read, path, {**texts, source.name: changed}), at)


def _less(route: nodes.Route) -> Iterator[tuple[str, str]]:
    """What was taken away, and the redaction without it."""
    redaction = route.redaction
    if redaction is None:
        return
    yield "the redaction was dropped", ""
    if len(redaction.names) > 1:
        for name in redaction.names:
            names = tuple(n for n in redaction.names if n is not name)
            yield f"`{name.value}` is no longer redacted", redaction_words(replace(redaction, names=names))
    if redaction.after:
        yield "`after redaction` was dropped", redaction_words(replace(redaction, after=False))


def _routes(source: Source) -> tuple[nodes.Route, ...]:
    if not source.name.endswith(".policy"):
        return ()
    return tuple(s for s in parse(source).module.statements if isinstance(s, nodes.Route))


def _read(path: str, texts: Mapping[str, str]) -> Program | None:
    read = load(Path(path), files=Held(texts)).program
    return None if read is None else replace(read, tests=())


def _targets(source: Source) -> tuple[nodes.Target, ...]:
    if not source.name.endswith(".policy"):
        return ()
    return tuple(s for s in parse(source).module.statements if isinstance(s, nodes.Target))


def _others(fact: nodes.FactEntry, targets: Sequence[nodes.Target]) -> tuple[str, ...]:
    """What the fact could say instead."""
    if len(fact.values) != 1 or not isinstance(fact.values[0], nodes.Word | nodes.Boolean | nodes.Duration):
        return ()
    own = fact.values[0]
    if own.span.text in _TURNED:
        return (_TURNED[own.span.text],)
    if fact.name.text == "location":
        return tuple(word for word in LOCATIONS if word != own.span.text)
    stated = (f.values for t in targets for f in t.facts if f.name.text == fact.name.text)
    others = {" ".join(v[0].span.text.split()): None for v in stated if len(v) == 1 and v[0] != own}
    return tuple(others)
