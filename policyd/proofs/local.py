"""A small problem of boxes, searched to the end.

In: clauses as boxes over a few atoms per axis, renumbered from bit 0; which of them must not match (`hard`), masks of which
some clause must match (`needs`), and rules, which either match no clause of theirs or have all their needs met. Out: an
atom per axis, or a *conflict*: clauses that together leave nothing. Exact either way; `spend` ends a search by raising.

The idea: propagate over all clauses at once (a clause is one bit), branch on the faces of one clause, the ways to meet one
need, or the rules in the way, and let each narrowing carry the clauses and decisions that it rests on. A part that was
refuted without its decision refutes its siblings as well. It knows no routes and no guards, and no other axes than its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = ["Local", "Rule", "Solver"]


@dataclass(frozen=True, slots=True)
class Rule:
    """Out of the way where none of its clauses match, or where something of each of its needs does."""

    clauses: int
    needs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Local:
    """INVARIANT: `rows[a]` are the distinct rows of axis `a` (the clauses that accept an atom), the one to prefer first, and
    `constrained[a]` the clauses that one of them does not accept. `count` clauses in all."""

    count: int
    rows: Sequence[Sequence[int]]
    constrained: Sequence[int]
    hard: int
    needs: tuple[int, ...] = ()
    rules: tuple[Rule, ...] = ()


@dataclass(slots=True)
class _State:
    """`domain[a]`: the atoms left on an axis, `because[a]` the clauses and decisions that this rests on. `live`: clauses
    that may still match and still matter. `why`: what makes clauses hard that were not from the start. `open[a]`: the live
    clauses that some atom left accepts and some does not."""

    live: int
    hard: int
    domain: list[int]
    because: list[int]
    needs: list[tuple[int, int]]
    rules: list[Rule]
    why: list[tuple[int, int]]
    open: list[int]

    def copy(self) -> "_State":
        return _State(
            self.live,
            self.hard,
            self.domain[:],
            self.because[:],
            self.needs[:],
            self.rules[:],
            self.why[:],
            self.open,
        )


class Solver:
    """One search over one problem."""

    __slots__ = ("_bearing", "_constrained", "_local", "_rows", "_spend")

    def __init__(self, local: Local, spend: Callable[[], None]) -> None:
        self._local = local
        self._rows = local.rows
        self._constrained = local.constrained
        self._spend = spend
        self._bearing: dict[int, list[int]] = {}

    def solve(self) -> tuple[list[int] | None, int]:
        """The atoms left on each axis, any of which will do, or None with the conflict."""
        local = self._local
        axes = len(local.rows)
        state = _State(
            (1 << local.count) - 1,
            local.hard,
            [(1 << len(rows)) - 1 for rows in local.rows],
            [0] * axes,
            [(need, 0) for need in local.needs],
            list(local.rules),
            [],
            [0] * axes,
        )
        domain, conflict = self._search(state, 0)
        return domain, conflict & ((1 << local.count) - 1)

    def _search(self, s: _State, depth: int) -> tuple[list[int] | None, int]:
        self._spend()
        conflict = self._propagate(s)
        if conflict is not None:
            return None, conflict
        soft = s.live & _clauses(s.rules)
        if soft:
            return self._by_rules(s, depth, soft)
        hard = s.live & s.hard
        if s.needs:
            ways = min((need & s.live & ~s.hard for need, _ in s.needs), key=int.bit_count)
            if not hard or ways.bit_count() <= 3:
                return self._by_ways(s, depth, ways)
        if hard:
            return self._by_faces(s, depth, self._choose(s, hard))
        return s.domain, 0

    # Propagation.

    def _propagate(self, s: _State) -> int | None:
        """Draw every conclusion that needs no branch; a conflict where nothing is left."""
        changed = True
        harm = helpful = 0
        while True:
            if changed:
                harm = s.hard | _clauses(s.rules)
                helpful = self._helpful(s)
                s.live &= harm | helpful
                changed = False
            if self._narrow(s, harm, helpful):
                continue
            once = twice = 0
            for mask in s.open:
                twice |= once & mask
                once |= mask
            certain = s.live & ~once
            full = certain & s.hard
            if full:
                return self._reason(s, full & -full)
            if s.needs:
                changed, conflict = self._meet_needs(s, certain)
                if conflict is not None:
                    return conflict
            if s.rules and self._judge_rules(s, certain):
                changed = True
            units = once & ~twice & s.live & s.hard
            if units:
                conflict = self._leave(s, units)
                if conflict is not None:
                    return conflict
            elif not changed:
                return None

    @staticmethod
    def _helpful(s: _State) -> int:
        """The clauses that meet a need."""
        helpful = 0
        for need, _ in s.needs:
            helpful |= need
        for rule in s.rules:
            for need in rule.needs:
                helpful |= need
        return helpful & ~s.hard

    def _narrow(self, s: _State, harm: int, helpful: int) -> bool:
        """One pass over the axes: drop clauses that no atom left can match, and settle an axis on an atom that avoids all
        that may harm and has all that may help. True where something changed."""
        before = s.live
        settled = False
        live = before
        opened = s.open = [0] * len(self._rows)
        for axis, constrained in enumerate(self._constrained):
            here = live & constrained
            if not here:
                continue
            rows = self._rows[axis]
            left = s.domain[axis]
            if not left & (left - 1):
                live &= ~here | rows[left.bit_length() - 1]
                continue
            bad, good = here & harm, here & helpful
            union = 0
            common = -1
            free = helps = 0
            while left:
                low = left & -left
                left ^= low
                row = rows[low.bit_length() - 1]
                if not row & bad:
                    if not good:
                        free = low
                        break
                    if not free or (row & good).bit_count() > helps.bit_count():
                        free, helps = low, row & good
                union |= row
                common &= row
            if free and helps == union & good:
                s.domain[axis] = free
                live &= ~here | helps
                settled = True
                continue
            live &= ~here | union
            opened[axis] = here & ~common
        s.live = live
        return settled or live != before

    def _meet_needs(self, s: _State, certain: int) -> tuple[bool, int | None]:
        """Drop needs that are met, and go inside the only clause that can meet one."""
        changed = False
        kept = []
        for need, because in s.needs:
            if need & certain:
                changed = True
                continue
            kept.append((need, because))
            ways = need & s.live & ~s.hard
            if not ways:
                return True, because | self._unmet(s, need)
            if not ways & (ways - 1) and self._enter(s, ways, because | self._unmet(s, need)):
                changed = True
        s.needs = kept
        return changed, None

    def _judge_rules(self, s: _State, certain: int) -> bool:
        """Drop rules that are out of the way. What cannot be met makes a rule hard; what surely matches makes it a need."""
        kept = []
        for rule in s.rules:
            clauses = rule.clauses & s.live
            unmet = [need for need in rule.needs if not need & certain]
            if not clauses or not unmet:
                continue
            hopeless = next((need for need in unmet if not need & s.live & ~s.hard), None)
            if hopeless is not None:
                s.why.append((clauses & ~s.hard, self._unmet(s, hopeless)))
                s.hard |= clauses
            elif clauses & certain:
                match = clauses & certain
                because = self._reason(s, match & -match)
                s.needs.extend((need, because) for need in unmet)
            else:
                kept.append(rule)
        changed = len(kept) < len(s.rules)
        s.rules = kept
        return changed

    def _leave(self, s: _State, units: int) -> int | None:
        """Each of these clauses can be avoided on one axis only: narrow that."""
        for axis, mask in enumerate(s.open):
            forced = mask & units
            if forced:
                because = self._reason(s, forced)
                s.domain[axis] = self._outside(axis, s.domain[axis], forced)
                s.because[axis] |= because
                if not s.domain[axis]:
                    return s.because[axis]
        return None

    def _enter(self, s: _State, clause: int, because: int) -> bool:
        """Go inside a clause. True where that narrows an axis."""
        changed = False
        for axis in self._axes(clause):
            inside = s.domain[axis] & ~self._outside(axis, s.domain[axis], clause)
            if inside != s.domain[axis]:
                s.domain[axis] = inside
                s.because[axis] |= because
                changed = True
        return changed

    # Reasons: masks of clauses, with decisions as further bits.

    def _axes(self, clauses: int) -> list[int]:
        """The axes that the clauses constrain."""
        axes = self._bearing.get(clauses)
        if axes is None:
            axes = self._bearing[clauses] = [a for a, c in enumerate(self._constrained) if c & clauses]
        return axes

    def _reason(self, s: _State, clauses: int) -> int:
        """Why these clauses cannot be avoided further."""
        out = clauses
        for axis in self._axes(clauses):
            out |= s.because[axis]
        for mask, because in s.why:
            if mask & clauses:
                out |= because
        return out

    def _unmet(self, s: _State, need: int) -> int:
        """Why no more of these clauses can match."""
        out = need & s.hard
        for axis in self._axes(need):
            out |= s.because[axis]
        for mask, because in s.why:
            if mask & need:
                out |= because
        return out

    # Branching.

    def _by_faces(self, s: _State, depth: int, clause: int) -> tuple[list[int] | None, int]:
        """Leave one hard clause by each of its faces in turn; the parts are disjoint."""
        decision = 1 << self._local.count + depth
        conflict = self._reason(s, clause)
        faces = []
        for axis, mask in enumerate(s.open):
            if mask & clause:
                outside = self._outside(axis, s.domain[axis], clause)
                faces.append((axis, outside, s.domain[axis] & ~outside))
        faces.sort(key=lambda face: -face[1].bit_count())
        for axis, outside, inside in faces:
            part = s.copy()
            part.domain[axis] = outside
            part.because[axis] |= decision
            solution, because = self._search(part, depth + 1)
            if solution is not None or not because & decision:
                return solution, because
            conflict |= because ^ decision
            s.domain[axis] = inside
            s.because[axis] |= because ^ decision
        return None, conflict

    def _by_ways(self, s: _State, depth: int, ways: int) -> tuple[list[int] | None, int]:
        """Meet one need by each of the clauses that can, those first that help most."""
        decision = 1 << self._local.count + depth
        need, conflict = next((n, b) for n, b in s.needs if n & s.live & ~s.hard == ways)
        conflict |= self._unmet(s, need)
        wanted = [n for n, _ in s.needs] + [n for rule in s.rules for n in rule.needs]
        order = []
        while ways:
            clause = ways & -ways
            ways ^= clause
            order.append((-sum(1 for n in wanted if n & clause), clause))
        for _, clause in sorted(order):
            part = s.copy()
            self._enter(part, clause, decision)
            solution, because = self._search(part, depth + 1)
            if solution is not None or not because & decision:
                return solution, because
            conflict |= because ^ decision
        return None, conflict

    def _by_rules(self, s: _State, depth: int, soft: int) -> tuple[list[int] | None, int]:
        """First outside every clause of the rules. Where that leaves nothing, only the clauses of that conflict can be in
        the way: inside each of them in turn, the needs of its rules have to be met."""
        decision = 1 << self._local.count + depth
        part = s.copy()
        part.hard |= soft
        part.why.append((soft, decision))
        part.rules = []
        solution, conflict = self._search(part, depth + 1)
        if solution is not None or not conflict & decision:
            return solution, conflict
        conflict ^= decision
        used = conflict & soft
        while used:
            clause = used & -used
            used ^= clause
            part = s.copy()
            self._enter(part, clause, decision)
            needs = {need for rule in s.rules if rule.clauses & clause for need in rule.needs}
            part.needs.extend((need, decision) for need in sorted(needs))
            part.rules = [rule for rule in s.rules if not rule.clauses & clause]
            solution, because = self._search(part, depth + 1)
            if solution is not None or not because & decision:
                return solution, because
            conflict |= because ^ decision
            s.hard |= clause
            s.why.append((clause, because ^ decision))
        return None, conflict

    def _outside(self, axis: int, domain: int, clauses: int) -> int:
        """The atoms of the domain that none of the clauses accepts."""
        rows = self._rows[axis]
        left = domain
        while left:
            low = left & -left
            left ^= low
            if rows[low.bit_length() - 1] & clauses:
                domain ^= low
        return domain

    def _choose(self, s: _State, clauses: int) -> int:
        """The clause with the fewest faces that covers the most; a dozen are looked at."""
        best = clauses & -clauses
        best_score = float("inf")
        for _ in range(12):
            if not clauses:
                break
            clause = clauses & -clauses
            clauses ^= clause
            share = 1.0
            faces = 0
            for axis, mask in enumerate(s.open):
                if mask & clause:
                    outside = self._outside(axis, s.domain[axis], clause)
                    share *= 1 - outside.bit_count() / s.domain[axis].bit_count()
                    faces += 1
            score = faces - 3 * share
            if score < best_score:
                best, best_score = clause, score
        return best


def _clauses(rules: Sequence[Rule]) -> int:
    mask = 0
    for rule in rules:
        mask |= rule.clauses
    return mask
