"""Not monotone: more that is found, or a higher label, gets further.

Compares a request with its *twin*, the same request with one finding less, or with the neighbouring lower value of a label
or of a level with a source. The request gains where it is allowed a target that some guard removes from the twin, or where
no deny holds for it and one holds for the twin. One step is enough: where two requests differ in several findings or
levels, one of the steps between them gains too.

What `claimed loosens` or `unknown loosens` says of the same feature, rule and target is not said again: where a value
gains over its absence, or over all that is unknown, the one mistake has its finding. `opaque` is not among the features:
its unknown is true, so an `opaque` that gains is always such a case.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from policyd.engine.axes import EnumAxis, NameAxis
from policyd.policy.evaluate import evaluate
from policyd.policy.possible import agree
from policyd.policy.program import EnumDomain, Feature, Provenance
from policyd.policy.request import EVERYTHING, Request, admit, unknown_value
from policyd.proofs.case import Case
from policyd.proofs.find import Cell, Found, OutOfBudget, bits
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.gains import Loss, gets, lost_and_found, meets, ruled_out, tested_at
from policyd.proofs.loosens import unknown_with
from policyd.proofs.witness import Witness, told
from policyd.text.diagnostic import Label, Severity

__all__ = ["not_monotone"]


@dataclass(frozen=True, slots=True)
class _Step:
    """From the twin's atom of an axis to the request's, one up. `name`: the finding, or None for a level."""

    feature: Feature
    name: str | None
    axis: int
    low: int
    high: int


def not_monotone(case: Case) -> tuple[Finding, ...]:
    """One finding per finding's name, or level, and rule that it gets around."""
    out: list[Finding] = []
    told_of: set[tuple[int, str]] = set()
    for step in _steps(case):
        for loss in _losses(case, step):
            if (step.axis, loss.rule.name) in told_of:
                continue
            case.finder.start()
            try:
                cell = _gains(case, step, loss)
                if cell is not None and _loosens(case, step.feature, loss):
                    continue
            except OutOfBudget:
                told_of.add((step.axis, loss.rule.name))
                out.append(_unfinished(step, loss))
                continue
            if cell is not None:
                told_of.add((step.axis, loss.rule.name))
                out.append(_finding(case, step, loss, *_pair(case, step, loss, cell)))
    return tuple(out)


def _steps(case: Case) -> Iterator[_Step]:
    for number, axis in enumerate(case.matrix.axes):
        feature = case.program.feature(axis.feature)
        if isinstance(axis, NameAxis):
            yield _Step(feature, axis.name, number, 0, 1)
        elif isinstance(axis, EnumAxis) and axis.ordered and feature.where.kind != "builtin":
            for atom in range(1, axis.size):
                yield _Step(feature, None, number, atom - 1, atom)


def _losses(case: Case, step: _Step) -> Iterator[Loss]:
    """Every clause of a guard, per target, or of a deny that accepts the lower atom and not the higher one."""
    rows = case.matrix.rows[step.axis]
    ruling = case.matrix.all_guards | case.matrix.all_denies
    for number in bits(ruling & rows[step.low] & ~rows[step.high]):
        clause = case.matrix.clauses[number]
        if clause.owner_kind == "deny":
            yield Loss(case.program.denies[clause.owner], None, number)
        else:
            guard = case.program.guards[clause.owner]
            yield from (Loss(guard, target, number) for target in sorted(guard.hits))


def _gains(case: Case, step: _Step, loss: Loss) -> Cell | None:
    """A request that gains, whose twin meets the loss and can exist."""
    box = {**case.matrix.boxes[loss.clause], step.axis: 1 << step.high}
    answer = case.finder.find(box, ruled_out(case, loss), tuple(_impossible_twins(case, step)))
    return answer.cell if isinstance(answer, Found) else None


