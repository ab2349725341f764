"""Leaves as source: denies, then routes, first match, then the guards that touch the match.

In comes a leaf of the dispatch tree, out comes the name of a generated function `(v)`. A small leaf is flat code, one
`if` after the other; a large one looks its rules up in rows. Routes behind one that is certain to match are reached only
when guards leave that one nothing; where they are many, that goes through one table for the whole policy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from policyd.engine.axes import atoms_in
from policyd.engine.boxes import Box
from policyd.engine.formula import ALWAYS, NEVER, Formula, Formulas, Or, box_formula, restrict, size_of
from policyd.engine.guarding import Firing, guard_function
from policyd.engine.guardrows import wide_guard_function
from policyd.engine.matrix import Matrix
from policyd.engine.plans import Plans, Rejections, SplitPlans, split_features
from policyd.engine.room import Room
from policyd.engine.rowsource import row_source
from policyd.engine.source import Writer
from policyd.engine.tree import FLAT, Leaf
from policyd.policy.condition import Condition
from policyd.policy.decision import Plan, Reject
from policyd.policy.program import Guard

__all__ = ["LeafWriter"]

_BEHIND: Final = 8
"""Clauses behind a certain one that are still written out."""
_SETS: Final = 64
"""Sets of routes behind certain ones that get functions of their own."""


@dataclass(frozen=True, slots=True)
class _Live:
    """A guard that can fire in a leaf, and where it does there."""

    guard: int
    formula: Formula
    boxes: tuple[Box, ...]


class LeafWriter:
    """Writes leaves of one policy; guard functions and answers are shared between them."""

    def __init__(self, matrix: Matrix, writer: Writer) -> None:
        self.matrix = matrix
        self.program = matrix.program
        self.writer = writer
        self.formulas = Formulas(matrix.table, matrix.program.levels)
        self._whole: dict[tuple[str, int], Formula] = {}
        self._interned: dict[Formula, Formula] = {}
        self._answers: dict[tuple[int, tuple[int, ...]], str] = {}
        self._functions: dict[tuple[object, ...], str] = {}
        self._after: dict[int, str] = {}
        self._rest: str | None = None
        rejections = Rejections(self.program.otherwise, writer.room)
        self._otherwise = writer.thing(rejections[()])
        self._passed = writer.thing(rejections)
        self._denials = [writer.thing(Reject((d.name,), (d.because,), d.status)) for d in self.program.denies]
        self._targets = [tuple(dict.fromkeys(r.targets)) for r in self.program.routes]
        self._splits = [split_features(r) for r in self.program.routes]
        self._hitting = {
            targets: {i for i, g in enumerate(self.program.guards) if not g.hits.isdisjoint(targets)}
            for targets in dict.fromkeys(self._targets)
        }
        self._guards: dict[tuple[int, ...], tuple[Guard, ...]] = {}

    def leaf(self, leaf: Leaf) -> str:
        """The name of the leaf's function."""
        tried, last = self._cut(leaf.live, leaf.known)
        firing = self._firing(leaf.live, leaf.known)
        if leaf.size > FLAT:
            body = ["q = ()", "m = -1", *self._rows_body(tried, leaf.known, firing, last)]
        else:
            body = self._flat_body(tried, leaf.known, firing, last, traced=False)
        return self.writer.function("leaf", "v", body)

    def _cut(self, live: int, known: Box) -> tuple[int, str]:
        """The denies and routes to try, and an expression of `q` (what was passed over) for what comes after them:
        routes behind one that is certain to match are left to a function of their own."""
        routes = live & self.matrix.all_routes
        certain = routes
        for axis, constrained in enumerate(self.matrix.constrained):
            if axis not in known:
                certain &= ~constrained
        behind = 0
        if certain:
            stop = self.matrix.routes.span(self.matrix.clauses[certain.bit_length() - 1].owner).start
            behind = routes & ((1 << stop) - 1)
        if behind.bit_count() <= _BEHIND:
            return live & (self.matrix.all_routes | self.matrix.all_denies), f"{self._passed}[q]"
        return live & (self.matrix.all_routes | self.matrix.all_denies) & ~behind, self._behind(behind)

    def _behind(self, routes: int) -> str:
        """An expression for what comes of these routes. Most leaves share them, so each set is written once; if the sets
        are many, one table of all routes does for the others."""
        if routes not in self._after and len(self._after) < _SETS:
            firing = self._firing(self.matrix.all_guards, {})
            last = f"{self._passed}[q]"
            if len(self._owners(routes)) <= FLAT:
                body = self._flat_body(routes, {}, firing, last, traced=True)
            else:
                body = ["m = -1", *self._rows_body(routes, {}, firing, last)]
            self._after[routes] = self.writer.function("behind", "v, q", body)
        if routes in self._after:
            return f"{self._after[routes]}(v, q)"
        below = self.writer.value((1 << routes.bit_length() - self._base) - 1)
        return f"{self._rest_function()}(v, {below}, q)"

    def _flat_body(
        self, tried: int, known: Box, firing: Sequence[_Live], last: str, *, traced: bool
    ) -> list[str]:
        """One `if` after the other. `traced`: `q` is there already."""
        matrix, writer = self.matrix, self.writer
        lines: list[str] = []
        for deny, bits in self._owners(tried & matrix.all_denies):
            when = self._residual("deny", deny, bits, known)
            if when == ALWAYS:
                return [*lines, f"return {self._denials[deny]}"]
            lines.append(f"if {writer.expression(when)}: return {self._denials[deny]}")
        for route, bits in self._owners(tried & matrix.all_routes):
            when = self._residual("route", route, bits, known)
            opening = [] if when == ALWAYS else [f"if {writer.expression(when)}:"]
            indent = "    " if opening else ""
            constant = self._constant(route, firing)
            if constant is not None:
                lines.extend([*opening, f"{indent}return {constant}"])
                if when == ALWAYS:
                    return lines
                continue
            if not traced:
                traced = True
                lines.append("q = ()")
            answer = self._answer(route, firing)
            lines.extend([*opening, f"{indent}p = {answer}", f"{indent}if p: return p", f"{indent}q += (p,)"])
        if not traced and last == f"{self._passed}[q]":
            return [*lines, f"return {self._otherwise}"]
        return [*lines, *([] if traced else ["q = ()"]), f"return {last}"]

    @property
    def _base(self) -> int:
        """The lowest bit of the routes."""
        return len(self.matrix.clauses) - self.matrix.all_routes.bit_count()

    def _owners(self, live: int) -> list[tuple[int, list[int]]]:
        """The owners of the live clauses from the first to the last, each with its live bits."""
        found: list[tuple[int, list[int]]] = []
        for bit in reversed(list(atoms_in(live))):
            owner = self.matrix.clauses[bit].owner
            if found and found[-1][0] == owner:
                found[-1][1].append(bit)
            else:
                found.append((owner, [bit]))
        return found

    def _residual(self, kind: str, owner: int, bits: Sequence[int], known: Box) -> Formula:
        """What is left of the condition in a leaf: its boxes, or what the author wrote where that is shorter."""
        boxes = [box_formula(self.matrix.boxes[b], known) for b in bits]
        if len(boxes) == 1:
            return boxes[0]
        if ALWAYS in boxes:
            return ALWAYS
        written = restrict(self._condition(kind, owner), known, self.formulas.full)
        joined = Or(tuple(boxes))
        return joined if size_of(joined) < size_of(written) else written

    def _condition(self, kind: str, owner: int) -> Formula:
        key = (kind, owner)
        if key not in self._whole:
            part: dict[str, Sequence[object]] = {
                "deny": self.program.denies,
                "guard": self.program.guards,
                "route": self.program.routes,
            }
            condition: Condition = part[kind][owner].condition  # type: ignore[attr-defined]
            self._whole[key] = self.formulas.of(condition)
        return self._whole[key]

    def _firing(self, live: int, known: Box) -> list[_Live]:
        """The guards that can fire in the leaf, with where they do."""
        found = []
        for guard, bits in self._owners(live & self.matrix.all_guards):
            formula = self._residual("guard", guard, bits, known)
            if formula != NEVER:
                boxes = tuple(self._beyond(b, known) for b in bits)
                found.append(_Live(guard, self._interned.setdefault(formula, formula), boxes))
        return found

    def _relevant(self, route: int, firing: Sequence[_Live]) -> list[_Live]:
        hitting = self._hitting[self._targets[route]]
        return [x for x in firing if x.guard in hitting]

    def _beyond(self, bit: int, known: Box) -> Box:
        """The clause's box without the axes that the leaf decided."""
        return {a: m for a, m in self.matrix.boxes[bit].items() if a not in known}

    def _constant(self, route: int, firing: Sequence[_Live]) -> str | None:
        """The route's answer where no guard touches it, if it is a plan that depends on nothing else."""
        if not self._targets[route] or self._relevant(route, firing) or self._splits[route]:
            return None
        plan = Plans(self.program.routes[route], (), Room(0))[0]
        assert isinstance(plan, Plan)
        key = (route, ())
        if key not in self._answers:
            self._answers[key] = self.writer.thing(plan)
        return self._answers[key]

    def _answer(self, route: int, firing: Sequence[_Live]) -> str:
        """An expression for the route's answer."""
        function, plans = self._answer_parts(route, firing)
        return f"{function}(v, {plans})"

    def _answer_parts(self, route: int, firing: Sequence[_Live]) -> tuple[str, str]:
        relevant = self._relevant(route, firing)
        targets = self._targets[route]
        keys = self._splits[route]
        tail = f"P.at(m, {', '.join(f'v.{self.writer.slots[k]}' for k in keys)})" if keys else "P[m]"
        shape = (targets, tail, tuple((x.guard, id(x.formula)) for x in relevant))
        if shape not in self._functions:
            guards = [Firing(x.formula, x.boxes, self._hits(x.guard, targets)) for x in relevant]
            whole = (1 << len(targets)) - 1
            self._functions[shape] = guard_function(self.writer, guards, whole, tail) or wide_guard_function(
                self.writer, guards, whole, tail
            )
        return self._functions[shape], self._plans(route, tuple(x.guard for x in relevant), split=bool(keys))

    def _hits(self, guard: int, targets: Sequence[str]) -> int:
        hits = self.program.guards[guard].hits
        return sum(1 << i for i, t in enumerate(targets) if t in hits)

    def _plans(self, route: int, guards: tuple[int, ...], *, split: bool) -> str:
        key = (route, (-1, *guards))
        if key not in self._answers:
            if guards not in self._guards:
                self._guards[guards] = tuple(self.program.guards[g] for g in guards)
            kind = SplitPlans if split else Plans
            self._answers[key] = self.writer.thing(
                kind(self.program.routes[route], self._guards[guards], self.writer.room)
            )
        return self._answers[key]

    def _rest_function(self) -> str:
        """The table of every route, for what comes after a route that was passed over."""
        if self._rest is None:
            every = self.matrix.every
            body = self._rows_body(self.matrix.all_routes, {}, self._firing(every, {}), f"{self._passed}[q]")
            self._rest = self.writer.function("rest", "v, m, q", body)
        return self._rest

    def _rows_body(self, tried: int, known: Box, firing: Sequence[_Live], last: str) -> list[str]:
        """A loop over rows: bit `i` of `m` is the `i`th of the clauses in `tried`, lowest first."""
        matrix, writer = self.matrix, self.writer
        bits = list(atoms_in(tried))
        rows = row_source(writer, [self._beyond(b, known) for b in bits])
        denies = sum(1 for b in bits if matrix.clauses[b].owner_kind == "deny")
        starts: list[int] = []
        answers: list[str] = []
        made: dict[int, str] = {}
        for at, bit in enumerate(bits):
            clause = matrix.clauses[bit]
            same = at and matrix.clauses[bits[at - 1]].owner == clause.owner and at != denies
            starts.append(starts[-1] if same else at)
            if clause.owner_kind == "deny":
                answers.append(self._denials[clause.owner])
                continue
            if clause.owner not in made:
                function, plans = self._answer_parts(clause.owner, firing)
                made[clause.owner] = f"({function}, {plans})"
            answers.append(made[clause.owner])
        need, start = writer.value(rows.need), writer.value(tuple(starts))
        table = writer.listing(answers)
        whole = writer.value((1 << len(bits)) - 1)
        body = [f"m &= {' & '.join([whole, *rows.cheap])}", "got = 0"]
        if denies:
            body += [
                f"x = m & {writer.value((1 << denies) - 1)}",
                "while x:",
                "    i = x.bit_length() - 1",
                *self._asking(need, rows.fetch("        "), costly=bool(rows.costly)),
                f"    return {table}[i]",
            ]
        return [
            *body,
            f"x = m >> {denies} << {denies}" if denies else "x = m",
            "while x:",
            "    i = x.bit_length() - 1",
            *self._asking(need, rows.fetch("        "), costly=bool(rows.costly)),
            f"    g, P = {table}[i]",
            "    p = g(v, P)",
            "    if p: return p",
            "    q += (p,)",
            f"    x &= (1 << {start}[i]) - 1",
            f"return {last}",
        ]

    def _asking(self, need: str, fetch: Sequence[str], *, costly: bool) -> list[str]:
        if not costly:
            return []
        return [f"    k = {need}[i] & ~got", "    if k:", *fetch, "        x &= m", "        continue"]
