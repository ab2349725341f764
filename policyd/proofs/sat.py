"""The same small problems for a SAT solver, for the few that outgrow the search of `local`.

In: a `Local` problem and whether time is up. Out: an atom per axis, a conflict, or None where it was not finished. Exact
either way: CaDiCaL decides, and a conflict is the core of the assumptions that it needed. The solver comes with `python-sat`,
which is optional (`pip install 'policyd[sat]'`); without it there is no such search, and the question is not proved.

An atom of an axis is a variable, exactly one of them holds; "outside clause c" is one of the atoms that c does not accept.
Every clause that may rule something out is switched on by an assumption of its own, so that a core names clauses.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

from policyd.proofs.local import Local

__all__ = ["Search", "search"]

Search: TypeAlias = Callable[[Local, Callable[[], bool]], tuple[list[int] | None, int] | None]

_SLICE: Final = 2_000
"""Conflicts between two looks at the clock: some milliseconds."""


def search() -> Search | None:
    """The search by CaDiCaL, None where it is not installed."""
    try:
        from pysat.solvers import Cadical195  # type: ignore[import-untyped]  # noqa: PLC0415
    except ImportError:
        return None
    return lambda local, late: _solve(Cadical195, local, late)


def _solve(solver: Any, local: Local, late: Callable[[], bool]) -> tuple[list[int] | None, int] | None:
    written = _Written(local)
    with solver(bootstrap_with=written.clauses) as opened:
        switches = [written.switch[clause] for clause in written.switch]
        while True:
            if late():
                return None
            opened.conf_budget(_SLICE)
            answer = opened.solve_limited(assumptions=switches)
            if answer is not None:
                break
        if answer:
            holds = {literal for literal in opened.get_model() if literal > 0}
            return [_chosen(atoms, holds) for atoms in written.atoms], 0
        core = set(opened.get_core() or ())
        return None, sum(clause for clause, switch in written.switch.items() if switch in core)


def _chosen(atoms: list[int], holds: set[int]) -> int:
    return next(1 << at for at, variable in enumerate(atoms) if variable in holds)


class _Written:
    """A problem as clauses of literals. `atoms[a]` are the variables of axis `a`, `switch[c]` that of clause `c` (as a mask
    of one bit)."""

    def __init__(self, local: Local) -> None:
        self._local = local
        self._last = 0
        self.clauses: list[list[int]] = []
        self.atoms = [[self._new() for _ in rows] for rows in local.rows]
        for atoms in self.atoms:
            self._exactly_one(atoms)
        self.switch: dict[int, int] = {}
        self._inside: dict[int, int] = {}
        self._met: dict[int, int] = {}
        for clause in _each(local.hard):
            self.clauses.append([-self._on(clause), *self._faces(clause)])
        for need in local.needs:
            self.clauses.append([self._some(need)])
        for rule in local.rules:
            for clause in _each(rule.clauses & ~local.hard):
                outside = self._new()
                self.clauses.append([-outside, *self._faces(clause)])
                for need in rule.needs:
                    self.clauses.append([-self._on(clause), outside, self._some(need)])

    def _new(self) -> int:
        self._last += 1
        return self._last

    def _exactly_one(self, atoms: list[int]) -> None:
        """At least one, and at most one by a ladder: past an atom that holds no other does."""
        self.clauses.append(list(atoms))
        passed = None
        for atom in atoms:
            step = self._new()
            self.clauses.append([-atom, step])
            if passed is not None:
                self.clauses += [[-passed, step], [-passed, -atom]]
            passed = step

    def _on(self, clause: int) -> int:
        if clause not in self.switch:
            self.switch[clause] = self._new()
        return self.switch[clause]

    def _faces(self, clause: int) -> Iterator[int]:
        """The atoms outside the clause."""
        for rows, atoms in zip(self._local.rows, self.atoms, strict=True):
            for row, atom in zip(rows, atoms, strict=True):
                if not row & clause:
                    yield atom

    def _some(self, need: int) -> int:
        """A literal that holds only where some clause of the need matches."""
        if need not in self._met:
            met = self._met[need] = self._new()
            self.clauses.append([-met, *map(self._matching, _each(need))])
        return self._met[need]

    def _matching(self, clause: int) -> int:
        """A literal that holds only where the clause matches."""
        if clause not in self._inside:
            inside = self._inside[clause] = self._new()
            self.clauses.extend([-inside, -atom] for atom in self._faces(clause))
        return self._inside[clause]


def _each(mask: int) -> Iterator[int]:
    """The set bits, as masks."""
    while mask:
        low = mask & -mask
        mask ^= low
        yield low
