"""Python source for tests, formulas and functions, without any text of the policy in it.

Out come lines of source and the namespace they run in: every word of a policy is a numbered constant there (`K0`, `K1`,
…), only numbers are written out. Functions with equal bodies are written once. The same policy gives the same source
byte for byte: nothing here iterates over a set.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from policyd.engine.axes import Axis, BoolAxis, EnumAxis, NameAxis, NumberAxis, StringAxis, atoms_in, runs
from policyd.engine.formula import And, Formula, Or, Some, cost_of, size_of
from policyd.engine.plans import Left
from policyd.engine.room import LONGEST_KEY, Room
from policyd.policy.condition import Prefix
from policyd.policy.program import Value

__all__ = ["Lookup", "Membership", "Writer", "segments"]

_DEEP: Final = 6
"""Brackets inside brackets before the inner part becomes a function of its own: CPython refuses deep nesting."""
_LONG: Final = 6
"""Tests in an inner part from which on it becomes a function, shared by everything that asks the same."""


class Membership(dict[str, bool]):
    """Whether a string lies in an atom mask; remembers what it was asked."""

    __slots__ = ("axis", "mask", "room")

    def __init__(self, axis: StringAxis, mask: int, room: Room) -> None:
        super().__init__()
        self.axis, self.mask, self.room = axis, mask, room

    def __missing__(self, value: str) -> bool:
        inside = bool(self.mask >> self.axis.atom_of(value) & 1)
        if len(value) <= LONGEST_KEY and self.room.take():
            self[value] = inside
        return inside


class Lookup(dict[str, object]):
    """A value per string: words of exceptional atoms are entered, others found once and then remembered."""

    __slots__ = ("axis", "default", "exceptions", "room")

    def __init__(self, axis: StringAxis, default: object, exceptions: dict[int, object], room: Room) -> None:
        super().__init__((word, value) for atom, value in exceptions.items() for word in axis.literals[atom])
        self.axis, self.default, self.exceptions, self.room = axis, default, exceptions, room

    def __missing__(self, value: str) -> object:
        found = self.exceptions.get(self.axis.atom_of(value), self.default)
        if len(value) <= LONGEST_KEY and self.room.take():
            self[value] = found
        return found


def segments(marks: Iterable[tuple[int, int]], base: int, size: int) -> tuple[tuple[int, int], ...]:
    """(first atom, value) for each stretch of the `size` atoms with one value, from atom 0. A value is `base` with the bits of each
    mark (atom mask, bits) whose mask holds the atom. Linear in the runs of the masks, not in the atoms."""
    toggles: dict[int, int] = {0: 0}
    for mask, bits in marks:
        for ends in runs(mask):
            for atom in ends:
                toggles[atom] = toggles.get(atom, 0) ^ bits
    out: list[tuple[int, int]] = []
    value = base
    for atom in sorted(toggles):
        if atom == size:
            break
        value ^= toggles[atom]
        if not out or out[-1][1] != value:
            out.append((atom, value))
    return tuple(out)


class Writer:
    """Collects functions and constants. `slots`: feature to the attribute of the vector that holds it."""

    def __init__(self, axes: Sequence[Axis], slots: Mapping[str, str], filename: str) -> None:
        self.axes = tuple(axes)
        self.costs = tuple(a.cost for a in axes)
        self.full = tuple(a.full for a in axes)
        self.slots = slots
        self.filename = filename
        self.room = Room()
        self._flushed = 0
        self._tuples: list[str] = []
        self.namespace: dict[str, object] = {"bis": bisect_right}
        self.lines: list[str] = []
        self._things = 0
        self._values: dict[tuple[str, object], str] = {}
        self._functions: dict[tuple[str, str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._tests: dict[tuple[int, int], str] = {}
        self._prefixes: dict[int, dict[int, str]] = {}
        self._parts: dict[Formula, str] = {}
        self._tables: dict[tuple[int, tuple[tuple[int, object], ...]], str] = {}

    def thing(self, value: object) -> str:
        """A constant of its own."""
        name = f"K{self._things}"
        self._things += 1
        self.namespace[name] = value
        return name

    def flush(self) -> None:
        """Compiles and runs the functions written since the last time, so that tables can hold them."""
        self.lines.extend(self._tuples)
        self._tuples.clear()
        text = "\n".join(self.lines[self._flushed :]) + "\n"
        above = sum(part.count("\n") + 1 for part in self.lines[: self._flushed])
        self._flushed = len(self.lines)
        exec(compile("\n" * above + text, self.filename, "exec"), self.namespace)

    @property
    def source(self) -> str:
        return "\n".join(self.lines) + "\n"

    def value(self, value: Value | tuple[object, ...]) -> str:
        """A constant shared by equal values."""
        key = (type(value).__name__, value)
        if key not in self._values:
            self._values[key] = self.thing(value)
        return self._values[key]

    def listing(self, items: Sequence[str]) -> str:
        """A tuple of constants and functions by name, written once the functions are there."""
        text = f"({', '.join(items)},)"
        key = ("tuple", "", text)
        if key not in self._functions:
            self._functions[key] = f"T{len(self._functions)}"
            self._tuples.append(f"{self._functions[key]} = {text}\n")
        return self._functions[key]

    def left(self, whole: int, hits: tuple[int, ...]) -> str:
        """A constant that maps fired guards to the candidates left."""
        key = ("Left", (whole, hits))
        if key not in self._values:
            self._values[key] = self.thing(Left(whole, hits, self.room))
        return self._values[key]

    def function(self, kind: str, arguments: str, body: Sequence[str]) -> str:
        """Writes a function, or finds the one with the same body. `body` lines are indented by the caller below one level."""
        text = "\n".join(f"    {line}" for line in body)
        key = (kind, arguments, text)
        if key not in self._functions:
            number = self._counts.get(kind, 0)
            self._counts[kind] = number + 1
            self._functions[key] = name = f"{kind}{number}"
            self.lines.append(f"def {name}({arguments}):\n{text}\n")
        return self._functions[key]

    def read(self, axis: int) -> str:
        return f"v.{self.slots[self.axes[axis].feature]}"

    def test(self, axis: int, mask: int) -> str:
        """An expression that is true where the request's atom is in the mask; it binds tighter than `and`."""
        key = (axis, mask)
        if key not in self._tests:
            self._tests[key] = self._test(axis, mask)
        return self._tests[key]

    def _test(self, at: int, mask: int) -> str:
        axis, read = self.axes[at], self.read(at)
        match axis:
            case BoolAxis():
                return read if mask == 2 else f"not {read}"
            case NameAxis(_, _, name):
                return f"{self.value(name)} {'in' if mask == 2 else 'not in'} {read}"
            case NumberAxis():
                return self._number_test(axis, read, mask)
            case EnumAxis():
                return self._words_test(axis.groups, read, mask, axis.full)
            case StringAxis():
                return self._string_test(axis, at, read, mask)

    def _number_test(self, axis: NumberAxis, read: str, mask: int) -> str:
        spans = runs(mask)
        if len(spans) > 3:
            return self.table(self.axes.index(axis), segments([(mask, 1)], 0, axis.size))
        parts = []
        for first, end in spans:
            low, high = axis.starts[first], axis.bounds(end - 1)[1]
            if first == 0:
                parts.append(f"{read} <= {high}")
            elif end == axis.size:
                parts.append(f"{read} >= {low}")
            else:
                parts.append(f"{low} <= {read} <= {high}" if low < high else f"{read} == {low}")
        return parts[0] if len(parts) == 1 else f"({' or '.join(parts)})"

    def _words_test(self, groups: Sequence[Sequence[str]], read: str, mask: int, full: int) -> str:
        words = [w for a in atoms_in(mask) for w in groups[a]]
        others = [w for a in atoms_in(full & ~mask) for w in groups[a]]
        if len(words) <= len(others) or len(others) > 1:
            return (
                f"{read} == {self.value(words[0])}"
                if len(words) == 1
                else f"{read} in {self.value(frozenset(words))}"
            )
        return f"{read} != {self.value(others[0])}"

    def _string_test(self, axis: StringAxis, at: int, read: str, mask: int) -> str:
        if not mask & axis.opened:
            words = [w for a in atoms_in(mask) for w in axis.literals[a]]
            return (
                f"{read} == {self.value(words[0])}"
                if len(words) == 1
                else f"{read} in {self.value(frozenset(words))}"
            )
        beside = axis.full & ~mask
        if not beside & axis.opened:
            words = [w for a in atoms_in(beside) for w in axis.literals[a]]
            test = "!=" if len(words) == 1 else "not in"
            return f"{read} {test} {self.value(words[0] if len(words) == 1 else frozenset(words))}"
        prefixes = self._prefix_masks(axis, at)
        for inside, negation in ((mask, ""), (beside, "not ")):
            if inside in prefixes:
                return f"{negation}{read}.startswith({self.value(prefixes[inside])})"
        return f"{self.thing(Membership(axis, mask, self.room))}[{read}]"

    def _prefix_masks(self, axis: StringAxis, at: int) -> dict[int, str]:
        if at not in self._prefixes:
            self._prefixes[at] = {axis.mask(Prefix(axis.feature, p)): p for p in axis.under if p}
        return self._prefixes[at]

    def table(self, at: int, stretches: tuple[tuple[int, object], ...]) -> str:
        """An expression for the value that belongs to the request's atom on the axis, the values being given by stretches
        of atoms (see `segments`). Equal tables are one."""
        key = (at, stretches)
        if key not in self._tables:
            self._tables[key] = self._table(at, stretches)
        return self._tables[key]

    def _table(self, at: int, stretches: tuple[tuple[int, object], ...]) -> str:
        axis, read = self.axes[at], self.read(at)
        match axis:
            case NumberAxis():
                cuts = self.value(tuple(axis.starts[a] for a, _ in stretches[1:]))
                return f"{self.thing(tuple(x for _, x in stretches))}[bis({cuts}, {read})]"
            case EnumAxis():
                by_atom = _by_atom(stretches, axis.size)
                return f"{self.thing({w: by_atom[a] for w, a in axis.index.items()})}[{read}]"
            case StringAxis():
                ends = [*(start for start, _ in stretches[1:]), axis.size]
                spans = [(range(s, e), x) for (s, x), e in zip(stretches, ends, strict=True)]
                default = next(x for atoms, x in spans if axis.prefixes[""] in atoms)
                other = {a: x for atoms, x in spans if x != default for a in atoms}
                return f"{self.thing(Lookup(axis, default, other, self.room))}[{read}]"
            case BoolAxis():
                return f"{self.thing(tuple(_by_atom(stretches, 2)))}[{read}]"
            case NameAxis(_, _, name):
                return f"{self.thing(tuple(_by_atom(stretches, 2)))}[{self.value(name)} in {read}]"

    def expression(self, formula: Formula, depth: int = 0) -> str:
        """An expression for the formula, cheap and decisive tests first. In brackets where `and` would bind wrongly."""
        match formula:
            case Some(axis, mask):
                return self.test(axis, mask)
            case And(()):
                return "True"
            case Or(()):
                return "False"
            case _:
                if depth >= _DEEP or (depth and size_of(formula) >= _LONG):
                    return self._hoist(formula)
                texts = self._texts(formula, depth)
                if len(texts) == 1:
                    return texts[0]
                return (
                    " and ".join(texts)
                    if isinstance(formula, And) and not depth
                    else self._bracket(formula, texts)
                )

    def _texts(self, formula: And | Or, depth: int) -> list[str]:
        """The parts' expressions in order. Tests of one set of names stand behind a look at whether it is empty, as it
        mostly is."""
        deciding = isinstance(formula, Or)
        named: dict[str, list[str]] = {}
        found: list[tuple[tuple[float, ...], str | list[str], str]] = []
        for part in formula.parts:
            urgency = self._urgency(part, decided=deciding)
            if (
                isinstance(part, Some)
                and isinstance(self.axes[part.axis], NameAxis)
                and part.mask == 1 + deciding
            ):
                read = self.read(part.axis)
                if read not in named:
                    named[read] = []
                    found.append((urgency, named[read], read))
                named[read].append(self.test(part.axis, part.mask))
            else:
                found.append((urgency, self.expression(part, depth + 1), ""))
        found.sort(key=lambda item: item[0])
        return [
            text if isinstance(text, str) else _names_text(text, read, deciding=deciding)
            for _, text, read in found
        ]

    def _bracket(self, formula: And | Or, texts: list[str]) -> str:
        return f"({(' and ' if isinstance(formula, And) else ' or ').join(texts)})"

    def _hoist(self, formula: And | Or) -> str:
        if formula not in self._parts:
            body = f"return {self.expression(formula)}"
            self._parts[formula] = self.function("part", "v", [body])
        return f"{self._parts[formula]}(v)"

    def _urgency(self, formula: Formula, *, decided: bool) -> tuple[float, ...]:
        """Sort key: cost first, then short before long, then the test most likely to end the evaluation. `decided`: a
        true part does."""
        likely = 0.5
        named = 0
        if isinstance(formula, Some):
            axis = self.axes[formula.axis]
            likely = formula.mask.bit_count() / axis.size
            named = isinstance(axis, NameAxis)
        return (cost_of(formula, self.costs), size_of(formula), named, -likely if decided else likely)


def _by_atom(stretches: tuple[tuple[int, object], ...], size: int) -> list[object]:
    out: list[object] = []
    for at, (start, value) in enumerate(stretches):
        end = stretches[at + 1][0] if at + 1 < len(stretches) else size
        out.extend([value] * (end - start))
    return out


def _names_text(tests: list[str], read: str, *, deciding: bool) -> str:
    if len(tests) == 1:
        return tests[0]
    return f"({read} and ({' or '.join(tests)}))" if deciding else f"(not {read} or ({' and '.join(tests)}))"
