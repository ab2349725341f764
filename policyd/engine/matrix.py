"""The matrix: every clause of a policy as one bit, and for each atom of each axis the set of clauses that accept it.

In comes a checked program, out comes its matrix, or the caps it breaks. The one idea: a request picks one atom per
axis, and the AND of the rows of those atoms is the set of clauses that match it. The first route is the top bit, so the
route that decides is a `bit_length()` away. Guards stay apart from routes: multiplied out, k guards make 2^k outcomes.

From the top bit down: routes in order of decision, denies and guards in written order, then relations, which are no
clauses of the policy but the combinations that no request can have.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, overload

from policyd.engine.axes import Axes, Axis, build_axes, runs
from policyd.engine.boxes import MOST_BOXES, Box, Boxer, TooManyBoxes
from policyd.engine.relations import relation_boxes
from policyd.policy.condition import Condition, Has, OneOf, Test, tests_of
from policyd.policy.program import Program
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Span

__all__ = ["MOST_ATOMS", "MOST_ROW_BYTES", "Clause", "Matrix", "Owner", "Sections", "build_matrix"]

MOST_ATOMS: Final = 65_536
"""Atoms of one feature."""
MOST_ROW_BYTES: Final = 256 * 1024 * 1024
"""Bytes of all rows together."""

Owner: TypeAlias = Literal["route", "deny", "guard", "relation"]


@dataclass(frozen=True, slots=True)
class Clause:
    """One box of the condition of route, deny or guard number `owner` (in the program's order), or of a relation."""

    owner_kind: Owner
    owner: int
    box: Box


class Sections(Sequence[int]):
    """For each owner the mask of its clauses, computed when asked for: ten thousand masks of ten thousand bits are not
    worth keeping."""

    __slots__ = ("_ends", "_starts")

    def __init__(self, starts: Sequence[int], ends: Sequence[int]) -> None:
        self._starts = tuple(starts)
        self._ends = tuple(ends)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> "Sections": ...
    def __getitem__(self, index: int | slice) -> "int | Sections":
        if isinstance(index, slice):
            return Sections(self._starts[index], self._ends[index])
        return (1 << self._ends[index]) - (1 << self._starts[index])

    def span(self, index: int) -> range:
        """The bits of one owner's clauses, lowest first."""
        return range(self._starts[index], self._ends[index])


@dataclass(frozen=True, slots=True, eq=False)
class Matrix:
    """A policy as bits. Masks over clauses are ints; `boxes[bit]` and `clauses[bit]` say what a bit is."""

    program: Program
    axes: tuple[Axis, ...]
    table: Axes = field(repr=False)
    clauses: tuple[Clause, ...] = field(repr=False)
    boxes: tuple[Box, ...] = field(repr=False)
    routes: Sections = field(repr=False)
    denies: Sections = field(repr=False)
    guards: Sections = field(repr=False)
    all_routes: int = field(repr=False)
    all_denies: int = field(repr=False)
    all_guards: int = field(repr=False)
    relations: int = field(repr=False)
    guards_on: Mapping[str, int] = field(repr=False)
    """for every target, the clauses of all guards that forbid it"""
    rows: tuple[tuple[int, ...], ...] = field(repr=False)
    """`rows[axis][atom]`: the clauses that accept the atom"""
    constrained: tuple[int, ...] = field(repr=False)
    """`constrained[axis]`: the clauses that do not accept every atom of the axis"""
    boxer: Boxer = field(repr=False)

    @property
    def every(self) -> int:
        """All clauses."""
        return (1 << len(self.clauses)) - 1

    def boxes_of(self, condition: Condition) -> tuple[Box, ...]:
        """Where a condition holds. Raises `TooManyBoxes`.

        INVARIANT: its constants are the program's, its assertions' or those of `extra` (see `build_matrix`)."""
        return self.boxer.boxes(condition)


def build_matrix(program: Program, extra: Sequence[Condition] = ()) -> Matrix | tuple[Diagnostic, ...]:
    """The matrix, or one diagnostic for each cap that is broken. `extra`: further conditions whose constants the axes
    must know; those of assertions, inclusions and redactions are always known."""
    axes = build_axes(program.features, _tests(program, extra))
    big = tuple(_too_many_atoms(program, a) for a in axes.axes if a.size > MOST_ATOMS)
    if big:
        return big
    boxer = Boxer(axes, program.levels)
    found = _all_boxes(program, boxer)
    related = relation_boxes(program.features, axes)
    if related is None:
        found.trouble.append(_too_many_corners())
    if found.trouble or related is None:
        return tuple(found.trouble)
    return _assemble(program, axes, boxer, found, related)


def _tests(program: Program, extra: Sequence[Condition]) -> Iterator[Test]:
    for level in program.levels:
        for start in level.starts:
            yield from tests_of(start.when)
        for raise_ in level.raises:
            yield from tests_of(raise_.when)
            if isinstance(raise_.to, str):
                for rank in range(1, len(level.values)):
                    yield OneOf(raise_.to, frozenset(level.values[rank:]))
    for part in (program.guards, program.denies, program.routes, program.assertions):
        for item in part:
            yield from tests_of(item.condition)
    for inclusion in program.inclusions:
        yield from tests_of(inclusion.scope)
    for target in program.targets:
        if target.redaction is not None:
            yield from (Has("findings", name) for name in target.redaction.names)
    for condition in extra:
        yield from tests_of(condition)


@dataclass(slots=True)
class _Found:
    """Boxes of every route, deny and guard, while they are collected."""

    routes: list[tuple[Box, ...]] = field(default_factory=list)
    denies: list[tuple[Box, ...]] = field(default_factory=list)
    guards: list[tuple[Box, ...]] = field(default_factory=list)
    trouble: list[Diagnostic] = field(default_factory=list)


def _all_boxes(program: Program, boxer: Boxer) -> _Found:
    found = _Found()

    def boxes(kind: str, name: str, condition: Condition, span: Span | None) -> tuple[Box, ...]:
        try:
            return boxer.boxes(condition)
        except TooManyBoxes:
            found.trouble.append(_too_many_boxes(kind, name, span))
            return ()

    found.guards = [boxes("guard", g.name, g.condition, g.span) for g in program.guards]
    found.denies = [boxes("deny", d.name, d.condition, d.span) for d in program.denies]
    found.routes = [boxes("route", r.name, r.condition, r.span) for r in program.routes]
    for a in program.assertions:
        boxes("assert", a.name, a.condition, a.span)
    for i in program.inclusions:
        boxes("include", i.alias, i.scope, i.span)
    return found


def _assemble(
    program: Program, axes: Axes, boxer: Boxer, found: _Found, related: tuple[Box, ...]
) -> Matrix | tuple[Diagnostic, ...]:
    clauses: list[Clause] = [Clause("relation", i, b) for i, b in enumerate(related)]
    relations = (1 << len(clauses)) - 1
    guards = _append(clauses, "guard", found.guards)
    denies = _append(clauses, "deny", found.denies)
    routes = _append(clauses, "route", found.routes)
    size = len(clauses)
    room = (size // 8 + 36) * sum(a.size for a in axes.axes)
    if room > MOST_ROW_BYTES:
        return (_too_large(room),)
    constrained, rows = _rows(axes.axes, [c.box for c in clauses])
    on = {t.name: 0 for t in program.targets}
    for index, guard in enumerate(program.guards):
        for target in guard.hits:
            on[target] |= guards[index]
    return Matrix(
        program=program,
        axes=axes.axes,
        table=axes,
        clauses=tuple(clauses),
        boxes=tuple(c.box for c in clauses),
        routes=routes,
        denies=denies,
        guards=guards,
        all_routes=_whole(found.routes, size),
        all_denies=_whole(found.denies, size - _count(found.routes)),
        all_guards=_whole(found.guards, size - _count(found.routes) - _count(found.denies)),
        relations=relations,
        guards_on=MappingProxyType(on),
        rows=rows,
        constrained=constrained,
        boxer=boxer,
    )


def _count(parts: list[tuple[Box, ...]]) -> int:
    return sum(map(len, parts))


def _whole(parts: list[tuple[Box, ...]], end: int) -> int:
    return (1 << end) - (1 << end - _count(parts))


def _append(clauses: list[Clause], kind: Owner, parts: list[tuple[Box, ...]]) -> Sections:
    """Appends the parts' clauses so that the first part's first box is the highest bit."""
    starts, ends = [0] * len(parts), [0] * len(parts)
    for owner in range(len(parts) - 1, -1, -1):
        starts[owner] = len(clauses)
        clauses.extend(Clause(kind, owner, box) for box in reversed(parts[owner]))
        ends[owner] = len(clauses)
    return Sections(starts, ends)


def _rows(axes: Sequence[Axis], boxes: Sequence[Box]) -> tuple[tuple[int, ...], tuple[tuple[int, ...], ...]]:
    """For each axis the clauses that constrain it, and its rows.

    A row differs from the one before only where the run of some clause's mask begins or ends, so clauses are noted at
    those atoms and toggled while walking the axis once: linear in the clauses, not in clauses times atoms."""
    width = (len(boxes) + 7) // 8
    bearing = [bytearray(width) for _ in axes]
    toggles: list[dict[int, list[int]]] = [{} for _ in axes]
    known: dict[int, tuple[tuple[int, int], ...]] = {}
    for bit, box in enumerate(boxes):
        byte, inside = bit >> 3, 1 << (bit & 7)
        for axis, mask in box.items():
            bearing[axis][byte] |= inside
            spans = known.get(mask)
            if spans is None:
                spans = known[mask] = runs(mask)
            at = toggles[axis]
            for ends in spans:
                for atom in ends:
                    at.setdefault(atom, []).append(bit)
    constrained = tuple(int.from_bytes(b, "little") for b in bearing)
    every = (1 << len(boxes)) - 1
    return constrained, tuple(
        tuple(_walk(every & ~constrained[i], toggles[i], axis.size, width)) for i, axis in enumerate(axes)
    )


def _walk(row: int, toggles: Mapping[int, list[int]], size: int, width: int) -> Iterator[int]:
    for atom in range(size):
        bits = toggles.get(atom, ())
        if len(bits) < 6:
            for bit in bits:
                row ^= 1 << bit
        else:
            change = bytearray(width)
            for bit in bits:
                change[bit >> 3] ^= 1 << (bit & 7)
            row ^= int.from_bytes(change, "little")
        yield row


def _too_many_boxes(kind: str, name: str, span: Span | None) -> Diagnostic:
    return Diagnostic(
        "PD601",
        Severity.ERROR,
        f"the condition of {kind} `{name}` needs more than {MOST_BOXES} alternatives",
        span,
        help="split it into several rules, or take negations of long `or` conditions apart",
    )


def _too_many_atoms(program: Program, axis: Axis) -> Diagnostic:
    return Diagnostic(
        "PD602",
        Severity.ERROR,
        f"the policy tells {axis.size} values of `{axis.feature}` apart, and {MOST_ATOMS} is the most",
        program.feature(axis.feature).span,
        help="test a coarser feature, such as a group or a prefix",
    )


def _too_large(room: int) -> Diagnostic:
    return Diagnostic(
        "PD603",
        Severity.ERROR,
        f"the policy's table would take {room >> 20} MiB, and {MOST_ROW_BYTES >> 20} MiB is the most",
        None,
        help="split the policy, or test fewer different constants",
    )


def _too_many_corners() -> Diagnostic:
    return Diagnostic(
        "PD604",
        Severity.ERROR,
        "the constants of `tokens` and `max_output` are too many to relate to `context_needed`",
        None,
        help="test `context_needed` alone, or fewer different constants",
    )
