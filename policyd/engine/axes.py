"""Axes: each feature's domain cut into the atoms that a policy's constants can tell apart.

In come the features and every test that is made of them; out comes one axis per feature that is tested (one per
mentioned name where a feature holds names). The one idea: within an atom all tests agree, so a request is a point in a
small grid, and a test is a bit mask of atoms. Every atom has at least one concrete value. Atoms are per feature only:
nothing here knows of several features at once (see `relations.py`). A feature with a single atom gets no axis.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from string import ascii_lowercase, digits
from typing import Final, TypeAlias, assert_never

from policyd.policy.condition import AtLeast, Flag, Has, InRange, OneOf, Prefix, Test
from policyd.policy.program import (
    BoolDomain,
    EnumDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    StringDomain,
    Value,
)
from policyd.policy.request import LONGEST_STRING

__all__ = [
    "Axes", "Axis", "BoolAxis", "EnumAxis", "NameAxis", "NumberAxis", "RawTest", "StringAxis", "atoms_in", "build_axes", "runs",
]  # fmt: skip

RawTest: TypeAlias = InRange | OneOf | Prefix | Has | Flag


@dataclass(frozen=True, slots=True, eq=False)
class NumberAxis:
    """Atom `i` is the interval from `starts[i]` to just before the next start; `starts[0]` is the domain's lowest."""

    feature: str
    cost: int
    starts: tuple[int, ...]
    high: int
    name: None = None

    @property
    def size(self) -> int:
        return len(self.starts)

    @property
    def full(self) -> int:
        return (1 << len(self.starts)) - 1

    def mask(self, test: RawTest) -> int:
        assert isinstance(test, InRange)
        first = self.atom_of(max(test.low, self.starts[0]))
        last = self.atom_of(min(test.high, self.high))
        return (1 << last + 1) - (1 << first) if test.low <= test.high else 0

    def atom_of(self, value: Value) -> int:
        return bisect_right(self.starts, value) - 1

    def bounds(self, atom: int) -> tuple[int, int]:
        """The atom's lowest and highest value."""
        after = self.starts[atom + 1] - 1 if atom + 1 < len(self.starts) else self.high
        return self.starts[atom], after

    def representative(self, atom: int) -> Value:
        return self.starts[atom]

    def weight(self, atom: int) -> int:
        low, high = self.bounds(atom)
        return high - low + 1


@dataclass(frozen=True, slots=True, eq=False)
class EnumAxis:
    """Atom `i` is the words `groups[i]`. Of an ordered domain only neighbours share an atom, and atoms keep its order."""

    feature: str
    cost: int
    groups: tuple[tuple[str, ...], ...]
    ordered: bool
    index: Mapping[str, int] = field(repr=False)
    name: None = None

    @property
    def size(self) -> int:
        return len(self.groups)

    @property
    def full(self) -> int:
        return (1 << len(self.groups)) - 1

    def mask(self, test: RawTest) -> int:
        assert isinstance(test, OneOf)
        out = 0
        for value in test.values:
            out |= 1 << self.index[value]
        return out

    def atom_of(self, value: Value) -> int:
        return self.index[value]  # type: ignore[index]

    def representative(self, atom: int) -> Value:
        return self.groups[atom][0]

    def weight(self, atom: int) -> int:
        return len(self.groups[atom])


@dataclass(frozen=True, slots=True, eq=False)
class StringAxis:
    """Atom `i` is the literals `literals[i]` and, where `samples[i]` is not None, every string that is no mentioned
    literal and whose longest mentioned prefix is one of `open_prefixes` of that atom (`""` is any other string)."""

    feature: str
    cost: int
    literals: tuple[tuple[str, ...], ...]
    samples: tuple[str | None, ...]
    index: Mapping[str, int] = field(repr=False)
    """literal to atom"""
    prefixes: Mapping[str, int] = field(repr=False)
    """prefix to the atom of other strings under it; `""` is always there"""
    words: tuple[str, ...] = field(repr=False)
    """the literals, sorted"""
    under: tuple[str, ...] = field(repr=False)
    """the prefixes, sorted"""
    lengths: tuple[int, ...]
    """lengths of prefixes, longest first"""
    opened: int
    """the atoms that hold strings no literal names"""
    name: None = None

    @property
    def size(self) -> int:
        return len(self.literals)

    @property
    def full(self) -> int:
        return (1 << len(self.literals)) - 1

    def mask(self, test: RawTest) -> int:
        out = 0
        match test:
            case OneOf(_, values):
                for value in values:
                    if len(value) <= LONGEST_STRING:
                        out |= 1 << self.index[value]
            case Prefix(_, text):
                for words, table in ((self.words, self.index), (self.under, self.prefixes)):
                    for at in range(bisect_left(words, text), len(words)):
                        if not words[at].startswith(text):
                            break
                        out |= 1 << table[words[at]]
            case _:
                raise AssertionError(f"INVARIANT: a string is not tested by {type(test).__name__}")
        return out

    def atom_of(self, value: Value) -> int:
        assert isinstance(value, str)
        atom = self.index.get(value)
        return self.open_atom(value) if atom is None else atom

    def open_atom(self, value: str) -> int:
        """The atom of a string that is no mentioned literal: that of its longest mentioned prefix."""
        for length in self.lengths:
            atom = self.prefixes.get(value[:length]) if length <= len(value) else None
            if atom is not None:
                return atom
        raise AssertionError("INVARIANT: the empty prefix is always mentioned")

    def representative(self, atom: int) -> Value:
        literals = self.literals[atom]
        if literals:
            return literals[0]
        sample = self.samples[atom]
        assert sample is not None, "INVARIANT: an atom has a literal or a sample"
        return sample

    def weight(self, atom: int) -> int:
        return max(1, len(self.literals[atom]))


