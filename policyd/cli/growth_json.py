"""What coverage and planted mistakes found out, as JSON: the objects `coverage` and `mutation` of a policy in a report.

In comes a `Growth`; out go JSON values. `docs/schemas/check-1.json` says what is in them.
"""

from collections.abc import Iterable

from policyd.cli.growth import Growth
from policyd.cli.proposed import proposed_test
from policyd.policy.program import Program
from policyd.reports.values import Json, decision_json, place_json, request_json
from policyd.trials.coverage import Coverage, Row, State
from policyd.trials.mutate import Fate, Mutation, Trial

__all__ = ["growth_json"]


def growth_json(program: Program, growth: Growth) -> Iterable[tuple[str, Json]]:
    """Only what was asked."""
    if growth.coverage is not None:
        yield "coverage", _coverage(growth.coverage)
    if growth.mutation is not None:
        yield "mutation", _mutation(program, growth.mutation)


def _coverage(coverage: Coverage) -> Json:
    covered, feasible = coverage.counts()
    kinds: list[Json] = []
    for kind in coverage.kinds:
        some, every = coverage.counts(kind)
        kinds.append({"kind": kind, "covered": some, "feasible": every})
    return {
        "covered": covered,
        "feasible": feasible,
        "impossible": len(coverage.of(State.IMPOSSIBLE)),
        "not_proved": len(coverage.of(State.NOT_PROVED)),
        "kinds": kinds,
        "goals": [_goal(row) for row in coverage.rows],
    }


def _goal(row: Row) -> Json:
    return {
        "kind": row.goal.kind,
        "rule": row.goal.rule,
        "goal": row.goal.text,
        "state": row.state.value,
        "test": row.test,
        "request": None if row.witness is None else request_json(row.witness.given),
        "place": place_json(row.goal.span),
    }


def _mutation(program: Program, mutation: Mutation) -> Json:
    noticed, counted = mutation.score
    return {
        "noticed": noticed,
        "counted": counted,
        "survived": len(mutation.of(Fate.SURVIVED)),
        "equivalent": len(mutation.of(Fate.EQUIVALENT)),
        "not_proved": len(mutation.of(Fate.NOT_PROVED)),
        "invalid": mutation.invalid,
        "left_out": mutation.left_out,
        "mutants": [_mutant(program, trial) for trial in mutation.trials],
    }


def _mutant(program: Program, trial: Trial) -> Json:
    witness = trial.witness
    return {
        "change": trial.mutant.said,
        "fate": trial.fate.value,
        "by": trial.by,
        "request": None if witness is None else request_json(witness.given),
        "before": None if witness is None else decision_json(witness.decision),
        "after": None if trial.after is None else decision_json(trial.after),
        "test": None if trial.test is None else proposed_test(program, trial.test),
        "place": place_json(trial.mutant.span),
    }
