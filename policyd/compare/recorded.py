"""What a change would have meant for requests that were really asked, from the lines of a decision log.

In come two policies together and lines of a log, one at a time; out comes a `Replayed`: how many requests change, for each
pair of deciders and kind. The one idea: a record is a box of cells. What it holds is one atom; what it leaves open, a feature
that nobody needed then, a number of which only bounds were known, a word that was cut, is all that it may have been. Where
every such request changes alike the record counts, and where not it is told as one that leaves the question open. No line is
dropped in silence.
"""

import re
from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, TypeAlias

import orjson

from policyd.compare.deciding import Rule, rule_of, settled, turned
from policyd.compare.partition import Partition, View
from policyd.compare.possible import Possible
from policyd.engine.axes import Axis, BoolAxis, EnumAxis, NameAxis, NumberAxis, StringAxis
from policyd.policy.program import MAX_NUMBER
from policyd.proofs.find import Cell
from policyd.proofs.kinds import Kind
from policyd.proofs.pairs import kind_at
from policyd.proofs.together import Together

__all__ = ["Replay", "Replayed", "Turn", "Wrong"]

_MOST_SPLITS: Final = 2_000
"""Boxes that one record may be taken apart into."""
_MOST_KEPT: Final = 50_000
"""Records whose answer is remembered: traffic repeats itself."""
_MOST_WRONG: Final = 20
_EVERYTHING: Final = "*"
_CUT: Final = "…"
_ESCAPED: Final = re.compile(r"\\u[0-9a-f]{4}")
_COUNTED: Final = frozenset({"tokens", "context_needed", "max_output"})
"""Numbers of which a record says null where nobody bounds or knows them."""

Turn: TypeAlias = tuple[Rule, Rule, Kind]
"""Who decided, who decides, and how the outcome changed."""
_Masks: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Wrong:
    """A line that is no record of a request to these policies."""

    line: int
    why: str


@dataclass(frozen=True, slots=True)
class Replayed:
    """`changed`: records by turn, and the line of the first. `open`: records that leave the question open, by the features
    that they do not hold. `undecided`: requests that were refused before any policy was asked. `wrong`: the first of the
    lines that could not be read, of `unread` in all."""

    records: int
    unchanged: int
    changed: Mapping[Turn, int]
    first: Mapping[Turn, int]
    open: Mapping[tuple[str, ...], int]
    undecided: int
    unread: int
    wrong: tuple[Wrong, ...]


@dataclass(frozen=True, slots=True)
class _Open:
    features: tuple[str, ...]


_Answer: TypeAlias = Turn | _Open | None


class _Unreadable(Exception):
    """The line is no record of a request to these policies; says why."""


