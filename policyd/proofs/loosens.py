"""What a caller may not gain: claimed features that loosen, and unknown ones that do.

Both compare a request with its *twin*, the same request but for one feature. A target is gained when no guard removes it
from the request and some guard removes it from the twin; a deny is lifted when no deny holds for the request and one
holds for the twin.

- claimed loosens: the request has some value of a claimed feature, the twin has it absent.
- unknown loosens: the request has a feature unknown, which for a claimed one is absent, and the twin has some value of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from policyd.policy.builtins import UNSCANNED
from policyd.policy.evaluate import evaluate
from policyd.policy.possible import agree
from policyd.policy.program import Feature, Provenance
from policyd.policy.request import Request, admit, unknown_value
from policyd.policy.tasks import TIED, with_task
from policyd.proofs.case import Case
from policyd.proofs.find import Box, Cell, Covered, Found, OutOfBudget, bits, meet
from policyd.proofs.findings import Finding
from policyd.proofs.gains import Loss, gain_finding, gets, meets, ruled_out, unfinished
from policyd.proofs.witness import Witness, told

__all__ = ["claimed_loosens", "unknown_loosens", "unknown_with"]


_TOGETHER = (("tokens", "context_needed"), ("findings", "unredactable"))
"""Who cannot count the prompt knows neither, and what nobody could look for nobody can take out."""


@dataclass(frozen=True, slots=True)
class _Axes:
    """The axes that change between a request and its twin, each with the atom that unknown (or absent) stands for: `own`
    are the feature's, the others belong to what is unknown together with it."""

    feature: Feature
    own: frozenset[int]
    unknown: Mapping[int, int]


def claimed_loosens(case: Case) -> tuple[Finding, ...]:
    """One finding per claimed feature and rule that it gets around."""
    features = [f for f in case.program.features if f.provenance is Provenance.CLAIMED]
    return _findings(case, features, claimed=True)


def unknown_loosens(case: Case) -> tuple[Finding, ...]:
    """One finding per feature and rule that its being unknown gets around. A label (`at least header`) is no such
    feature: it is there to raise what the caller chooses to raise, and absent is its lowest value by definition."""
    features = [f for f in case.program.features if f.where.kind != "label"]
    return _findings(case, features, claimed=False)


def _findings(case: Case, features: list[Feature], *, claimed: bool) -> tuple[Finding, ...]:
    out: list[Finding] = []
    losses = tuple(_losses(case))
    for feature in features:
        axes = _axes(case, feature)
        if axes is None:
            continue
        told: set[str] = set()
        for loss in losses:
            if loss.rule.name in told:
                continue
            case.finder.start()
            try:
                pair = _gained(case, axes, loss, claimed=claimed)
            except OutOfBudget:
                told.add(loss.rule.name)
                out.append(unfinished(feature, loss, claimed=claimed))
                continue
            if pair is not None:
                told.add(loss.rule.name)
                out.append(gain_finding(case.program, feature, loss, pair, claimed=claimed))
    return tuple(out)


def _axes(case: Case, feature: Feature) -> _Axes | None:
    """The feature's axes, or None where it cannot be unknown or no condition reads it."""
    value = unknown_value(feature)
    if value is None:
        return None
    names = unknown_with({feature.name}) if feature.where.kind == "builtin" else {feature.name}
    unknown = {
        number: axis.atom_of(unknown)
        for number, axis in enumerate(case.matrix.axes)
        if axis.feature in names
        and (unknown := unknown_value(case.program.feature(axis.feature))) is not None
    }
    own = frozenset(axis for axis in unknown if case.matrix.axes[axis].feature == feature.name)
    return _Axes(feature, own, unknown) if own else None


def unknown_with(names: set[str]) -> set[str]:
    """The names, and what is unknown together with them."""
    return names.union(*(group for group in _TOGETHER if not names.isdisjoint(group)))


def _losses(case: Case) -> Iterator[Loss]:
    """Every clause that removes a target, per target, and every clause that denies."""
    for index, guard in enumerate(case.program.guards):
        for target in sorted(guard.hits):
            for clause in bits(case.matrix.guards[index]):
                yield Loss(guard, target, clause)
    for index, deny in enumerate(case.program.denies):
        for clause in bits(case.matrix.denies[index]):
            yield Loss(deny, None, clause)