def _loosens(case: Case, feature: Feature, loss: Loss) -> bool:
    """Whether a claim, or being unknown, gets around the same rule for the same target."""
    value = unknown_value(feature)
    if value is None:
        return False
    together = unknown_with({feature.name})
    axes = {
        n: a.atom_of(unknown)
        for n, a in enumerate(case.matrix.axes)
        if a.feature in together and (unknown := unknown_value(case.program.feature(a.feature))) is not None
    }
    own = {n for n in axes if case.matrix.axes[n].feature == feature.name}
    for number in bits(_clauses_of(case, loss)):
        clause = case.matrix.boxes[number]
        others = {axis: mask for axis, mask in clause.items() if axis not in axes}
        met = all(clause.get(axis, -1) >> atom & 1 for axis, atom in axes.items())
        if own.isdisjoint(clause):
            continue
        if met and feature.provenance is Provenance.CLAIMED:
            gaining: dict[int, int] = others
        elif not met and feature.where.kind != "label":
            gaining = {**others, **{axis: 1 << atom for axis, atom in axes.items()}}
        else:
            continue
        case.finder.start()
        values = {axis: clause[axis] for axis in axes if axis in clause}
        if isinstance(case.finder.find(gaining, ruled_out(case, loss)), Found) and isinstance(
            case.finder.find(values, case.matrix.relations), Found
        ):
            return True
    return False


def _clauses_of(case: Case, loss: Loss) -> int:
    """All clauses of the rule."""
    clause = case.matrix.clauses[loss.clause]
    parts = case.matrix.denies if clause.owner_kind == "deny" else case.matrix.guards
    return parts[clause.owner]


def _impossible_twins(case: Case, step: _Step) -> Iterator[dict[int, int]]:
    """Where the twin could not exist, over what it shares with the request: with a finding below the one it lacks."""
    for number in bits(case.matrix.relations):
        relation = case.matrix.boxes[number]
        if relation.get(step.axis, 0) >> step.low & 1:
            yield {axis: mask for axis, mask in relation.items() if axis != step.axis}


def _twin(case: Case, step: _Step, request: Request) -> Request | None:
    """The request one step lower, or None where there is no such step."""
    value = request.values[step.feature.name]
    if step.name is not None:
        assert isinstance(value, frozenset)
        below = any(n.startswith(step.name + ".") for n in value)
        if value is EVERYTHING or step.name not in value or below:
            return None
        lower: object = value - {step.name}
    else:
        assert isinstance(step.feature.domain, EnumDomain)
        rank = step.feature.domain.values.index(str(value))
        if rank == 0:
            return None
        lower = step.feature.domain.values[rank - 1]
    twin = admit(case.program, {**request.values, step.feature.name: lower})
    return twin if isinstance(twin, Request) and agree(twin.values) else None


def _pair(case: Case, step: _Step, loss: Loss, cell: Cell) -> tuple[Witness, Witness]:
    def claim(request: Request) -> bool:
        twin = _twin(case, step, request)
        return twin is not None and gets(case, loss, request) and meets(case, loss, twin)

    witness = case.witness(cell, claim)
    twin = _twin(case, step, witness.request)
    assert twin is not None, "INVARIANT: the claim holds for the witness"
    return witness, Witness(tuple(told(case.program, twin).items()), twin, evaluate(case.program, twin))


def _finding(case: Case, step: _Step, loss: Loss, witness: Witness, twin: Witness) -> Finding:
    feature = step.feature
    tested = next(tested_at(case.program, loss.rule.condition, feature.name, step.name), None)
    labels = []
    if tested is not None and loss.rule.span is not None:
        labels.append(Label(loss.rule.span, "this rule depends on it"))
    if feature.span is not None:
        labels.append(Label(feature.span, "declared here"))
    if step.name is not None:
        more, less = f"one more finding, `{step.name}`,", "the same request without it"
        help_ = (
            f"turn this test of `{feature.name}` around: what is found may take targets away, never give them"
        )
    else:
        high, low = (w.request.values[feature.name] for w in (witness, twin))
        more, less = f"a higher `{feature.name}`, `{high}`,", f"the same request with `{low}`"
        help_ = (
            f"turn this test of `{feature.name}` around: a higher value may take targets away, never give them; "
            "where more is meant to allow more, declare the values the other way round"
        )
    gain = (
        f"lifts the rejection `{loss.rule.name}`, which {less} meets"
        if loss.target is None
        else f"allows `{loss.target}`, which {less} does not get"
    )
    return Finding(
        "PD313",
        Severity.WARNING,
        feature.name,
        f"{more} {gain}",
        tested or loss.rule.span or feature.span,
        help_,
        tuple(labels),
        witness,
        twin,
        lost_and_found(loss),
    )


def _unfinished(step: _Step, loss: Loss) -> Finding:
    more = f"a higher `{step.feature.name}`" if step.name is None else f"one more finding, `{step.name}`,"
    question = f"whether {more} gets around `{loss.rule.name}`"
    return not_proved(step.feature.name, question, loss.rule.span, "simplify the conditions of the rule")