@dataclass(slots=True)
class Replay:
    """Takes the lines of a log, and counts."""

    together: Together
    records: int = 0
    unchanged: int = 0
    undecided: int = 0
    unread: int = 0
    _changed: Tally[Turn] = field(default_factory=Tally)
    _first: dict[Turn, int] = field(default_factory=dict)
    _open: Tally[tuple[str, ...]] = field(default_factory=Tally)
    _wrong: list[Wrong] = field(default_factory=list)
    _known: dict[_Masks, _Answer] = field(default_factory=dict)
    _possible: Possible | None = None

    def take(self, number: int, line: bytes) -> None:
        """The next line, with or without its line break; `number` counts from 1."""
        if not line.strip():
            return
        try:
            features = _features(line)
            if features is None:
                self.undecided += 1
                return
            masks = tuple(_mask(axis, features) for axis in self.together.matrix.axes)
        except _Unreadable as wrong:
            self.refuse(number, str(wrong))
            return
        self.records += 1
        answer = self._answer(masks)
        if answer is None:
            self.unchanged += 1
        elif isinstance(answer, _Open):
            self._open[answer.features] += 1
        else:
            self._changed[answer] += 1
            self._first.setdefault(answer, number)

    def refuse(self, number: int, why: str) -> None:
        """Count a line that could not be read."""
        self.unread += 1
        if len(self._wrong) < _MOST_WRONG:
            self._wrong.append(Wrong(number, why))

    @property
    def result(self) -> Replayed:
        return Replayed(
            self.records,
            self.unchanged,
            dict(self._changed),
            dict(self._first),
            dict(self._open),
            self.undecided,
            self.unread,
            tuple(self._wrong),
        )

    def _answer(self, masks: _Masks) -> _Answer:
        if masks in self._known:
            return self._known[masks]
        if all(mask & mask - 1 == 0 for mask in masks):
            answer = self._of_cell(tuple(mask.bit_length() - 1 for mask in masks))
        else:
            answer = self._of_box(masks)
        if len(self._known) < _MOST_KEPT:
            self._known[masks] = answer
        return answer

    def _of_cell(self, cell: Cell) -> _Answer:
        together = self.together
        matched = together.finder.matched(cell)
        kind = kind_at(together, matched)
        if kind is None:
            return None
        before, after = (side.decider(together.matrix, matched) for side in (together.old, together.new))
        return rule_of(before), rule_of(after), kind

    def _of_box(self, masks: _Masks) -> _Answer:
        together = self.together
        axes = together.matrix.axes
        box = {i: mask for i, mask in enumerate(masks) if mask != axes[i].full}
        touching = together.finder.touching(box, together.matrix.every & ~together.matrix.relations)
        if self._possible is None:
            self._possible = Possible(together.matrix)
        partition: Partition[_Answer | str] = Partition(
            together.matrix, self._possible, self._look, _MOST_SPLITS
        )
        answers: set[_Answer | str] = set()
        split: set[int] = set()
        for part in partition.parts(box, touching):
            answers.add(part.answer)
            split |= {i for i, mask in part.box.items() if mask != masks[i]}
        if partition.complete and len(answers) == 1:
            answer = answers.pop()
            return None if isinstance(answer, str) else answer
        unknown = split or {i for i, mask in enumerate(masks) if mask & mask - 1}
        return _Open(tuple(dict.fromkeys(axes[i].feature for i in sorted(unknown))))

    def _look(self, view: View) -> "_Answer | str":
        together = self.together
        before, after = (settled(together, side, view) for side in (together.old, together.new))
        kind = turned(together, before, after, view)
        return "same" if kind is None else (before.rule, after.rule, kind)


def _features(line: bytes) -> Mapping[str, Any] | None:
    """The features that were decided on, or None where nothing was decided."""
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        raise _Unreadable("it is not JSON") from None
    if not isinstance(record, dict) or "features" not in record:
        raise _Unreadable("it is not a record of a decision: it has no `features`")
    features = record["features"]
    if not isinstance(features, dict):
        raise _Unreadable("its `features` are not an object")
    return features if "candidates" in record or "rejected_by" in record else None


def _mask(axis: Axis, features: Mapping[str, Any]) -> int:
    """The atoms that the feature may have been in."""
    if axis.feature not in features:
        return axis.full
    raw = features[axis.feature]
    match axis:
        case NumberAxis():
            return _numbers(axis, raw)
        case EnumAxis():
            if isinstance(raw, str) and raw in axis.index:
                return 1 << axis.index[raw]
        case StringAxis():
            if isinstance(raw, str):
                return _strings(axis, raw)
        case BoolAxis():
            if isinstance(raw, bool):
                return 2 if raw else 1
        case NameAxis():
            if isinstance(raw, list) and all(isinstance(name, str) for name in raw):
                return 2 if axis.name in raw or _EVERYTHING in raw else 1
    raise _outside(axis)


def _numbers(axis: NumberAxis, raw: Any) -> int:
    if isinstance(raw, dict):
        low, high = (_number(axis, raw.get(end)) for end in ("at_least", "at_most"))
    else:
        low = high = _number(axis, raw)
    if not axis.starts[0] <= low <= high <= axis.high:
        raise _outside(axis)
    return (2 << axis.atom_of(high)) - (1 << axis.atom_of(low))


def _number(axis: NumberAxis, raw: Any) -> int:
    if raw is None and axis.feature in _COUNTED:
        return MAX_NUMBER
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        try:
            return date.fromisoformat(raw).toordinal()
        except ValueError:
            pass
    raise _outside(axis)


def _strings(axis: StringAxis, raw: str) -> int:
    """A word of a caller may be cut or escaped, and then is one of several."""
    if _ESCAPED.search(raw):
        return axis.full
    mask = 1 << axis.atom_of(raw)
    if raw.endswith(_CUT):
        begins = raw.removesuffix(_CUT)
        mask |= 1 << axis.open_atom(begins)
        for table in (axis.index, axis.prefixes):
            for word, atom in table.items():
                if word.startswith(begins):
                    mask |= 1 << atom
    return mask


def _outside(axis: Axis) -> _Unreadable:
    return _Unreadable(f"its `{axis.feature}` is no value that either policy knows")
