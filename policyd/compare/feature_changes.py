"""What changed in how a request becomes values: features, where they come from, and what unknown means.

In come two policies; out come the changes in words. Whether a value lies in a feature's domain is a question about requests
and answered there too; here it is said where it stands. Built-in features never change.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeAlias, assert_never

from policyd.compare.declared import Declared, DeclaredKind, matched
from policyd.compare.fact_text import duration_text
from policyd.policy.program import (
    BoolDomain,
    Classify,
    Domain,
    EnumDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    Program,
    Provenance,
    StringDomain,
    Unknown,
)
from policyd.policy.written import value_text

__all__ = ["UnknownTurn", "feature_changes", "unknown_text"]

UnknownTurn: TypeAlias = Callable[[Feature, Feature], tuple[DeclaredKind, str]]
"""What happens to requests of which a feature is not known, where unknown meant one value and means another."""


def feature_changes(old: Program, new: Program, turn: UnknownTurn) -> Iterator[Declared]:
    """Every change of a declared feature or of a level, in the old order."""
    for before, after in matched(_declared(old), _declared(new), lambda f: f.name):
        if before is None:
            if after is not None:
                yield _added(after)
        elif after is None:
            yield _removed(before)
        else:
            yield from _changed(before, after, turn)
    for level, new_level in matched(old.levels, new.levels, lambda x: x.name):
        yield from _level(level, new_level)


def unknown_text(feature: Feature) -> str:
    """What unknown means, as the author wrote it."""
    match feature.unknown:
        case Unknown.REJECT:
            return "reject"
        case Unknown.NEVER:
            return "never"
        case Unknown.EVERYTHING:
            return "every finding"
        case value:
            return value_text(value, unit=_unit(feature.domain)) if value != "" else '""'


def _declared(program: Program) -> tuple[Feature, ...]:
    """Those that an author or an author's words bring. Budgets are told by themselves."""
    return tuple(f for f in program.features if f.where.kind not in {"builtin", "ledger"})


def _added(feature: Feature) -> Declared:
    if feature.where.kind == "conversation":
        return Declared(DeclaredKind.TIGHTER, f"{_called(feature)} raises it now", None, feature.span)
    text = f"{_called(feature)} is new, read from {_source(feature)}"
    if feature.unknown is Unknown.REJECT:
        return Declared(DeclaredKind.TIGHTER, f"{text}: a request without it is refused", None, feature.span)
    if isinstance(feature.domain, StringDomain):
        return Declared(DeclaredKind.CHANGED, text, None, feature.span)
    return Declared(
        DeclaredKind.TIGHTER, f"{text}: a value outside its domain is refused", None, feature.span
    )


def _removed(feature: Feature) -> Declared:
    if feature.where.kind == "conversation":
        return Declared(DeclaredKind.LOOSER, f"{_called(feature)} raises it no longer", feature.span)
    text = f"{_called(feature)}, which was read from {_source(feature)}, is gone"
    if feature.unknown is Unknown.REJECT:
        return Declared(
            DeclaredKind.LOOSER, f"{text}: a request without it is no longer refused", feature.span
        )
    if isinstance(feature.domain, StringDomain):
        return Declared(DeclaredKind.CHANGED, text, feature.span)
    return Declared(
        DeclaredKind.LOOSER, f"{text}: a value outside its domain is no longer refused", feature.span
    )


def _changed(old: Feature, new: Feature, turn: UnknownTurn) -> Iterator[Declared]:
    for found in (_provenance(old, new), _where(old, new), _domain(old, new), _unknown(old, new, turn)):
        if found is not None:
            yield Declared(*found, old.span, new.span)


def _level(old: Classify | None, new: Classify | None) -> Iterator[Declared]:
    """A level is shown by what is decided; said is only which one is meant."""
    if old is None:
        if new is not None:
            yield Declared(DeclaredKind.WORDING, f"level `{new.name}` is new", None, new.span)
    elif new is None:
        yield Declared(DeclaredKind.WORDING, f"level `{old.name}` is gone", old.span)
    elif old != new:
        if old.kept is not None and new.kept is not None and old.kept != new.kept:
            kind = DeclaredKind.LOOSER if new.kept < old.kept else DeclaredKind.TIGHTER
            text = f"what a conversation keeps of `{new.name}` is kept for {duration_text(new.kept)}, and was for {duration_text(old.kept)}"
            yield Declared(kind, text, old.span, new.span)
            if replace(old, kept=None) == replace(new, kept=None):
                return
        text = f"`{new.name}` is computed in another way now; `{new.name} (new)` is what the new policy means by it"
        yield Declared(DeclaredKind.WORDING, text, old.span, new.span)