def _gained(case: Case, axes: _Axes, loss: Loss, *, claimed: bool) -> tuple[Witness, Witness] | None:
    """A request that does not meet the loss and its twin that does, or None: there is no such pair."""
    clause = case.matrix.boxes[loss.clause]
    if axes.own.isdisjoint(clause):
        return None
    shared = {axis: mask for axis, mask in clause.items() if axis not in axes.unknown}
    unknown = {axis: 1 << atom for axis, atom in axes.unknown.items()}
    if claimed:
        # The twin is absent, so the clause must accept absent; the request then differs on the axis.
        if meet(clause, unknown) is None:
            return None
        cell = _cell(case, loss, shared)
        return None if cell is None else _pair(case, axes, loss, cell, claimed=True)
    box = meet(shared, unknown)
    if box is None or all(clause.get(axis, -1) & mask for axis, mask in unknown.items()):
        return None
    if _cell(case, loss, box) is None:
        return None
    for atoms in _twin_atoms(case, axes, clause):
        cell = _cell(case, loss, box, _impossible_twins(case, axes, atoms))
        if cell is not None:
            return _pair(case, axes, loss, _moved(cell, atoms), claimed=False)
    return None


def _cell(case: Case, loss: Loss, box: Box, extra: tuple[Box, ...] = ()) -> Cell | None:
    """A request in the box that is not denied and, where a target is at stake, is allowed it."""
    answer = case.finder.find(box, ruled_out(case, loss), extra)
    return answer.cell if isinstance(answer, Found) else None


def _twin_atoms(case: Case, axes: _Axes, clause: Box) -> Iterator[Mapping[int, int]]:
    """What the changing axes may be in a twin that the clause matches: one representative where nothing but these axes
    is related to each other, else every combination."""
    within = {axis: clause.get(axis, case.matrix.axes[axis].full) for axis in axes.unknown}
    related = [b for b in _relations(case) if any(axis in b for axis in axes.unknown)]
    if all(axis in axes.unknown for b in related for axis in b):
        answer = case.finder.find(within, case.matrix.relations)
        if not isinstance(answer, Covered):
            yield {axis: answer.cell[axis] for axis in axes.unknown}
        return
    order = list(within)
    for atoms in product(*(sorted(bits(within[axis])) for axis in order)):
        yield dict(zip(order, atoms, strict=True))


def _impossible_twins(case: Case, axes: _Axes, atoms: Mapping[int, int]) -> tuple[Box, ...]:
    """Where a twin with these atoms could not exist, as boxes over the axes that it shares with the request."""
    out = []
    for relation in _relations(case):
        if any(axis in relation for axis in axes.unknown) and all(
            relation.get(axis, -1) >> atom & 1 for axis, atom in atoms.items()
        ):
            out.append({axis: mask for axis, mask in relation.items() if axis not in axes.unknown})
    return tuple(out)


def _relations(case: Case) -> Iterator[Box]:
    return (case.matrix.boxes[i] for i in bits(case.matrix.relations))


def _moved(cell: Cell, atoms: Mapping[int, int]) -> Cell:
    return tuple(atoms.get(axis, atom) for axis, atom in enumerate(cell))


def _pair(case: Case, axes: _Axes, loss: Loss, cell: Cell, *, claimed: bool) -> tuple[Witness, Witness]:
    """The request that gains and its twin that does not, small, and confirmed by the reference. `cell` is the one of the
    two in which the feature has a value; the other one follows from it."""
    names = {case.matrix.axes[a].feature for a in axes.unknown}
    unknown = {name: unknown_value(case.program.feature(name)) for name in sorted(unknown_with(names))}
    # Where no rule asks for `opaque`, or for the task, they only have to go with what is unknown.
    follows = {"opaque": True} if case.matrix.table.of("opaque") is None and names & set(UNSCANNED) else {}

    free_task = case.matrix.table.of("task") is None and not names.isdisjoint(TIED)

    def without(request: Request) -> Request | None:
        values: dict[str, object] = {**request.values, **unknown, **follows}
        if free_task:
            with_task(values, {})
        admitted = admit(case.program, values)
        return admitted if isinstance(admitted, Request) and agree(admitted.values) else None

    def claim(request: Request) -> bool:
        mate = without(request)
        if mate is None:
            return False
        gains, loses = (request, mate) if claimed else (mate, request)
        return gets(case, loss, gains) and meets(case, loss, loses)

    valued = case.witness(cell, claim)
    mate = without(valued.request)
    assert mate is not None  # INVARIANT: the claim holds for the witness, and it asks for a possible mate.
    given = tuple(told(case.program, mate, frozenset() if claimed else frozenset(unknown)).items())
    unvalued = Witness(given, mate, evaluate(case.program, mate))
    return (valued, unvalued) if claimed else (unvalued, valued)