@dataclass(frozen=True, slots=True, eq=False)
class BoolAxis:
    """Atom 0 is false, atom 1 true."""

    feature: str
    cost: int
    name: None = None
    size: int = 2
    full: int = 3

    def mask(self, test: RawTest) -> int:
        assert isinstance(test, Flag)
        return 2

    def atom_of(self, value: Value) -> int:
        return 1 if value is True else 0

    def representative(self, atom: int) -> Value:
        return atom == 1

    def weight(self, atom: int) -> int:  # noqa: ARG002 (the signature of every axis)
        return 1


@dataclass(frozen=True, slots=True, eq=False)
class NameAxis:
    """Whether a names feature holds `name` (or one below it): atom 0 no, atom 1 yes."""

    feature: str
    cost: int
    name: str
    size: int = 2
    full: int = 3

    def mask(self, test: RawTest) -> int:
        assert isinstance(test, Has) and test.name == self.name
        return 2

    def atom_of(self, value: Value) -> int:
        return 1 if self.name in value else 0  # type: ignore[operator]

    def representative(self, atom: int) -> Value:
        return frozenset({self.name}) if atom else frozenset()

    def weight(self, atom: int) -> int:  # noqa: ARG002 (the signature of every axis)
        return 1


Axis: TypeAlias = NumberAxis | EnumAxis | StringAxis | BoolAxis | NameAxis


@dataclass(frozen=True, slots=True, eq=False)
class Axes:
    """`axes` in the order of the program's features; `whole` holds features whose every test is constant."""

    axes: tuple[Axis, ...]
    index: Mapping[tuple[str, str | None], int]
    whole: Mapping[tuple[str, str | None], Axis]

    def of(self, feature: str, name: str | None = None) -> int | None:
        """The axis' index, or None where the feature has none."""
        return self.index.get((feature, name))

    def place(self, test: RawTest) -> tuple[int | None, int]:
        """The test's axis and mask; without an axis the mask is 0 (never) or not 0 (always).

        INVARIANT: the test's constants were among those the axes were built from."""
        key = (test.feature, test.name if isinstance(test, Has) else None)
        at = self.index.get(key)
        return at, (self.whole[key] if at is None else self.axes[at]).mask(test)


def build_axes(features: Iterable[Feature], tests: Iterable[Test]) -> Axes:
    """One axis per feature that the tests divide."""
    by: dict[tuple[str, str | None], set[RawTest]] = {}
    for test in tests:
        if not isinstance(test, AtLeast):
            by.setdefault((test.feature, test.name if isinstance(test, Has) else None), set()).add(test)
    axes: list[Axis] = []
    whole: dict[tuple[str, str | None], Axis] = {}
    names: dict[str, list[str]] = {}
    for feature, name in by:
        if name is not None:
            names.setdefault(feature, []).append(name)
    for feature_ in features:
        for name in sorted(names.get(feature_.name, ())) or [None]:  # type: ignore[list-item]
            key = (feature_.name, name)
            if key not in by:
                continue
            axis = _axis(feature_, name, by[key])
            if axis.size > 1:
                axes.append(axis)
            else:
                whole[key] = axis
    return Axes(tuple(axes), {(a.feature, a.name): i for i, a in enumerate(axes)}, whole)


def _axis(feature: Feature, name: str | None, tests: set[RawTest]) -> Axis:
    match feature.domain:
        case NumberDomain(low, high, _):
            ends = ((t.low, t.high + 1) for t in tests if isinstance(t, InRange))
            cuts = {low, *(c for c in chain.from_iterable(ends) if low < c <= high)}
            return NumberAxis(feature.name, feature.cost, tuple(sorted(cuts)), high)
        case EnumDomain(values, ordered):
            return _enum_axis(feature, values, tests, ordered=ordered)
        case StringDomain():
            return _string_axis(feature, tests)
        case BoolDomain():
            return BoolAxis(feature.name, feature.cost)
        case NamesDomain():
            assert name is not None
            return NameAxis(feature.name, feature.cost, name)
        case _:
            assert_never(feature.domain)