_Said = tuple[DeclaredKind, str]


def _provenance(old: Feature, new: Feature) -> _Said | None:
    if old.provenance is new.provenance:
        return None
    text = f"{_called(new)} was {old.provenance}, from {_source(old)}, and is {new.provenance}, from {_source(new)}"
    if new.provenance is Provenance.CLAIMED:
        return DeclaredKind.LOOSER, f"{text}: the caller now chooses it"
    return DeclaredKind.TIGHTER, f"{text}: the caller no longer chooses it"


def _where(old: Feature, new: Feature) -> _Said | None:
    if old.where == new.where or old.provenance is not new.provenance:
        return None
    return DeclaredKind.JUDGED, f"{_called(new)} was read from {_source(old)}, and is from {_source(new)}"


def _domain(old: Feature, new: Feature) -> _Said | None:
    if old.domain == new.domain:
        return None
    text = f"the domain of {_called(new)} was {_domain_text(old.domain)} and is {_domain_text(new.domain)}"
    match old.domain, new.domain:
        case NumberDomain(low, high, unit), NumberDomain(new_low, new_high, new_unit) if unit == new_unit:
            grew, shrank = new_low < low or new_high > high, new_low > low or new_high < high
        case EnumDomain(values), EnumDomain(new_values):
            grew, shrank = bool({*new_values} - {*values}), bool({*values} - {*new_values})
        case EnumDomain(), StringDomain():
            grew, shrank = True, False
        case StringDomain(), EnumDomain():
            grew, shrank = False, True
        case _:
            more = f"`{new.name} (new)` is what the new policy reads, and neither takes the other's values"
            return DeclaredKind.LOOSER, f"{text}, which is another kind: {more}"
    if grew:
        return DeclaredKind.LOOSER, f"{text}: values that were refused are let in"
    if shrank:
        return DeclaredKind.TIGHTER, f"{text}: values that were let in are refused"
    return DeclaredKind.CHANGED, text


def _unknown(old: Feature, new: Feature, turn: UnknownTurn) -> _Said | None:
    if old.unknown == new.unknown and type(old.unknown) is type(new.unknown):
        return None
    text = f"unknown {_called(new)} meant {_meaning(old)} and means {_meaning(new)}"
    if old.unknown is Unknown.REJECT:
        return DeclaredKind.LOOSER, f"{text}: a request without it is no longer refused"
    if new.unknown is Unknown.REJECT:
        return DeclaredKind.TIGHTER, f"{text}: a request without it is refused"
    if type(old.domain) is not type(new.domain):
        return DeclaredKind.LOOSER, text
    kind, said = turn(old, new)
    return kind, f"{text}: {said}"


def _meaning(feature: Feature) -> str:
    return f"`{unknown_text(feature)}`"


def _called(feature: Feature) -> str:
    if feature.where.kind == "label":
        return f"the label in header `{feature.where.key}`"
    if feature.where.kind == "conversation":
        return f"what a conversation keeps of `{feature.where.key}`"
    return f"feature `{feature.name}`"


def _source(feature: Feature) -> str:
    match feature.where.kind:
        case "header" | "label":
            return f"header `{feature.where.key}`"
        case "identity" | "deployment" as kind:
            return f"{kind} `{feature.where.key}`"
        case kind:
            return kind


def _domain_text(domain: Domain) -> str:
    match domain:
        case NumberDomain(low, high, unit):
            return f"`{value_text(low, unit=unit)}..{value_text(high, unit=unit)}`"
        case EnumDomain(values, ordered):
            return f"`{{ {(' < ' if ordered else ', ').join(values)} }}`"
        case StringDomain():
            return "any string"
        case BoolDomain():
            return "`true` or `false`"
        case NamesDomain():
            return "sets of names"
        case _:
            assert_never(domain)


def _unit(domain: Domain) -> str:
    return domain.unit if isinstance(domain, NumberDomain) else "count"