def _signatures(tests: set[RawTest]) -> dict[str, list[int]]:
    """For each literal, the value sets it is in (numbered: only equality of the lists matters)."""
    out: dict[str, list[int]] = {}
    ordered = sorted(tuple(sorted(t.values)) for t in tests if isinstance(t, OneOf))
    for number, values in enumerate(ordered):
        for value in values:
            out.setdefault(value, []).append(number)
    return out


def _enum_axis(feature: Feature, values: tuple[str, ...], tests: set[RawTest], *, ordered: bool) -> EnumAxis:
    signature = _signatures(tests)
    groups: dict[tuple[int, ...], list[str]] = {}
    runs_: list[tuple[tuple[int, ...], list[str]]] = []
    for value in values:
        key = tuple(signature.get(value, ()))
        if not ordered:
            groups.setdefault(key, []).append(value)
        elif runs_ and runs_[-1][0] == key:
            runs_[-1][1].append(value)
        else:
            runs_.append((key, [value]))
    found = [g for _, g in runs_] if ordered else list(groups.values())
    index = {v: i for i, g in enumerate(found) for v in g}
    return EnumAxis(feature.name, feature.cost, tuple(map(tuple, found)), ordered, index)


def _string_axis(feature: Feature, tests: set[RawTest]) -> StringAxis:
    """Literals told apart by the sets they are in and the prefixes they have; for each prefix, the other strings below
    it. A prefix as long as the longest admitted string is a literal; a longer one matches nothing."""
    signature = {v: s for v, s in _signatures(tests).items() if len(v) <= LONGEST_STRING}
    texts = {t.text for t in tests if isinstance(t, Prefix)}
    for text in texts:
        if len(text) == LONGEST_STRING:
            signature.setdefault(text, [])
    prefixes = sorted({"", *(t for t in texts if len(t) < LONGEST_STRING)})
    known = set(prefixes) | {t for t in texts if len(t) == LONGEST_STRING}
    lengths = tuple(sorted({len(p) for p in known}, reverse=True))

    def above(text: str) -> tuple[str, ...]:
        return tuple(text[:n] for n in lengths if n <= len(text) and text[:n] in known)

    groups: dict[tuple[object, ...], int] = {}
    literals: list[list[str]] = []
    index: dict[str, int] = {}
    opens: dict[str, int] = {}
    samples: list[str | None] = []

    def group(key: tuple[object, ...]) -> int:
        at = groups.setdefault(key, len(literals))
        if at == len(literals):
            literals.append([])
            samples.append(None)
        return at

    for literal in sorted(signature):
        at = index[literal] = group((tuple(signature[literal]), above(literal)))
        literals[at].append(literal)
    for prefix in [*prefixes[1:], ""]:
        at = opens[prefix] = group(((), above(prefix)))
        samples[at] = next(s for s in _samples(prefix) if s not in signature and above(s)[0] == prefix)
    return StringAxis(
        feature.name,
        feature.cost,
        tuple(map(tuple, literals)),
        tuple(samples),
        index,
        opens,
        tuple(sorted(index)),
        tuple(sorted(opens)),
        tuple(n for n in lengths if n < LONGEST_STRING),
        sum(1 << a for a in set(opens.values())),
    )


_IDEOGRAPHS: Final = (range(0x4E00, 0x9FA6), range(0x20000, 0x2A6DE), range(0x2A700, 0x2B739))
"""Letters that neither compose nor decompose: more of them than an axis may have atoms."""


def _samples(prefix: str) -> Iterator[str]:
    """Strings below the prefix, plain ones first, all in normal form if the prefix is."""
    if not prefix:
        yield "other"
    yield from (prefix + c for c in chain("x", ascii_lowercase, digits))
    yield from (prefix + chr(c) for c in chain.from_iterable(_IDEOGRAPHS))


def runs(mask: int) -> tuple[tuple[int, int], ...]:
    """The runs of set bits, as half-open ranges from the lowest."""
    out = []
    at = 0
    while mask:
        zeros = (mask & -mask).bit_length() - 1
        mask >>= zeros
        at += zeros
        ones = (~mask & (mask + 1)).bit_length() - 1
        out.append((at, at + ones))
        mask >>= ones
        at += ones
    return tuple(out)


def atoms_in(mask: int) -> Iterator[int]:
    """The set bits, lowest first."""
    for low, high in runs(mask):
        yield from range(low, high)
